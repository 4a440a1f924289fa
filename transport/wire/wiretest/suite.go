// Package wiretest owns the conformance suite that every wire passes: what its
// pipes promise to whoever sends messages over them. It knows no wire.
package wiretest

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"nt/transport"
	"nt/transport/wire"
)

// Pipe is what the suite asks of one end.
type Pipe interface {
	Send(msg []byte) error
	Queued() int
	Reliable() bool
	Peer() transport.PeerID
	Addr() netip.AddrPort
	Done() <-chan struct{}
	Err() error
	Close() error
}

// Wire makes pipes to test.
type Wire struct {
	// Pair returns two connected ends; each calls its function with what it
	// hears. Everything it starts ends with both pipes and t's cleanups.
	Pair func(t *testing.T, onA, onB func([]byte)) (a, b Pipe)
	// Pump delivers what is under way, for wires that do not do so by themselves.
	Pump func()
	// MaxMessage is the longest message.
	MaxMessage int
	// Ignore names goroutines that belong to a library and outlive the pipes.
	Ignore []goleak.Option
}

const patience = 20 * time.Second

// Run runs the suite.
func Run(t *testing.T, w Wire) {
	t.Helper()
	if w.Pump == nil {
		w.Pump = func() {}
	}
	for _, c := range []struct {
		name string
		run  func(*testing.T, Wire)
	}{
		{"sizes and order", testSizes}, {"both ways", testBothWays}, {"too long", testTooLong}, {"names", testNames},
		{"close", testClose}, {"a full queue is an error", testFull}, {"close during traffic", testCloseBusy},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Cleanups run in reverse order: after those of Pair.
			ignore := append([]goleak.Option{goleak.IgnoreCurrent()}, w.Ignore...)
			t.Cleanup(func() { goleak.VerifyNone(t, ignore...) })
			c.run(t, w)
		})
	}
}

// inbox collects what an end hears.
type inbox chan []byte

func newInbox() inbox { return make(inbox, 1<<16) }

func (b inbox) hear(m []byte) { b <- bytes.Clone(m) }

// next waits for a message.
func (b inbox) next(t *testing.T, w Wire) []byte {
	t.Helper()
	limit := time.After(patience)
	for {
		w.Pump()
		select {
		case m := <-b:
			return m
		case <-limit:
			t.Fatal("no message arrives")
		case <-time.After(10 * time.Millisecond): // pump again
		}
	}
}

