package cache

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"nt/chunker"
	"nt/internal/resource"
	"nt/peer/trust"
)

// Limits on one entry's file.
const (
	MaxEntryBytes   = 128 << 10
	MaxWitnesses    = 16
	maxWitnessBytes = 256
	maxEncoding     = 40
	maxAge          = 1 << 31 // seconds; RFC 9111 section 1.2.2
)

// ErrBadEntry reports an entry that breaks the format or its limits.
var ErrBadEntry = errors.New("cache: bad entry")

// Entry is one response of which this node holds a copy.
type Entry struct {
	URL string `json:"url"` // canonical
	// Statement describes the response. Its own signature counts only when it is
	// announced: in the cache it is a record of this user's own directory.
	Statement resource.Statement `json:"statement"`
	// Level and Witnesses say what made the copy believable when it was stored:
	// trust.Self for what came from the origin.
	Level     trust.Level `json:"level"`
	Witnesses []string    `json:"witnesses,omitempty"`
	StoredAt  int64       `json:"stored_at"` // Unix seconds
	// Age is what the reply's Age said when it was observed, in seconds: for so long it
	// had lain in other caches (RFC 9111 section 4.2.3).
	Age int64 `json:"age,omitempty"`
	// Shared: the copy may be announced, by the rules that held when it was stored.
	Shared bool `json:"shared,omitempty"`
	// Invalid: a later request changed what is there, so the copy is never fresh.
	Invalid bool `json:"invalid,omitempty"`
}

// Object returns the name of the bytes.
func (e Entry) Object() chunker.ObjectID { return e.Statement.Object }

// Size returns the length of the bytes.
func (e Entry) Size() int64 { return e.Statement.Size }

// Header returns the kept header fields; the caller must not change them.
func (e Entry) Header() http.Header { return e.Statement.Header }

// Encoding returns the variant: the Content-Encoding, "" for identity.
func (e Entry) Encoding() string { return e.Statement.Encoding() }

// ObservedAt returns when the witness saw the response.
func (e Entry) ObservedAt() time.Time { return e.Statement.Time() }

// BornAt returns from when on the response has aged.
func (e Entry) BornAt() time.Time { return e.ObservedAt().Add(-time.Duration(e.Age) * time.Second) }

// check enforces the format and returns the canonical URL.
func (e Entry) check() (resource.URL, error) {
	u, err := resource.ParseURL(e.URL)
	switch {
	case err != nil:
		return u, fmt.Errorf("%w: %w", ErrBadEntry, err)
	case u.String() != e.URL:
		return u, fmt.Errorf("%w: its URL is not canonical", ErrBadEntry)
	case u.Key() != e.Statement.Key:
		return u, fmt.Errorf("%w: its key is another URL's", ErrBadEntry)
	case len(e.Encoding()) > maxEncoding:
		return u, fmt.Errorf("%w: Content-Encoding of %d characters", ErrBadEntry, len(e.Encoding()))
	case e.Level > trust.Pinned:
		return u, fmt.Errorf("%w: %s", ErrBadEntry, e.Level)
	case e.StoredAt < 0 || e.Statement.ObservedAt < 0:
		return u, fmt.Errorf("%w: a time before 1970", ErrBadEntry)
	case e.Age < 0 || e.Age > maxAge:
		return u, fmt.Errorf("%w: an age of %d s", ErrBadEntry, e.Age)
	case len(e.Witnesses) > MaxWitnesses:
		return u, fmt.Errorf("%w: %d witnesses", ErrBadEntry, len(e.Witnesses))
	}
	for _, w := range e.Witnesses {
		if len(w) > maxWitnessBytes || strings.ContainsFunc(w, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return u, fmt.Errorf("%w: witness %.40q", ErrBadEntry, w)
		}
	}
	if err := e.Statement.Verify(); err != nil {
		return u, fmt.Errorf("%w: %w", ErrBadEntry, err)
	}
	return u, nil
}

// Decode reads one entry's file: strict JSON within MaxEntryBytes, every field
// checked. Errors wrap ErrBadEntry.
func Decode(b []byte) (Entry, error) {
	if len(b) > MaxEntryBytes {
		return Entry{}, fmt.Errorf("%w: %d bytes are over the limit of %d", ErrBadEntry, len(b), MaxEntryBytes)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var e Entry
	if err := d.Decode(&e); err != nil {
		return Entry{}, fmt.Errorf("%w: %w", ErrBadEntry, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return Entry{}, fmt.Errorf("%w: more than one JSON value", ErrBadEntry)
	}
	if _, err := e.check(); err != nil {
		return Entry{}, err
	}
	return e, nil
}

// Encode writes what Decode reads, and refuses what Decode would refuse.
func Encode(e Entry) ([]byte, error) {
	if _, err := e.check(); err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(e, "", " ")
	if err != nil {
		return nil, err
	}
	if len(b) > MaxEntryBytes {
		return nil, fmt.Errorf("%w: %d bytes are over the limit of %d", ErrBadEntry, len(b), MaxEntryBytes)
	}
	return append(b, '\n'), nil
}
