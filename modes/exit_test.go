package modes

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"nt/chunker"
)

func TestExitCodeOfEachKindOfError(t *testing.T) {
	_, missing := os.Open("/nonexistent/file")
	tests := []struct {
		name string
		err  error
		want Exit
	}{
		{"none", nil, ExitOK},
		{"unknown", errors.New("x"), ExitOther},
		{"a fault knows", &fault{ExitTrust, errors.New("x"), ""}, ExitTrust},
		{"a wrapped fault", fmt.Errorf("doing: %w", &fault{ExitNoSource, errors.New("x"), ""}), ExitNoSource},
		{"already told", silent{&fault{ExitServer, errors.New("x"), ""}}, ExitServer},
		{"missing file", missing, ExitFile},
		{"full disk", fmt.Errorf("writing: %w", syscall.ENOSPC), ExitFile},
		{"short write", io.ErrShortWrite, ExitFile},
		{"permission", &fs.PathError{Op: "open", Path: "x", Err: fs.ErrPermission}, ExitFile},
		{"refused", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, ExitNetwork},
		{"no such host", &net.DNSError{Err: "no such host", Name: "x"}, ExitNetwork},
		{"cut body", fmt.Errorf("reading: %w", io.ErrUnexpectedEOF), ExitNetwork},
		{"unknown authority", x509.UnknownAuthorityError{}, ExitTLS},
		{"wrong host", x509.HostnameError{Certificate: &x509.Certificate{}, Host: "x"}, ExitTLS},
		{"bad chunk", fmt.Errorf("chunk 3: %w", chunker.ErrBadChunk), ExitIntegrity},
		{"deadline", context.DeadlineExceeded, ExitDeadline},
		{"interrupt", signalError{os.Interrupt}, ExitInt},
		{"terminate", fmt.Errorf("stopped: %w", signalError{syscall.SIGTERM}), ExitTerm},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := exitOf(tt.err); got != tt.want {
				t.Errorf("exitOf(%v) = %d, want %d", tt.err, got, tt.want)
			}
		})
	}
}

func TestRow44_ReportsAreOneLineWithoutTerminalEscapes(t *testing.T) {
	for _, foreign := range []string{"\x1b[31mred", "a\nnt: error: forged", "\xff\xfe", "\u202egnp.exe", "\x9b2J"} {
		var b strings.Builder
		report(&b, &fault{ExitOther, errors.New("peer says " + foreign), "ask " + foreign})
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		if len(lines) != 2 || !strings.HasPrefix(lines[0], "nt: error: ") || !strings.HasPrefix(lines[1], "nt: hint: ") {
			t.Errorf("%q: got %q, want one error and one hint line", foreign, b.String())
		}
		if strings.ContainsAny(b.String(), "\x1b\u202e\u009b") || strings.ContainsRune(b.String(), '\uFFFD') {
			t.Errorf("%q reached the terminal as %q", foreign, b.String())
		}
	}
}

func TestPrintableKeepsWhatPeopleRead(t *testing.T) {
	for _, s := range []string{"", "plain", "Grüße, 世界 \"quoted\""} {
		if got := printable(s); got != s {
			t.Errorf("printable(%q) = %q", s, got)
		}
	}
}
