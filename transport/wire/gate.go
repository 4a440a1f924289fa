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

// A token begins with its handle: 0 if the node made it itself, else that of the Grant it was
// made from.
const handleSize = 4

// Grant lets whoever a node gives it to make that node's tokens for others' addresses: an
// introducer's tokens save the peers it brings together a round trip. It is good for as long as a
// token. Every peer gets a grant of its own, and few sessions at a time may be opened on each and
// left without a packet, so that who gives its grant to spoofers gains nothing.
type Grant struct {
	Handle uint32 // not 0
	Key    [16]byte
}

// GrantSize is the length of a Grant's wire form: the handle, big-endian, and the key.
const GrantSize = handleSize + 16

// AppendBinary appends the wire form.
func (g Grant) AppendBinary(b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, g.Handle), g.Key[:]...)
}

// ParseGrant reads what AppendBinary wrote; false if it is no grant.
func ParseGrant(b []byte) (g Grant, ok bool) {
	if len(b) != GrantSize {
		return g, false
	}
	g.Handle = binary.BigEndian.Uint32(b)
	copy(g.Key[:], b[handleSize:])
	return g, g.Handle != 0
}

// Token makes the token of an address.
func (g Grant) Token(addr netip.AddrPort) (t Token) {
	addr = unmap(addr)
	var msg [16 + 2]byte
	ip := addr.Addr().As16()
	copy(msg[:], ip[:])
	binary.BigEndian.PutUint16(msg[16:], addr.Port())
	mac := hmac.New(sha256.New, g.Key[:])
	mac.Write(msg[:])
	binary.BigEndian.PutUint32(t[:], g.Handle)
	copy(t[handleSize:], mac.Sum(nil))
	return t
}

// handle returns the handle of the grant a token was made from, 0 for the node's own.
func (t Token) handle() uint32 { return binary.BigEndian.Uint32(t[:]) }

// gate makes and checks tokens. It keeps no state per address.
type gate struct{ secret [32]byte }

// token returns the node's own token of an address at a time.
func (g *gate) token(addr netip.AddrPort, now time.Time) Token {
	return g.grant(0, epochOf(now)).Token(addr)
}

// check reports whether t is addr's token of this or the last epoch.
func (g *gate) check(addr netip.AddrPort, t Token, now time.Time) bool {
	e := epochOf(now)
	a, b := g.grant(t.handle(), e).Token(addr), g.grant(t.handle(), e-1).Token(addr)
	return hmac.Equal(t[:], a[:]) || hmac.Equal(t[:], b[:])
}

func epochOf(now time.Time) int64 { return now.Unix() / int64(tokenEpoch/time.Second) }

func (g *gate) grant(handle uint32, epoch int64) Grant {
	var msg [handleSize + 8]byte
	binary.BigEndian.PutUint32(msg[:], handle)
	binary.BigEndian.PutUint64(msg[handleSize:], uint64(epoch))
	mac := hmac.New(sha256.New, g.secret[:])
	mac.Write(msg[:])
	return Grant{handle, [16]byte(mac.Sum(nil))}
}

// Grant returns a new grant, for one peer.
func (n *Node) Grant() Grant {
	handle := n.handles.Add(1)
	if handle == 0 { // the node's own
		handle = n.handles.Add(1)
	}
	return n.gate.grant(handle, epochOf(n.now()))
}

// maxGranted sessions may be open on one grant that their diallers have not confirmed: as many readers as one tracker
// sends in a quarter of a second of a flash crowd. Who comes beyond them has to show that it receives at its address,
// which takes a round trip more.
const maxGranted = 256
