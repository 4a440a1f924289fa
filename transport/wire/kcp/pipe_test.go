package kcp

import (
	"crypto/sha256"
	"testing"

	"go.uber.org/goleak"

	"nt/transport/wire"
	"nt/transport/wire/wiretest"
)

// pair returns the two ends of a pipe.
func pair(t testing.TB, conf Config, onA, onB func([]byte)) (a, b *Pipe) {
	t.Helper()
	return wiretest.Pair(t, func(s *wire.Session, dialled bool) *Pipe {
		on := onB
		if dialled {
			on = onA
		}
		p, err := New(s, conf, on)
		if err != nil {
			t.Error(err)
		}
		return p
	})
}

func TestConformance(t *testing.T) {
	wiretest.Run(t, wiretest.Wire{
		MaxMessage: MaxMessage,
		Pair: func(t *testing.T, onA, onB func([]byte)) (wiretest.Pipe, wiretest.Pipe) {
			a, b := pair(t, Config{}, onA, onB)
			return a, b
		},
		// kcp-go's scheduler is a global of that package.
		Ignore: []goleak.Option{goleak.IgnoreAnyFunction("github.com/xtaci/kcp-go/v5.(*TimedSched).sched"),
			goleak.IgnoreAnyFunction("github.com/xtaci/kcp-go/v5.(*TimedSched).prepend")},
	})
}

func BenchmarkThroughput(b *testing.B) {
	for name, conf := range map[string]Config{
		"paced": {}, "paced 1024": {Window: 1024}, "paced 256": {Window: 256}, "classic": {Congestion: Classic, Window: 256},
		"fixed 256": {Congestion: Fixed, Window: 256}, "fixed 64": {Congestion: Fixed, Window: 64},
	} {
		b.Run(name, func(b *testing.B) { benchThroughput(b, conf) })
	}
}

func benchThroughput(b *testing.B, conf Config) {
	const size = 16 << 10
	sum := sha256.New()
	left := make(chan int, 64)
	a, _ := pair(b, conf, func([]byte) {}, func(m []byte) { sum.Write(m); left <- len(m) })
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

// TestReceiveWindow: what a peer can make us hold out of order grows with what it has sent in order.
func TestReceiveWindow(t *testing.T) {
	for _, c := range []struct{ most, bytes, want int }{
		{1024, 0, 256}, {1024, receiveStep - 1, 256}, {1024, receiveStep, 512}, {1024, 3 * receiveStep, 1024}, {1024, 1 << 30, 1024}, {64, 0, 64}, {64, 1 << 30, 64},
	} {
		if got := (&Pipe{window: c.most}).receiveWindow(c.bytes); got != c.want {
			t.Errorf("%d after %d bytes: %d, want %d", c.most, c.bytes, got, c.want)
		}
	}
}
