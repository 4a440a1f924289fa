package wire

import (
	"crypto/ed25519"
	"net"
	"runtime"
	"testing"
	"time"
)

// sink is a socket that forgets what is written and never reads.
type sink struct{ tap }

func (c *sink) WriteTo(b []byte, _ net.Addr) (int, error) { return len(b), nil }

func benchNode(b *testing.B, seed byte) *Node {
	b.Helper()
	key := make([]byte, ed25519.SeedSize)
	key[0] = seed
	n, err := Listen(Config{Conn: &sink{tap{closed: make(chan struct{})}}, Key: ed25519.NewKeyFromSeed(key),
		Accept: func(*Session) bool { return true }, MaxSessions: 1 << 16, MaxPerGroup: 1 << 16})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { n.Close() })
	return n
}

// shake opens a session between two nodes without a network: the server's half and the dialler's.
func shake(b *testing.B, server, dialler *Node) (accepted, dialled *Session) {
	b.Helper()
	s, err := dialler.newDial(source, server.id, server.gate.token(source, time.Now()), ChannelDatagram, nil)
	if err != nil {
		b.Fatal(err)
	}
	server.receive(append([]byte(nil), s.dial.datagram...), source)
	accepted = server.lookup(sessionKey{source, s.key.conv})
	dialler.receive(append([]byte(nil), accepted.reply...), source)
	select {
	case <-s.established:
	default:
		b.Fatal("the session did not open")
	}
	return accepted, s
}

// BenchmarkHandshake is both sides' work for one session, without the network.
func BenchmarkHandshake(b *testing.B) {
	server, dialler := benchNode(b, 1), benchNode(b, 2)
	b.ReportAllocs()
	for b.Loop() {
		accepted, dialled := shake(b, server, dialler)
		accepted.end(ErrClosed)
		dialled.end(ErrClosed)
	}
}

// BenchmarkSealOpen is what link privacy costs for a packet of 1,200 bytes.
func BenchmarkSealOpen(b *testing.B) {
	server, dialler := benchNode(b, 1), benchNode(b, 2)
	accepted, dialled := shake(b, server, dialler)
	packet := make([]byte, 1200)
	buf := make([]byte, 0, MaxDatagram)
	b.Run("seal", func(b *testing.B) {
		b.SetBytes(1200)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := dialled.seal(buf, ChannelDatagram, appending(packet)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("seal, receive and open", func(b *testing.B) {
		heard := 0
		accepted.Handle(ChannelDatagram, func(p []byte) { heard += len(p) })
		b.SetBytes(1200)
		b.ReportAllocs()
		sent := 0
		for b.Loop() {
			d, err := dialled.seal(buf, ChannelDatagram, appending(packet))
			if err != nil {
				b.Fatal(err)
			}
			server.receive(d, source)
			sent += len(packet)
		}
		if heard != sent {
			b.Fatalf("%d of %d bytes arrived", heard, sent)
		}
	})
}

// TestPacketsMakeNoGarbage: sealing, receiving and opening a packet allocates nothing.
func TestPacketsMakeNoGarbage(t *testing.T) {
	server, _, d, _ := couple(t)
	for _, s := range server.snapshot() {
		s.Handle(ChannelDatagram, func([]byte) {})
	}
	packet, buf := make([]byte, 1200), make([]byte, 0, MaxDatagram)
	if n := testing.AllocsPerRun(100, func() {
		b, err := d.seal(buf, ChannelDatagram, appending(packet))
		if err != nil {
			t.Fatal(err)
		}
		server.receive(b, source)
	}); n != 0 {
		t.Errorf("%.1f allocations per packet", n)
	}
}

// BenchmarkSessions measures the heap of one end of 1,000 sessions, each.
func BenchmarkSessions(b *testing.B) {
	for b.Loop() {
		server, dialler := benchNode(b, 1), benchNode(b, 2)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for range 1000 {
			_, s := shake(b, server, dialler)
			s.end(ErrClosed)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1000, "B/session")
		runtime.KeepAlive(server)
	}
}
