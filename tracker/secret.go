package tracker

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"time"

	"nt/internal/resource"
	"nt/transport"
)

// Secret makes the tracker's opaque words: group labels and tickets. With the
// same 32 bytes after a restart, labels and young tickets stay the same.
type Secret [32]byte

const (
	ticketEpoch = 30 * time.Minute // a ticket holds for one to two epochs
	macSize     = 16
	ticketSize  = 32 + 32 + 4 + macSize
)

// groupLabel names a wide group without telling which it is.
func (s Secret) groupLabel(g Group) string {
	mac := s.mac("group", binary.BigEndian.AppendUint64(nil, uint64(g)))
	return hex.EncodeToString(mac[:8])
}

// ticketer makes the tickets of one answer.
type ticketer struct {
	mac   hash.Hash
	buf   []byte // key, peer, epoch, then what the MAC adds
	asker Group
}

// tickets returns the maker of tickets for somebody in the asker's group. A ticket
// proves that this tracker named a peer for a key to that group: only such
// askers can report it (security row 10).
func (s Secret) tickets(now time.Time, asker Group) *ticketer {
	t := &ticketer{mac: hmac.New(sha256.New, s[:]), buf: make([]byte, 68, 128), asker: asker}
	binary.BigEndian.PutUint32(t.buf[64:], epochOf(now))
	return t
}

func (t *ticketer) ticket(key resource.Key, peer transport.PeerID) string {
	return base64.RawURLEncoding.EncodeToString(t.raw(key, peer))
}

// raw returns the ticket's bytes, until the next call: key, peer, and joinTicket more.
func (t *ticketer) raw(key resource.Key, peer transport.PeerID) []byte {
	copy(t.buf, key[:])
	copy(t.buf[32:], peer[:])
	return sumTicket(t.mac, t.buf, t.asker)
}

// sumTicket appends the MAC over a ticket's body and the asker's group.
func sumTicket(mac hash.Hash, body []byte, asker Group) []byte {
	var group [8]byte
	binary.BigEndian.PutUint64(group[:], uint64(asker))
	mac.Reset()
	mac.Write([]byte("ticket\x00"))
	mac.Write(group[:])
	mac.Write(body)
	return mac.Sum(body)[:ticketSize]
}

// openTicket returns what a ticket is about, or false if it is forged, too old
// or was given to somebody in another group.
func (s Secret) openTicket(now time.Time, ticket string, asker Group) (key resource.Key, peer transport.PeerID, ok bool) {
	if len(ticket) != base64.RawURLEncoding.EncodedLen(ticketSize) {
		return key, peer, false
	}
	b, err := base64.RawURLEncoding.DecodeString(ticket)
	if err != nil {
		return key, peer, false
	}
	body := b[: ticketSize-macSize : ticketSize-macSize]
	age := epochOf(now) - binary.BigEndian.Uint32(body[64:])
	if age > 1 || !hmac.Equal(b, sumTicket(hmac.New(sha256.New, s[:]), body, asker)) {
		return key, peer, false
	}
	copy(key[:], body)
	copy(peer[:], body[32:])
	return key, peer, true
}

func (s Secret) mac(use string, data []byte) []byte {
	h := hmac.New(sha256.New, s[:])
	h.Write([]byte(use))
	h.Write([]byte{0})
	h.Write(data)
	return h.Sum(nil)
}

func epochOf(now time.Time) uint32 { return uint32(now.Unix() / int64(ticketEpoch/time.Second)) }
