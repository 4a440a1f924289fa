package resource

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// Place is where a notary's statement stands in what it says of one resource and encoding
// (docs/adr/0018): the notary numbers them, and each names the one before. Two statements
// with one place, or whose places and times are not in one order, prove that it keeps two
// accounts for two readers. The zero Place is none: readers and publishers have none.
type Place struct {
	// Log is when the notary began to number, in Unix seconds. It begins anew with every
	// process; no statement outside of it may be as late.
	Log int64 `json:"log"`
	// Seq is 1 for the first statement about the resource in this log.
	Seq uint32 `json:"seq"`
	// Prev is the Digest of the statement before; zero for the first.
	Prev Digest `json:"prev,omitzero"`
}

// IsZero reports whether there is no place.
func (p Place) IsZero() bool { return p == Place{} }

// check enforces what holds for a place alone.
func (p Place) check(observedAt int64) error {
	switch {
	case p.IsZero():
		return nil
	case p.Log <= 0 || p.Seq == 0 || (p.Seq == 1) != p.Prev.IsZero():
		return fmt.Errorf("no place in a log: %d, %d", p.Log, p.Seq)
	case observedAt < p.Log:
		return fmt.Errorf("seen at %d, before its log began at %d", observedAt, p.Log)
	}
	return nil
}

func (p Place) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(p.Log))
	b = binary.BigEndian.AppendUint32(b, p.Seq)
	return append(b, p.Prev[:]...)
}

// Digest names a statement: the SHA-256 of what its witness signed.
type Digest [sha256.Size]byte

// IsZero reports whether d is the zero Digest.
func (d Digest) IsZero() bool { return d == Digest{} }

// MarshalText writes d in lower-case hexadecimal.
func (d Digest) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(d[:])), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *Digest) UnmarshalText(b []byte) error { return decodeHex(d[:], b, "digest") }

// Digest returns the statement's name.
func (s Statement) Digest() Digest { return sha256.Sum256(s.message()) }