func ended(t *testing.T, w Wire, p Pipe) {
	t.Helper()
	limit := time.After(patience)
	for {
		w.Pump()
		select {
		case <-p.Done():
			return
		case <-limit:
			t.Fatal("the pipe does not end")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func message(rng *rand.Rand, n int) []byte {
	m := make([]byte, n)
	for i := range m {
		m[i] = byte(rng.Uint32())
	}
	return m
}

// testSizes sends one message at a time, so that an unreliable wire without loss passes too.
func testSizes(t *testing.T, w Wire) {
	got := newInbox()
	a, _ := w.Pair(t, func([]byte) {}, got.hear)
	rng := rand.New(rand.NewPCG(1, 2))
	sizes := []int{0, 1, 17, 1000, wire.MaxPacket - 1, wire.MaxPacket}
	if a.Reliable() {
		sizes = append(sizes, wire.MaxPacket+1, 3000, 0, w.MaxMessage, 5)
	}
	var want [][]byte
	for _, n := range sizes {
		m := message(rng, n)
		want = append(want, m)
		if err := a.Send(bytes.Clone(m)); err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if !a.Reliable() {
			if g := got.next(t, w); !bytes.Equal(g, m) {
				t.Fatalf("%d bytes came for %d", len(g), n)
			}
		}
	}
	for i := 0; a.Reliable() && i < len(want); i++ {
		if g := got.next(t, w); !bytes.Equal(g, want[i]) {
			t.Fatalf("message %d: %d bytes came for %d", i, len(g), len(want[i]))
		}
	}
}

func testBothWays(t *testing.T, w Wire) {
	gotA, gotB := newInbox(), newInbox()
	a, b := w.Pair(t, gotA.hear, gotB.hear)
	for i := range 100 {
		if err := errors.Join(a.Send([]byte{byte(i)}), b.Send([]byte{byte(i), 1})); err != nil {
			t.Fatal(err)
		}
		if g := gotB.next(t, w); !bytes.Equal(g, []byte{byte(i)}) {
			t.Fatalf("b heard %x in round %d", g, i)
		}
		if g := gotA.next(t, w); !bytes.Equal(g, []byte{byte(i), 1}) {
			t.Fatalf("a heard %x in round %d", g, i)
		}
	}
}

func testTooLong(t *testing.T, w Wire) {
	a, _ := w.Pair(t, func([]byte) {}, func([]byte) {})
	if err := a.Send(make([]byte, w.MaxMessage+1)); !errors.Is(err, wire.ErrTooLong) {
		t.Errorf("a message over the limit: %v", err)
	}
}

func testNames(t *testing.T, w Wire) {
	a, b := w.Pair(t, func([]byte) {}, func([]byte) {})
	if a.Peer() == b.Peer() || a.Peer().IsZero() || b.Peer().IsZero() {
		t.Errorf("the ends name %v and %v", a.Peer(), b.Peer())
	}
	if a.Addr() == b.Addr() || !a.Addr().IsValid() || !b.Addr().IsValid() {
		t.Errorf("the ends are at %v and %v", a.Addr(), b.Addr())
	}
	if a.Err() != nil || b.Err() != nil || a.Queued() != 0 {
		t.Errorf("fresh pipes: %v, %v, %d queued", a.Err(), b.Err(), a.Queued())
	}
}

func testClose(t *testing.T, w Wire) {
	got := newInbox()
	a, b := w.Pair(t, func([]byte) {}, got.hear)
	if err := a.Send([]byte("last")); err != nil {
		t.Fatal(err)
	}
	got.next(t, w)
	a.Close()
	ended(t, w, b)
	if !errors.Is(b.Err(), wire.ErrBye) || !errors.Is(a.Err(), wire.ErrClosed) {
		t.Errorf("the ends ended with %v and %v", a.Err(), b.Err())
	}
	for _, p := range []Pipe{a, b} {
		if p.Send([]byte("x")) == nil {
			t.Error("a closed pipe takes a message")
		}
		if err := p.Close(); err != nil {
			t.Errorf("closing again: %v", err)
		}
	}
}

// testFull floods an end whose peer does not read. An unreliable wire may lose.
func testFull(t *testing.T, w Wire) {
	stop := make(chan struct{})
	blocked := func([]byte) { <-stop }
	if w.MaxMessage <= wire.MaxPacket { // its handler is on the node's reading goroutine
		blocked = func([]byte) {}
	}
	a, b := w.Pair(t, func([]byte) {}, blocked)
	defer func() { close(stop); a.Close(); b.Close() }()
	full := make(chan error, 1)
	go func() {
		for range 2000 {
			if err := a.Send(make([]byte, wire.MaxPacket)); err != nil {
				full <- err
				return
			}
			runtime.Gosched()
		}
		full <- nil
	}()
	select {
	case err := <-full:
		if a.Reliable() && (err == nil || a.Err() != nil) {
			t.Errorf("2.7 MB to a peer that does not read: %v, and the pipe: %v", err, a.Err())
		}
		if a.Reliable() && a.Queued() == 0 {
			t.Error("nothing is queued after ErrFull")
		}
	case <-time.After(patience):
		t.Error("Send blocks")
	}
}

// testCloseBusy closes both ends while both send.
func testCloseBusy(t *testing.T, w Wire) {
	a, b := w.Pair(t, func([]byte) {}, func([]byte) {})
	done := make(chan struct{}, 2)
	for _, p := range []Pipe{a, b} {
		go func() {
			for p.Err() == nil {
				p.Send(make([]byte, 1000))
				runtime.Gosched()
			}
			done <- struct{}{}
		}()
	}
	a.Close()
	ended(t, w, b)
	<-done
	<-done
	b.Close()
}
