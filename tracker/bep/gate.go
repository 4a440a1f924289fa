package bep

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"net/netip"
	"time"
)

// gateEpoch is half of how long a connection id holds at most: BEP 15 has clients use one for
// a minute and trackers accept it for two.
const gateEpoch = 2 * time.Minute

// gate makes and checks connection ids: a keyed hash of the address and of
// the epoch it was given in.
//
//	bit 63     0
//	bit 62     the epoch's lowest bit
//	bits 0-61  SHA-256(secret (32) | address (16) | epoch (4)), cut
//
// The input has a fixed length of one block and the output is cut, so that a
// plain hash is as good a MAC as HMAC here, at a quarter of its price.
type gate struct{ secret [32]byte }

func (g *gate) id(addr netip.Addr, epoch uint32) uint64 {
	var in [52]byte
	copy(in[:], g.secret[:])
	a := addr.As16()
	copy(in[32:], a[:])
	binary.BigEndian.PutUint32(in[48:], epoch)
	sum := sha256.Sum256(in[:])
	return binary.BigEndian.Uint64(sum[:])>>2 | uint64(epoch&1)<<62
}

// give returns the connection id of an address.
func (g *gate) give(now time.Time, addr netip.Addr) uint64 { return g.id(addr, epochOf(now)) }

// check reports whether the id was given to the address in this epoch or the last.
func (g *gate) check(now time.Time, addr netip.Addr, id uint64) bool {
	epoch := epochOf(now)
	if uint32(id>>62)&1 != epoch&1 {
		epoch--
	}
	var got, want [8]byte
	binary.BigEndian.PutUint64(got[:], id)
	binary.BigEndian.PutUint64(want[:], g.id(addr, epoch))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

func epochOf(now time.Time) uint32 { return uint32(now.Unix() / int64(gateEpoch/time.Second)) }
