package wire

import (
	"context"
	"crypto/ed25519"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"nt/transport"
)

// packetOnly hides every method of *net.UDPConn but net.PacketConn's.
type packetOnly struct{ net.PacketConn }

func testNode(t *testing.T, n byte, accept func(*Session) bool) (*Node, netip.AddrPort) {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = n
	node, err := Listen(Config{Conn: packetOnly{c}, Key: ed25519.NewKeyFromSeed(seed), Accept: accept})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	return node, c.LocalAddr().(*net.UDPAddr).AddrPort()
}

func timeout(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestDialEchoBye(t *testing.T) {
	var from transport.PeerID
	accepted := make(chan *Session, 1)
	b, addr := testNode(t, 2, func(s *Session) bool {
		from = s.Peer()
		s.Handle(ChannelDatagram, func(p []byte) { s.Send(ChannelDatagram, append([]byte("echo "), p...)) })
		accepted <- s
		return true
	})
	a, _ := testNode(t, 1, nil)
	s, err := a.Dial(timeout(t), addr, b.ID(), Token{}, ChannelDatagram, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 1)
	s.Handle(ChannelDatagram, func(p []byte) { got <- string(p) })
	if err := s.Send(ChannelDatagram, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if g := <-got; g != "echo hello" {
		t.Errorf("got %q", g)
	}
	other := <-accepted
	if from != a.ID() || s.Peer() != b.ID() {
		t.Error("the sessions name the wrong keys")
	}
	s.Close()
	<-other.Done()
	if !errors.Is(other.Err(), ErrBye) {
		t.Errorf("the other side ended with %v", other.Err())
	}
}

func TestDialToAnotherKeyFails(t *testing.T) {
	_, addr := testNode(t, 2, func(*Session) bool { return true })
	a, _ := testNode(t, 1, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
	defer cancel()
	if _, err := a.Dial(ctx, addr, a.ID(), Token{}, ChannelDatagram, nil); err == nil {
		t.Error("a session with the wrong key opened")
	}
}

func TestF44_AnyNeighbourIntroduces(t *testing.T) {
	i, iAddr := testNode(t, 9, func(*Session) bool { return true })
	b, bAddr := testNode(t, 2, func(*Session) bool { return true })
	a, aAddr := testNode(t, 1, nil)
	if _, err := b.Dial(timeout(t), iAddr, i.ID(), Token{}, ChannelDatagram, nil); err != nil {
		t.Fatal(err)
	}
	toI, err := a.Dial(timeout(t), iAddr, i.ID(), Token{}, ChannelDatagram, nil)
	if err != nil {
		t.Fatal(err)
	}
	addr, err := toI.Introduce(timeout(t), b.ID())
	if err != nil || addr != bAddr {
		t.Fatalf("introduced to %v, %v; want %v", addr, err, bAddr)
	}
	if _, err := a.Dial(timeout(t), addr, b.ID(), Token{}, ChannelDatagram, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := toI.Introduce(timeout(t), transport.PeerID{1}); !errors.Is(err, ErrStranger) {
		t.Errorf("an unknown peer: %v", err)
	}
	if seen, err := a.Discover(timeout(t), bAddr); err != nil || seen != aAddr {
		t.Errorf("discovered %v, %v; want %v", seen, err, aAddr)
	}
}
