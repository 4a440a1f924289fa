package udp_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"nt/tracker/udp"
)

// echo answers with the sender's address and what came.
type echo struct{}

func (echo) Answer(_ time.Time, from netip.AddrPort, in, out []byte) []byte {
	return fmt.Appendf(out, "%v %s", from, in)
}

func open(t *testing.T, network, addr string) (*udp.Socket, net.Conn) {
	t.Helper()
	pc, err := net.ListenPacket(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	s := udp.New(pc.(*net.UDPConn))
	done := make(chan error, 1)
	go func() { done <- s.Serve(echo{}) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	c, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", s.Addr().Port()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	return s, c
}

func TestEveryQuestionIsAnswered(t *testing.T) {
	for _, network := range []string{"udp4", "udp"} { // the second sees IPv4 mapped into IPv6
		addr := "127.0.0.1:0"
		if network == "udp" {
			addr = ":0"
		}
		_, c := open(t, network, addr)
		const many = 200
		for i := range many {
			fmt.Fprintf(c, "%d", i)
		}
		seen := map[string]bool{}
		buf := make([]byte, 2000)
		for range many {
			n, err := c.Read(buf)
			if err != nil {
				t.Fatalf("%s: after %d answers: %v", network, len(seen), err)
			}
			seen[string(buf[:n])] = true
		}
		for i := range many {
			if want := fmt.Sprintf("%v %d", c.LocalAddr(), i); !seen[want] {
				t.Errorf("%s: no %q", network, want)
			}
		}
	}
}

func TestWireDatagramsGoToTheWire(t *testing.T) {
	s, c := open(t, "udp4", "127.0.0.1:0")
	w := s.Wire()
	buf := make([]byte, 2000)
	for b := 0; b < 256; b++ {
		c.Write([]byte{byte(b), 'x'})
		wire := b >= 0xC0 && b <= 0xCF
		if wire {
			n, from, err := w.ReadFrom(buf)
			if err != nil || n != 2 || buf[0] != byte(b) || from.String() != c.LocalAddr().String() {
				t.Fatalf("%#x: %x from %v, %v", b, buf[:n], from, err)
			}
			if _, err := w.WriteTo([]byte("wire"), from); err != nil {
				t.Fatal(err)
			}
		}
		n, err := c.Read(buf)
		if err != nil || wire != (string(buf[:n]) == "wire") {
			t.Fatalf("%#x is answered with %q, %v", b, buf[:n], err)
		}
	}
	w.SetReadDeadline(time.Now())
	if _, _, err := w.ReadFrom(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
	w.Close()
	if _, _, err := w.ReadFrom(buf); !errors.Is(err, net.ErrClosed) && !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after Close: %v", err)
	}
	fmt.Fprint(c, "still there?")
	if _, err := c.Read(buf); err != nil {
		t.Errorf("closing the wire's view closed the socket: %v", err)
	}
}

// Whoever floods the wire while nobody reads it costs neither memory nor the other protocol.
func TestAWireThatNobodyReadsIsDropped(t *testing.T) {
	_, c := open(t, "udp4", "127.0.0.1:0")
	buf := make([]byte, 2000)
	for range 40 {
		for range 64 {
			c.Write([]byte{0xC1, 1, 2, 3})
		}
		fmt.Fprint(c, "hello")
		if _, err := c.Read(buf); err != nil {
			t.Fatal(err)
		}
	}
}
