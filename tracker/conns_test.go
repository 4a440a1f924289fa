package tracker_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"nt/tracker"
)

// askHealth opens a connection from the address and asks once on it.
func askHealth(t *testing.T, from, to string) (c net.Conn, answer string, err error) {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 10 * time.Second}
	if c, err = d.Dial("tcp", to); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(c, "GET /healthz HTTP/1.1\r\nHost: tracker\r\n\r\n")
	buf := make([]byte, 4096)
	n, err := c.Read(buf)
	return c, string(buf[:n]), err
}

func TestRow42_ConnectionsAreSharedOut(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := tracker.NewServer(newAPI(t, tracker.APIConfig{}), 256)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	defer func() {
		s.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	for i := range 32 { // an eighth of 256
		if _, answer, err := askHealth(t, "127.0.0.2", l.Addr().String()); err != nil || !strings.HasPrefix(answer, "HTTP/1.1 200") || strings.Contains(answer, "Connection: close") {
			t.Fatalf("connection %d: %q, %v", i, answer, err)
		}
	}
	if _, answer, err := askHealth(t, "127.0.0.2", l.Addr().String()); err == nil {
		t.Errorf("one too many is answered: %q", answer)
	}
	crowded := false
	for i := range 140 {
		c, answer, err := askHealth(t, fmt.Sprintf("127.0.1.%d", 1+i), l.Addr().String())
		if err != nil || !strings.HasPrefix(answer, "HTTP/1.1 200") {
			t.Fatalf("source %d: %q, %v", i, answer, err)
		}
		if strings.Contains(answer, "Connection: close") {
			crowded = true
			if rest, err := io.ReadAll(c); err != nil || len(rest) > 0 {
				t.Errorf("the connection stays open: %q, %v", rest, err)
			}
		}
	}
	if !crowded {
		t.Error("idle connections are kept however many there are")
	}
}
