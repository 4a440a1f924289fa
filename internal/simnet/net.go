package simnet

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// Config is what a network is made of. Zero fields take the value in parentheses.
type Config struct {
	Seed      uint64
	Loss      float64       // part of the packets lost on the path
	Duplicate float64       // part of the datagrams that arrive twice
	Reorder   float64       // part of the datagrams held back for ReorderBy
	ReorderBy time.Duration // (10 ms)
	Window    int           // bytes in flight of one stream, each way (65,536)
	NATIdle   time.Duration // life of a NAT mapping after its last use from inside (2 min)
	// Tap sees every packet as it enters its sender's uplink (out) and as it leaves its
	// receiver's downlink: size with headers, and what a datagram or segment carries. It is called with the
	// network locked, so it must not use it, and must not keep the payload. May be nil.
	Tap func(h *Host, out bool, size int, payload []byte)
}

// Net is an emulated network. It is safe for concurrent use.
type Net struct {
	cfg   Config
	start time.Time

	mu       sync.Mutex // guards everything below and in every host, socket and stream
	rng      *rand.Rand
	events   eventHeap
	seq      uint64
	hosts    map[netip.Addr]*Host
	made     int
	spare    []*packet
	sleeping time.Duration // the loop sleeps until then
	late     time.Duration
	closed   bool

	wake chan struct{}
	done chan struct{}
	wg   sync.WaitGroup
}

// New starts a network without hosts. Inside a synctest bubble it must be
// closed before the bubble ends.
func New(cfg Config) *Net {
	if cfg.ReorderBy == 0 {
		cfg.ReorderBy = 10 * time.Millisecond
	}
	if cfg.Window == 0 {
		cfg.Window = 64 << 10
	}
	if cfg.NATIdle == 0 {
		cfg.NATIdle = 2 * time.Minute
	}
	n := &Net{cfg: cfg, start: time.Now(), rng: rand.New(rand.NewPCG(cfg.Seed, 0x51371e7)),
		hosts: make(map[netip.Addr]*Host), wake: make(chan struct{}, 1), done: make(chan struct{})}
	n.wg.Add(1)
	go n.loop()
	return n
}

// Close ends the network: every socket, stream and listener is closed.
func (n *Net) Close() error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.closed = true
	for _, h := range n.hosts {
		h.unplug()
	}
	n.mu.Unlock()
	close(n.done)
	n.wg.Wait()
	return nil
}

// Now returns the time since New.
func (n *Net) Now() time.Duration { return time.Since(n.start) }

// Lateness returns by how much an event was handled after its time, at worst.
// It is 0 in virtual time; a run in real time is worth what this is small against.
func (n *Net) Lateness() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.late
}

// plan makes do happen at a moment; the caller holds mu.
func (n *Net) plan(at time.Duration, do firer) {
	n.seq++
	n.events.push(event{at, n.seq, do})
	if at < n.sleeping {
		select {
		case n.wake <- struct{}{}:
		default:
		}
	}
}

// forever is later than everything.
const forever = time.Duration(1<<63 - 1)

func (n *Net) loop() {
	defer n.wg.Done()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wait := n.runDue()
		if wait == forever {
			timer.Stop()
		} else {
			timer.Reset(wait)
		}
		select {
		case <-timer.C:
		case <-n.wake:
		case <-n.done:
			return
		}
	}
}

// runDue handles what is due and returns how long to wait for the next event.
func (n *Net) runDue() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.Now()
	for len(n.events) > 0 {
		if n.events[0].at > now {
			if now = n.Now(); n.events[0].at > now {
				n.sleeping = n.events[0].at
				return n.sleeping - now
			}
		}
		e := n.events.pop()
		n.late = max(n.late, now-e.at)
		e.do.fire(n, e.at)
	}
	n.sleeping = forever
	return forever
}

// chance reports whether something of probability p happens; the caller holds mu.
func (n *Net) chance(p float64) bool { return p > 0 && n.rng.Float64() < p }
