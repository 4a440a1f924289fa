package origin

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
)

// Verdict says what an attempt at the origin means for the question "where from?".
type Verdict uint8

const (
	// Answer: the origin spoke; whatever it said is for the reader (N5, N20).
	Answer Verdict = iota + 1
	// Down: the origin cannot answer now; a copy may stand in (design section 6).
	Down
	// Refuse: somebody answered, but not provably the origin (security row 7), or
	// the node's own rules forbid to ask. No copy may stand in, because whoever
	// can cause this could otherwise choose what the reader sees.
	Refuse
)

func (v Verdict) String() string {
	switch v {
	case Answer:
		return "answer"
	case Down:
		return "down"
	case Refuse:
		return "refuse"
	}
	return "no verdict"
}

// Classify judges one attempt: err if there is one, else the status.
//
// A gateway's 502, 503 and 504 say that the server behind it is not there; every
// other status, 404, 410, 451 and 500 among them, is the origin's own word. A
// name that does not resolve counts as down: when a site dies its DNS often
// dies with it, and what a copy is worth is decided by its witnesses anyway.
func Classify(status int, err error) Verdict {
	if err == nil {
		switch status {
		case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return Down
		}
		return Answer
	}
	if errors.Is(err, ErrTLS) || errors.Is(err, ErrForbidden) {
		return Refuse
	}
	return Down
}

// reason says in a few words for people why an attempt failed.
func reason(err error) string {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.Is(err, ErrTLS):
		return "its TLS certificate or handshake is bad"
	case errors.Is(err, ErrForbidden):
		return "its address is not allowed here"
	case errors.As(err, &dns) && dns.IsNotFound:
		return "its name does not resolve"
	case errors.As(err, &dns):
		return "name lookup failed"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection reset"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "no route to it"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return "timed out"
	}
	return "no usable answer"
}

// fromNetwork reports whether an error of a TLS handshake is the connection's
// and not TLS's own: such an origin is down, not an impostor.
func fromNetwork(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) { // crypto/tls dresses alerts as OpErrors of their own
		return op.Op != "remote error" && op.Op != "local error"
	}
	var timeout net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &timeout) && timeout.Timeout()
}
