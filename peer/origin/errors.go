package origin

import (
	"errors"
	"fmt"
)

var (
	// ErrTLS is wrapped by every error of certificate or handshake.
	ErrTLS = errors.New("the origin's TLS is bad")
	// ErrForbidden is wrapped when Config.Forbidden claims a dial's error.
	ErrForbidden = errors.New("the origin's address is not allowed")
)

// Error is why an attempt at the origin gave no response.
type Error struct {
	Verdict Verdict // Down or Refuse
	Reason  string  // for people: "connection refused"
	Err     error   // nil when a status is the reason
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Reason
	}
	return fmt.Sprintf("%s: %v", e.Reason, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// StatusError returns the Error that stands for a response whose status means Down.
func StatusError(status int) *Error {
	return &Error{Verdict: Classify(status, nil), Reason: fmt.Sprintf("it answered %d", status)}
}
