package tracker

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
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

// ticket proves that this tracker named the peer for the key to somebody in the
// asker's group: only such askers can report it (security row 10).
func (s Secret) ticket(now time.Time, key resource.Key, peer transport.PeerID, asker Group) string {
	b := make([]byte, 0, ticketSize)
	b = append(b, key[:]...)
	b = append(b, peer[:]...)
	b = binary.BigEndian.AppendUint32(b, epochOf(now))
	return base64.RawURLEncoding.EncodeToString(append(b, s.ticketMAC(b, asker)...))
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
	body, mac := b[:ticketSize-macSize], b[ticketSize-macSize:]
	age := epochOf(now) - binary.BigEndian.Uint32(body[64:])
	if age > 1 || !hmac.Equal(mac, s.ticketMAC(body, asker)) {
		return key, peer, false
	}
	copy(key[:], body)
	copy(peer[:], body[32:])
	return key, peer, true
}

func (s Secret) ticketMAC(body []byte, asker Group) []byte {
	return s.mac("ticket", binary.BigEndian.AppendUint64(append([]byte(nil), body...), uint64(asker)))[:macSize]
}

func (s Secret) mac(use string, data []byte) []byte {
	h := hmac.New(sha256.New, s[:])
	h.Write([]byte(use))
	h.Write([]byte{0})
	h.Write(data)
	return h.Sum(nil)
}

func epochOf(now time.Time) uint32 { return uint32(now.Unix() / int64(ticketEpoch/time.Second)) }
