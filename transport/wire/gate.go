package wire

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"time"
)

const (
	tokenSize  = 16
	tokenEpoch = 2 * time.Minute // WireGuard's; a token is good for one to two of them
)

// Token shows that whoever sends it can receive at the address it was made for.
type Token [tokenSize]byte

// gate makes and checks tokens. It keeps no state per address.
type gate struct{ secret [32]byte }

// token returns the token of an address at a time.
func (g *gate) token(addr netip.AddrPort, now time.Time) Token {
	return g.at(addr, epochOf(now))
}

// check reports whether t is addr's token of this or the last epoch.
func (g *gate) check(addr netip.AddrPort, t Token, now time.Time) bool {
	e := epochOf(now)
	a, b := g.at(addr, e), g.at(addr, e-1)
	return hmac.Equal(t[:], a[:]) || hmac.Equal(t[:], b[:])
}

func epochOf(now time.Time) int64 { return now.Unix() / int64(tokenEpoch/time.Second) }

func (g *gate) at(addr netip.AddrPort, epoch int64) (t Token) {
	var msg [16 + 2 + 8]byte
	ip := addr.Addr().As16()
	copy(msg[:], ip[:])
	binary.BigEndian.PutUint16(msg[16:], addr.Port())
	binary.BigEndian.PutUint64(msg[18:], uint64(epoch))
	mac := hmac.New(sha256.New, g.secret[:])
	mac.Write(msg[:])
	copy(t[:], mac.Sum(nil))
	return t
}
