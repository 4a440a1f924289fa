// Package trust owns what makes a copy believable when the origin is gone
// (design section 7): levels, evidence and the verdict over them. It is pure:
// statements, keys and time in, a verdict out; no network, store or clock.
package trust

import (
	"fmt"
	"slices"
)

// Level says how believable a copy is. Levels are ordered: a higher one is
// accepted wherever a lower one is.
type Level uint8

const (
	// Unverified: somebody says so. Refused unless asked for with --trust any.
	Unverified Level = iota
	// Corroborated: readers in several network groups saw the same before the
	// first report of an outage, and nobody saw anything else.
	Corroborated
	// Notary: a notary that the user configured fetched it itself.
	Notary
	// Self: this user's own earlier fetch.
	Self
	// Publisher: signed by a key learnt from the origin while it was up.
	Publisher
	// Pinned: the user named the content's hash.
	Pinned
)

var names = [...]string{"unverified", "corroborated", "notary", "self", "publisher", "pinned"}

// String returns the level's name as in design section 7.
func (l Level) String() string {
	if int(l) < len(names) {
		return names[l]
	}
	return fmt.Sprintf("level %d", l)
}

// MarshalText writes the level's name.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads a level's name; "any" is another word for unverified.
func (l *Level) UnmarshalText(b []byte) error {
	got, err := ParseLevel(string(b))
	if err != nil {
		return err
	}
	*l = got
	return nil
}

// ParseLevel reads a level's name; "any" is another word for unverified.
func ParseLevel(s string) (Level, error) {
	if s == "any" {
		return Unverified, nil
	}
	if i := slices.Index(names[:], s); i >= 0 {
		return Level(i), nil
	}
	return 0, fmt.Errorf("there is no trust level %q; levels are any, corroborated, notary, self, publisher, pinned", s)
}

// DefaultLevel is what is accepted unless the user says otherwise.
const DefaultLevel = Notary
