package kcp

import (
	"context"
	"crypto/ed25519"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nt/transport/wire"
)

// path is an emulated link: a queue in front of a bottleneck, then a delay.
type path struct {
	rate  float64 // bytes per second
	delay time.Duration
	queue float64 // bytes
	loss  float64

	mu    sync.Mutex
	busy  time.Time // when the bottleneck has sent what it took
	rng   *rand.Rand
	bytes atomic.Int64 // that were offered, with IP and UDP headers
	onWay chan parcel
}

type parcel struct {
	at time.Time
	b  []byte
}

func (p *path) offer(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	size := float64(len(b) + 28)
	p.bytes.Add(int64(size))
	now := time.Now()
	if p.busy.Before(now) {
		p.busy = now
	}
	if p.busy.Sub(now).Seconds()*p.rate > p.queue || p.rng.Float64() < p.loss {
		return
	}
	p.busy = p.busy.Add(time.Duration(size / p.rate * 1e9))
	select {
	case p.onWay <- parcel{p.busy.Add(p.delay), append([]byte(nil), b...)}:
	default:
	}
}

// end is one end of two paths, as a socket.
type end struct {
	out, in     *path
	self, other *net.UDPAddr
	once        sync.Once
	closed      chan struct{}
}

func (e *end) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case p := <-e.in.onWay:
		time.Sleep(time.Until(p.at))
		return copy(b, p.b), e.other, nil
	case <-e.closed:
		return 0, nil, net.ErrClosed
	}
}
func (e *end) WriteTo(b []byte, _ net.Addr) (int, error) { e.out.offer(b); return len(b), nil }
func (e *end) Close() error                              { e.once.Do(func() { close(e.closed) }); return nil }
func (e *end) LocalAddr() net.Addr                       { return e.self }
func (e *end) SetDeadline(time.Time) error               { return nil }
func (e *end) SetReadDeadline(time.Time) error           { return nil }
func (e *end) SetWriteDeadline(time.Time) error          { return nil }

func newPath(rate float64, delay time.Duration, queue, loss float64) *path {
	return &path{rate: rate, delay: delay, queue: queue, loss: loss, rng: rand.New(rand.NewPCG(1, 2)), onWay: make(chan parcel, 1<<14)}
}

// far makes the ends of a pipe over an emulated link; up is the dialler's way out.
func far(t testing.TB, up, down *path, conf Config, onB func([]byte)) (a, b *Pipe) {
	t.Helper()
	addrA, addrB := &net.UDPAddr{IP: net.IPv4(203, 0, 113, 1), Port: 1}, &net.UDPAddr{IP: net.IPv4(203, 0, 113, 2), Port: 2}
	endA := &end{out: up, in: down, self: addrA, other: addrB, closed: make(chan struct{})}
	endB := &end{out: down, in: up, self: addrB, other: addrA, closed: make(chan struct{})}
	pipes := make(chan *Pipe, 2)
	open := func(on func([]byte)) func(*wire.Session) {
		return func(s *wire.Session) {
			p, err := New(s, conf, on)
			if err != nil {
				t.Error(err)
			}
			pipes <- p
		}
	}
	key := func(n byte) ed25519.PrivateKey {
		return ed25519.NewKeyFromSeed(append(make([]byte, 31), n))
	}
	acceptB := open(onB)
	nb, err := wire.Listen(wire.Config{Conn: endB, Key: key(2), Accept: func(s *wire.Session) bool { acceptB(s); return true }})
	if err != nil {
		t.Fatal(err)
	}
	na, err := wire.Listen(wire.Config{Conn: endA, Key: key(1), Opened: open(func([]byte) {})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { na.Close(); nb.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if _, err := na.Dial(ctx, netip.AddrPortFrom(netip.MustParseAddr("203.0.113.2"), 2), nb.ID(), wire.Token{}, wire.ChannelKCP, nil); err != nil {
		t.Fatal(err)
	}
	b, a = <-pipes, <-pipes
	return a, b
}

// transfer sends size bytes in messages of 4 KiB and returns how long it took and
// how many bytes were offered to the bottleneck for each.
func transfer(t testing.TB, up, down *path, conf Config, size int) (took time.Duration, cost float64) {
	t.Helper()
	const message = 4 << 10
	heard := make(chan int, 1<<12)
	a, b := far(t, up, down, conf, func(m []byte) { heard <- len(m) })
	before, start := up.bytes.Load(), time.Now()
	sent := 0
	for got := 0; got < size; {
		for sent < size && a.Send(make([]byte, message)) == nil {
			sent += message
		}
		got += <-heard
	}
	took = time.Since(start)
	cost = float64(up.bytes.Load()-before) / float64(size)
	a.Close()
	b.Close()
	return took, cost
}

// BenchmarkPath transfers over emulated links in real time, so that a busy machine spoils
// it: how long it takes and what is offered to the bottleneck per byte delivered.
func BenchmarkPath(b *testing.B) {
	const kbit = 1e3 / 8
	for _, l := range []struct {
		name  string
		rate  float64
		rtt   time.Duration
		queue float64
		loss  float64
		size  int
	}{
		{"800kbit 60ms", 800 * kbit, 60 * time.Millisecond, 64e3, 0, 128 << 10},
		{"8Mbit 60ms", 8000 * kbit, 60 * time.Millisecond, 64e3, 0, 1 << 20},
		{"8Mbit 60ms loss1%", 8000 * kbit, 60 * time.Millisecond, 64e3, .01, 1 << 20},
		{"8Mbit 60ms loss5%", 8000 * kbit, 60 * time.Millisecond, 64e3, .05, 1 << 20},
		{"100Mbit 20ms", 100e3 * kbit, 20 * time.Millisecond, 256e3, 0, 8 << 20},
		{"100Mbit 100ms", 100e3 * kbit, 100 * time.Millisecond, 256e3, 0, 8 << 20},
	} {
		for _, c := range []struct {
			name string
			conf Config
		}{{"paced", Config{}}, {"classic", Config{Congestion: Classic}}, {"fixed64", Config{Congestion: Fixed, Window: 64}}} {
			b.Run(l.name+"/"+c.name, func(b *testing.B) {
				for b.Loop() {
					took, cost := transfer(b, newPath(l.rate, l.rtt/2, l.queue, l.loss), newPath(l.rate, l.rtt/2, l.queue, 0), c.conf, l.size)
					b.ReportMetric(took.Seconds()/(float64(l.size)/l.rate), "x-ideal")
					b.ReportMetric(cost, "B/B")
				}
			})
		}
	}
}
