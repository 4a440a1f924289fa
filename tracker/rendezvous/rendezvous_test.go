package rendezvous

import (
	"context"
	"crypto/ed25519"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"nt/transport"
	"nt/transport/wire"
	"nt/transport/wire/wiretest"
)

func key(n byte) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = n
	return ed25519.NewKeyFromSeed(seed)
}

func addrOf(a net.Addr) netip.AddrPort { return a.(*net.UDPAddr).AddrPort() }

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func await(t *testing.T, done func() bool) {
	t.Helper()
	for ctx := within(t); !done(); {
		select {
		case <-ctx.Done():
			t.Fatal("it does not happen")
		case <-time.After(5 * time.Millisecond): // look again
		}
	}
}

// startServer starts a server on loopback and returns its address as well.
func startServer(t *testing.T) (*Server, netip.AddrPort) {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Conn: c, Key: key(9)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, addrOf(c.LocalAddr())
}

func TestF43_EndpointAndIntroduction(t *testing.T) {
	s, at := startServer(t)
	a := wiretest.Node(t, 1, wire.Config{})
	b := wiretest.Node(t, 2, wire.Config{Accept: func(*wire.Session) bool { return true }})
	toB, err := b.Dial(within(t), at, s.Key(), wire.Token{}, wire.ChannelDatagram, nil)
	if err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { _, ok := s.Endpoint(b.ID()); return ok })
	if got, _ := s.Endpoint(b.ID()); got != addrOf(b.LocalAddr()) {
		t.Errorf("b is at %v, want %v", got, b.LocalAddr())
	}
	if _, ok := s.Endpoint(a.ID()); ok {
		t.Error("a peer without a session has an endpoint")
	}
	toServer, err := a.Dial(within(t), at, s.Key(), wire.Token{}, wire.ChannelDatagram, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Connect(within(t), transport.Peer{ID: b.ID()}, wire.Token{}, wire.ChannelDatagram, nil, toServer); err != nil {
		t.Fatal(err)
	}
	toB.Close()
	await(t, func() bool { _, ok := s.Endpoint(b.ID()); return !ok })
}

// after is who the server would name to somebody at the address but.
func after(s *Server, topic [32]byte, k int, but netip.AddrPort) []transport.PeerID {
	return s.After(topic, k, but, rand.New(rand.NewPCG(1, 2)))
}

// TestWhoSaysThatItIsAfterATopicIsNamedForIt, until it says that it has enough or its session ends.
func TestWhoSaysThatItIsAfterATopicIsNamedForIt(t *testing.T) {
	s, at := startServer(t)
	one, two, nobody := [32]byte{1}, [32]byte{2}, netip.MustParseAddrPort("192.0.2.1:1")
	var nodes [3]*wire.Node
	var sessions [3]*wire.Session
	var err error
	for i := range nodes {
		nodes[i] = wiretest.Node(t, byte(i+1), wire.Config{})
		if sessions[i], err = nodes[i].Dial(within(t), at, s.Key(), wire.Token{}, wire.ChannelDatagram, nil); err != nil {
			t.Fatal(err)
		}
	}
	a, b := nodes[0], nodes[1]
	for _, i := range []int{0, 1} {
		if err := sessions[i].After(one, true); err != nil {
			t.Fatal(err)
		}
	}
	sessions[2].After(two, true)
	await(t, func() bool { return len(after(s, one, 8, nobody)) == 2 && len(after(s, two, 8, nobody)) == 1 })
	if got := after(s, one, 1, nobody); len(got) != 1 {
		t.Errorf("%d are named, want 1", len(got))
	}
	if got := after(s, two, 8, nobody); !slices.Equal(got, []transport.PeerID{nodes[2].ID()}) {
		t.Errorf("%v are named for the other topic", got)
	}
	if got := after(s, one, 8, addrOf(a.LocalAddr())); !slices.Equal(got, []transport.PeerID{b.ID()}) {
		t.Errorf("%v are named to a, want b alone", got)
	}
	sessions[0].After(one, false)
	await(t, func() bool { return slices.Equal(after(s, one, 8, nobody), []transport.PeerID{b.ID()}) })
	sessions[1].Close()
	await(t, func() bool { return len(after(s, one, 8, nobody)) == 0 })
	if got := after(s, two, 8, nobody); len(got) != 1 {
		t.Error("who left takes another with it")
	}
}

