package transport

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
)

// PeerID names a peer: its Ed25519 public key. The zero PeerID stands for a
// peer whose key is not known.
type PeerID [32]byte

// IsZero reports whether the peer's key is unknown.
func (id PeerID) IsZero() bool { return id == PeerID{} }

// String returns the whole ID in lower-case hexadecimal.
func (id PeerID) String() string { return hex.EncodeToString(id[:]) }

// Short returns the first 8 hexadecimal digits, for people.
func (id PeerID) Short() string { return id.String()[:8] }

// MarshalText writes id in lower-case hexadecimal.
func (id PeerID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (id *PeerID) UnmarshalText(b []byte) error {
	if len(b) != 2*len(id) {
		return fmt.Errorf("peer ID has %d characters, want %d hexadecimal digits", len(b), 2*len(id))
	}
	_, err := hex.Decode(id[:], b)
	return err
}

// Peer is one holder of an object as a locator described it, or somebody who fetches it at this moment. Nothing in it is
// trusted: a peer is believed chunk by chunk.
type Peer struct {
	ID         PeerID         // zero when unknown
	Addr       netip.AddrPort // where it serves; UDP and TCP use the same number
	Transports []string       // names of the transports it speaks
	Ticket     string         // the locator's word that it named this peer to us; opaque, "" if none
	Reading    bool           // it is fetching the object itself and holds a part of it at most
	Token      []byte         // opens the peer's gate on the wire at once; opaque, nil if none
}

// Speaks reports whether the peer announced the transport of that name.
func (p Peer) Speaks(name string) bool { return slices.Contains(p.Transports, name) }

// NetworkGroup returns the network an address counts in where one owner must not count as many: the /24 of an IPv4 address, the /48 of
// an IPv6 one.
func NetworkGroup(a netip.Addr) netip.Prefix {
	bits := 24
	if a.Is6() {
		bits = 48
	}
	p, _ := a.Prefix(bits) // fails for the zero Addr only
	return p
}
