package kcp

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"nt/transport/wire"
)

type packetOnly struct{ net.PacketConn }

func node(t testing.TB, n byte, accept func(*wire.Session) bool) *wire.Node {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = n
	nd, err := wire.Listen(wire.Config{Conn: packetOnly{c}, Key: ed25519.NewKeyFromSeed(seed), Accept: accept})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nd.Close() })
	return nd
}

// pair returns the two ends of a pipe; got receives what b hears.
func pair(t testing.TB, got func([]byte)) (a *Pipe, b *Pipe) {
	t.Helper()
	accepted := make(chan *Pipe, 1)
	server := node(t, 2, func(s *wire.Session) bool {
		p, err := New(s, Config{}, got)
		if err == nil {
			accepted <- p
		}
		return err == nil
	})
	client := node(t, 1, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	s, err := client.Dial(ctx, server.LocalAddr().(*net.UDPAddr).AddrPort(), server.ID(), wire.Token{}, wire.ChannelKCP, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err = New(s, Config{}, func([]byte) {})
	if err != nil {
		t.Fatal(err)
	}
	return a, <-accepted
}

func TestMessagesOfAnySizeArriveInOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var want [][]byte
	for _, n := range []int{0, 1, wire.MaxPacket, wire.MaxPacket + 1, 3000, 0, MaxMessage, 17} {
		m := make([]byte, n)
		for i := range m {
			m[i] = byte(rng.Uint32())
		}
		want = append(want, m)
	}
	got := make(chan []byte, len(want))
	a, _ := pair(t, func(m []byte) { got <- append([]byte(nil), m...) })
	for _, m := range want {
		if err := a.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	for i, m := range want {
		if g := <-got; !bytes.Equal(g, m) {
			t.Fatalf("message %d: %d bytes, want %d", i, len(g), len(m))
		}
	}
	if err := a.Send(make([]byte, MaxMessage+1)); err == nil {
		t.Error("a message over the limit was taken")
	}
}

func TestCloseEndsTheOtherSide(t *testing.T) {
	a, b := pair(t, func([]byte) {})
	a.Close()
	<-b.Session().Done()
	if err := b.Send([]byte("x")); !errors.Is(err, wire.ErrBye) {
		t.Errorf("sending after goodbye: %v", err)
	}
	b.Close()
}

func BenchmarkThroughput(b *testing.B) {
	const size = 16 << 10
	sum := sha256.New()
	left := make(chan int, 64)
	a, _ := pair(b, func(m []byte) { sum.Write(m); left <- len(m) })
	msg := make([]byte, size)
	b.SetBytes(size)
	sent, heard := 0, 0
	for b.Loop() {
		for a.Send(msg) != nil {
			heard += <-left
		}
		sent += size
		for done := false; !done; {
			select {
			case n := <-left:
				heard += n
			default:
				done = true
			}
		}
	}
	for heard < sent {
		heard += <-left
	}
}