// TestAnAddressIsNamedOnce: one host with many keys is not all that a newcomer hears of.
func TestAnAddressIsNamedOnce(t *testing.T) {
	ours, theirs := hoses()
	s, err := New(Config{Conn: ours, Key: key(9)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	topic := [32]byte{1}
	for n := range byte(2) {
		socket := &hose{in: theirs.in, out: theirs.out, self: theirs.self, other: theirs.other, closed: make(chan struct{}), cut: make(chan struct{})}
		node, err := wire.Listen(wire.Config{Conn: socket, Key: key(n + 1)})
		if err != nil {
			t.Fatal(err)
		}
		session, err := node.Dial(within(t), addrOf(ours.self), s.Key(), wire.Token{}, wire.ChannelDatagram, nil)
		if err != nil {
			t.Fatal(err)
		}
		session.After(topic, true)
		await(t, func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.after.Len() == int(n)+1 })
		close(socket.cut) // the session stays, since nobody says goodbye
		node.Close()
	}
	if got := after(s, topic, 8, netip.AddrPort{}); len(got) != 1 || s.Stats().Sessions != 2 {
		t.Errorf("%d are named, of %d sessions", len(got), s.Stats().Sessions)
	}
}

// hose is one end of a wire in memory; the other end's datagrams come from addr.
type hose struct {
	in, out chan []byte
	self    *net.UDPAddr
	other   *net.UDPAddr
	closed  chan struct{}
	once    sync.Once
	cut     chan struct{} // closed: what is written is lost
}

func hoses() (a, b *hose) {
	x, y, cut := make(chan []byte, 4096), make(chan []byte, 4096), make(chan struct{})
	p, q := &net.UDPAddr{IP: net.IPv4(203, 0, 113, 1), Port: 1}, &net.UDPAddr{IP: net.IPv4(203, 0, 113, 2), Port: 2}
	return &hose{in: x, out: y, self: p, other: q, closed: make(chan struct{}), cut: cut},
		&hose{in: y, out: x, self: q, other: p, closed: make(chan struct{}), cut: cut}
}

func (h *hose) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case p := <-h.in:
		return copy(b, p), h.other, nil
	case <-h.closed:
		return 0, nil, net.ErrClosed
	}
}

func (h *hose) WriteTo(b []byte, _ net.Addr) (int, error) {
	select {
	case <-h.cut:
		return len(b), nil
	default:
	}
	select {
	case h.out <- append([]byte(nil), b...):
	default:
	}
	return len(b), nil
}

func (h *hose) Close() error                     { h.once.Do(func() { close(h.closed) }); return nil }
func (h *hose) LocalAddr() net.Addr              { return h.self }
func (h *hose) SetDeadline(time.Time) error      { return nil }
func (h *hose) SetReadDeadline(time.Time) error  { return nil }
func (h *hose) SetWriteDeadline(time.Time) error { return nil }

// holding opens n sessions and returns the server that holds them and how many
// bytes each takes; nothing of the diallers is left.
func holding(t testing.TB, n int) (*Server, float64) {
	t.Helper()
	a, b := hoses()
	s, err := New(Config{Conn: a, Key: key(9), MaxPerGroup: n})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	before := heap()
	func() {
		dialler, err := wire.Listen(wire.Config{Conn: b, Key: key(1), MaxSessions: n})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		slots := make(chan struct{}, 32)
		for range n {
			wg.Add(1)
			slots <- struct{}{}
			go func() {
				defer func() { <-slots; wg.Done() }()
				if _, err := dialler.Dial(within(t), addrOf(a.self), s.Key(), wire.Token{}, wire.ChannelDatagram, nil); err != nil && !errors.Is(err, wire.ErrTooMany) {
					t.Error(err)
				}
			}()
		}
		wg.Wait()
		close(b.cut)
		dialler.Close()
	}()
	if got := s.Stats().Sessions; got < n*99/100 {
		t.Fatalf("%d sessions, want %d", got, n)
	}
	return s, float64(heap()-before) / float64(s.Stats().Sessions)
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestSessionsAreLight(t *testing.T) {
	s, each := holding(t, 500)
	if each > 6<<10 {
		t.Errorf("a session takes %.0f bytes", each)
	}
	runtime.KeepAlive(s)
}

// BenchmarkMemory measures the heap that 10,000 sessions take, each.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		_, each := holding(b, 10_000)
		b.ReportMetric(each, "B/session")
	}
}
