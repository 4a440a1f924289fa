package modes

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"syscall"

	"nt/chunker"
)

// Exit is a process exit code: part of the contract with scripts.
type Exit int

// The exit codes. 0 to 8 are those of wget.
const (
	ExitOK        Exit = 0
	ExitOther     Exit = 1
	ExitUsage     Exit = 2   // wrong flag, argument, URL or configuration
	ExitFile      Exit = 3   // a file or the standard output could not be read or written
	ExitNetwork   Exit = 4   // no connection, or it broke
	ExitTLS       Exit = 5   // the origin's certificate does not hold
	ExitAuth      Exit = 6   // the server wants credentials (401, 407)
	ExitProtocol  Exit = 7   // the server does not speak HTTP as it should
	ExitServer    Exit = 8   // the server answered with an error (HTTP 4xx, 5xx)
	ExitIntegrity Exit = 9   // the bytes are not those that were asked for
	ExitDeadline  Exit = 10  // --max-time ran out
	ExitNoSource  Exit = 11  // the origin is down and nobody else has it
	ExitPartial   Exit = 12  // cut short, but what came is kept for -C -
	ExitTrust     Exit = 13  // copies exist, none is trusted enough
	ExitInt       Exit = 130 // SIGINT
	ExitTerm      Exit = 143 // SIGTERM
)

// fault is an error whose exit code and hint are known where it happens.
type fault struct {
	exit Exit
	err  error
	hint string // what the user can do about it, "" if nothing is known
}

// Error returns the message without the hint.
func (f *fault) Error() string { return f.err.Error() }

// Unwrap returns the cause.
func (f *fault) Unwrap() error { return f.err }

// signalError is the cause of a context that a signal ended.
type signalError struct{ sig os.Signal }

// Error names the signal.
func (e signalError) Error() string { return "stopped by signal: " + e.sig.String() }

// exitOf maps an error to its exit code. What a fault says goes first; the rest
// is known by its kind. It depends on nothing but err.
func exitOf(err error) Exit {
	var f *fault
	var s signalError
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &s):
		if s.sig == syscall.SIGTERM {
			return ExitTerm
		}
		return ExitInt
	case errors.As(err, &f):
		return f.exit
	}
	return exitOfKind(err)
}

// exitOfKind maps errors of the standard library and the core.
func exitOfKind(err error) Exit {
	var (
		pathErr *fs.PathError
		linkErr *os.LinkError
		opErr   *net.OpError
		netErr  net.Error
		dnsErr  *net.DNSError
		proto   *http.ProtocolError
	)
	switch {
	case isTLS(err):
		return ExitTLS
	case errors.Is(err, chunker.ErrBadChunk), errors.Is(err, chunker.ErrBadHeader), errors.Is(err, chunker.ErrBadProof):
		return ExitIntegrity
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, io.ErrShortWrite):
		return ExitFile
	case errors.As(err, &opErr), errors.As(err, &dnsErr):
		return ExitNetwork
	case errors.Is(err, context.DeadlineExceeded):
		return ExitDeadline
	case errors.Is(err, context.Canceled):
		return ExitOther
	case errors.As(err, &proto):
		return ExitProtocol
	case errors.As(err, &pathErr), errors.As(err, &linkErr):
		return ExitFile
	case errors.As(err, &netErr), errors.Is(err, io.ErrUnexpectedEOF):
		return ExitNetwork
	}
	return ExitOther
}

// isTLS reports whether err says that the other side could not prove who it is.
func isTLS(err error) bool {
	var (
		verify  *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		alert   tls.AlertError
		host    x509.HostnameError
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
	)
	return errors.As(err, &verify) || errors.As(err, &record) || errors.As(err, &alert) ||
		errors.As(err, &host) || errors.As(err, &unknown) || errors.As(err, &invalid)
}

// hintOf returns what the user can do about err, "" if nothing is known.
func hintOf(err error) string {
	var f *fault
	if errors.As(err, &f) {
		return f.hint
	}
	return ""
}
