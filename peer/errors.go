package peer

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrNoSource is wrapped by NoSourceError: the origin is down and nobody has a copy.
	ErrNoSource = errors.New("no source")
	// ErrUntrusted is wrapped by UntrustedError: there are copies, but none is believable enough.
	ErrUntrusted = errors.New("no copy is trusted enough")
	// ErrClosed reports the use of a closed Node.
	ErrClosed = errors.New("the node is closed")
)

// Attempt is one place that was asked in vain.
type Attempt struct {
	Where string // "origin", "cache", "locator" or "peers"
	Err   error
}

// NoSourceError says what was tried. It wraps ErrNoSource and the attempts' errors.
type NoSourceError struct {
	URL   string
	Tried []Attempt
}

func (e *NoSourceError) Error() string {
	var b strings.Builder
	b.WriteString("no source for " + e.URL)
	for i, a := range e.Tried {
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		fmt.Fprintf(&b, "%s%s: %v", sep, a.Where, a.Err)
	}
	return b.String()
}

// Unwrap makes errors.Is see ErrNoSource and every attempt's error.
func (e *NoSourceError) Unwrap() []error {
	out := []error{ErrNoSource}
	for _, a := range e.Tried {
		out = append(out, a.Err)
	}
	return out
}
