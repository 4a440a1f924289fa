package resource

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"nt/chunker"
)

// Limits on a Statement: what a stranger may make us keep, in bytes and fields.
const (
	MaxHeaderBytes  = 8 << 10
	MaxHeaderFields = 32
	statementDomain = "nt-statement-v1\n"
	placedDomain    = "nt-statement-v2\n" // of a statement with a place
)

// ErrBadStatement reports a statement that is malformed or whose signature does not hold.
var ErrBadStatement = errors.New("resource: bad statement")

// Statement says "this URL was this object at that time" (design section 1).
// It covers the status and the headers that are kept, so that a copy arrives
// with the headers its witness saw.
type Statement struct {
	Key        Key              `json:"key"`
	Object     chunker.ObjectID `json:"object"`
	Size       int64            `json:"size"`
	Status     int              `json:"status"`
	Header     http.Header      `json:"header"`      // kept fields only, see KeepHeader
	ObservedAt int64            `json:"observed_at"` // Unix seconds
	Place      Place            `json:"place,omitzero"`
	Witness    WitnessKey       `json:"witness"`
	Signature  Signature        `json:"signature"`
}

// Time returns when the witness saw the response.
func (s Statement) Time() time.Time { return time.Unix(s.ObservedAt, 0).UTC() }

// Encoding returns the Content-Encoding of the observed representation, "" for identity.
func (s Statement) Encoding() string {
	e := strings.ToLower(strings.TrimSpace(s.Header.Get("Content-Encoding")))
	if e == "identity" {
		return ""
	}
	return e
}

// SameContent reports whether both statements saw the same representation: the same
// object under the same type and encoding. Headers that differ between replicas
// of one origin (ETag, Date) do not make a dissent.
func (s Statement) SameContent(o Statement) bool {
	return s.Key == o.Key && s.Object == o.Object && s.Encoding() == o.Encoding() &&
		s.Header.Get("Content-Type") == o.Header.Get("Content-Type")
}

// Sign completes s with the witness's key and signature.
func (s Statement) Sign(key ed25519.PrivateKey) Statement {
	copy(s.Witness[:], key.Public().(ed25519.PublicKey))
	copy(s.Signature[:], ed25519.Sign(key, s.message()))
	return s
}

// Verify checks s's form, limits and signature. It wraps ErrBadStatement.
func (s Statement) Verify() error {
	if s.Status != http.StatusOK {
		return fmt.Errorf("%w: status %d is not shared", ErrBadStatement, s.Status)
	}
	if s.Size < 0 || s.Size > chunker.MaxObjectSize {
		return fmt.Errorf("%w: size %d", ErrBadStatement, s.Size)
	}
	if err := checkHeader(s.Header); err != nil {
		return fmt.Errorf("%w: %w", ErrBadStatement, err)
	}
	if err := s.Place.check(s.ObservedAt); err != nil {
		return fmt.Errorf("%w: %w", ErrBadStatement, err)
	}
	if !ed25519.Verify(s.Witness[:], s.message(), s.Signature[:]) {
		return fmt.Errorf("%w: the signature of witness %s does not hold", ErrBadStatement, s.Witness.Short())
	}
	return nil
}

// message is what is signed: the domain, then every field with its length, so
// that no two statements share a message.
func (s Statement) message() []byte {
	b := []byte(statementDomain)
	if !s.Place.IsZero() {
		b = s.Place.append([]byte(placedDomain))
	}
	b = append(b, s.Key[:]...)
	b = append(b, s.Object[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(s.Size))
	b = binary.BigEndian.AppendUint32(b, uint32(s.Status))
	b = binary.BigEndian.AppendUint64(b, uint64(s.ObservedAt))
	b = append(b, s.Witness[:]...)
	sum := sha256.Sum256(appendHeader(nil, s.Header))
	return append(b, sum[:]...)
}

// appendHeader appends the canonical form of a header: names sorted, values in
// their order, each with its length.
func appendHeader(b []byte, h http.Header) []byte {
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, v := range h[name] {
			b = binary.AppendUvarint(b, uint64(len(name)))
			b = append(b, name...)
			b = binary.AppendUvarint(b, uint64(len(v)))
			b = append(b, v...)
		}
	}
	return b
}
