package sniff

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const torrentPrefix = "\x13BitTorrent protocol"

func split(t *testing.T, opts Options) *Splitter {
	ignore := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, ignore) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(l, opts)
	t.Cleanup(func() { s.Close() })
	return s
}

func dial(t *testing.T, s *Splitter, first string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.Rest().Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, first); err != nil {
		t.Fatal(err)
	}
	return c
}

// accept keeps accepting and says how each connection begins.
func accept(l net.Listener, n int) <-chan string {
	out := make(chan string, 16)
	go func() {
		defer close(out)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b := make([]byte, n)
			io.ReadFull(c, b)
			out <- string(b)
			c.Close()
		}
	}()
	return out
}

func TestEveryByteArrivesAtItsListener(t *testing.T) {
	s := split(t, Options{Wait: time.Minute, Pending: 8})
	a, b := accept(s.Prefix([]byte(torrentPrefix)), 24), accept(s.Prefix([]byte("\x13Bother")), 8)
	rest := accept(s.Rest(), 6)
	for _, c := range []struct {
		sent string
		from <-chan string
		want string
	}{
		{torrentPrefix + "more", a, torrentPrefix + "more"},
		{"\x13Bother!", b, "\x13Bother!"},
		{"GET / HTTP/1.1", rest, "GET / "},
		{"\x13Bis nothing", rest, "\x13Bis n"},
		{"\x14BitTorrent protocol", rest, "\x14BitTo"},
	} {
		dial(t, s, c.sent)
		if got := <-c.from; got != c.want {
			t.Errorf("of %q came %q", c.sent, got)
		}
	}
}

// TestBytesOneByOne: a prefix that comes in crumbs is still one.
func TestBytesOneByOne(t *testing.T) {
	s := split(t, Options{Wait: time.Minute, Pending: 8})
	a := accept(s.Prefix([]byte(torrentPrefix)), len(torrentPrefix))
	accept(s.Rest(), 1)
	c := dial(t, s, "")
	for i := range torrentPrefix {
		if _, err := io.WriteString(c, torrentPrefix[i:i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if got := <-a; got != torrentPrefix {
		t.Errorf("came %q", got)
	}
}

// TestRow42_SilentClient: who says nothing is cut off in time.
func TestRow42_SilentClient(t *testing.T) {
	s := split(t, Options{Wait: 20 * time.Millisecond, Pending: 8})
	accept(s.Prefix([]byte(torrentPrefix)), 1)
	accept(s.Rest(), 1)
	for _, first := range []string{"", torrentPrefix[:5]} {
		if _, err := dial(t, s, first).Read(make([]byte, 1)); err != io.EOF && !isReset(err) {
			t.Errorf("after %q: %v", first, err)
		}
	}
}

func isReset(err error) bool { return err != nil && strings.Contains(err.Error(), "reset") }

// TestRow42_ManySilentClients: silent clients cost each other their places, and
// nobody else's.
func TestRow42_ManySilentClients(t *testing.T) {
	s := split(t, Options{Wait: time.Hour, Pending: 4})
	rest := accept(s.Rest(), 3)
	s.Prefix([]byte(torrentPrefix))
	silent := make([]net.Conn, 12)
	for i := range silent {
		silent[i] = dial(t, s, torrentPrefix[:1])
	}
	dial(t, s, "GET")
	if got := <-rest; got != "GET" {
		t.Fatalf("came %q", got)
	}
	for _, c := range silent[:8] {
		if _, err := c.Read(make([]byte, 1)); err != io.EOF && !isReset(err) {
			t.Errorf("an old silent client: %v", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.pending); n > 4 {
		t.Errorf("%d connections are undecided, at most 4 may be", n)
	}
}

// TestNobodyAccepts: a connection that nobody takes is closed, the others go on.
func TestNobodyAccepts(t *testing.T) {
	s := split(t, Options{Wait: 20 * time.Millisecond, Pending: 8})
	idle := s.Prefix([]byte(torrentPrefix))
	rest := accept(s.Rest(), 3)
	for range 2 {
		if _, err := dial(t, s, torrentPrefix).Read(make([]byte, 1)); err != io.EOF && !isReset(err) {
			t.Errorf("not closed: %v", err)
		}
		dial(t, s, "GET")
		if got := <-rest; got != "GET" {
			t.Fatalf("came %q", got)
		}
		idle.Close()
	}
}

func TestClose(t *testing.T) {
	s := split(t, Options{Wait: time.Hour, Pending: 8})
	a, rest := accept(s.Prefix([]byte(torrentPrefix)), 1), accept(s.Rest(), 1)
	silent := dial(t, s, "")
	dial(t, s, "x")
	<-rest
	s.Rest().Close()
	if _, ok := <-a; ok {
		t.Error("a prefix accepts after Close")
	}
	if _, ok := <-rest; ok {
		t.Error("the rest accepts after Close")
	}
	if _, err := silent.Read(make([]byte, 1)); err == nil {
		t.Error("an undecided connection outlives Close")
	}
	if _, err := s.Rest().Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v", err)
	}
}

type failing struct{ net.Listener }

func (failing) Accept() (net.Conn, error) { return nil, errors.New("too many open files") }

// TestErrorsOfTheListener reach the server, which knows how to wait.
func TestErrorsOfTheListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(failing{l}, Options{Wait: time.Second, Pending: 1})
	defer s.Close()
	for range 2 {
		if _, err := s.Rest().Accept(); err == nil || err.Error() != "too many open files" {
			t.Fatalf("Accept: %v", err)
		}
	}
}

func TestPrefixesThatCannotDecide(t *testing.T) {
	for _, p := range []string{"", "ab", "abc", "abcd"} {
		t.Run(fmt.Sprintf("%q", p), func(t *testing.T) {
			s := split(t, Options{Wait: time.Second, Pending: 1})
			s.Prefix([]byte("abc"))
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			s.Prefix([]byte(p))
		})
	}
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	w.Write(body)
}

// TestServesHTTP: a server behind a Splitter works with keep-alive and Shutdown.
func TestServesHTTP(t *testing.T) {
	s := split(t, Options{Wait: time.Second, Pending: 8})
	s.Prefix([]byte(torrentPrefix))
	srv := &http.Server{Handler: http.HandlerFunc(echo)}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(s.Rest()) }()
	client := &http.Client{Transport: &http.Transport{}}
	for range 3 {
		body := strings.Repeat("x", 100_000)
		resp, err := client.Post("http://"+s.Rest().Addr().String(), "text/plain", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(resp.Body); err != nil || string(got) != body {
			t.Fatalf("%d bytes came back, %v", len(got), err)
		}
		resp.Body.Close()
	}
	client.CloseIdleConnections()
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != http.ErrServerClosed {
		t.Errorf("Serve: %v", err)
	}
}
