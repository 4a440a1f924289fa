package kcp

import (
	"sync"
	"sync/atomic"
	"time"

	kcpgo "github.com/xtaci/kcp-go/v5"
)

const (
	// dozeAfter quiet seconds in a row a pipe dozes.
	dozeAfter = 3
	// dozeEvery is how often KCP's clock runs in a pipe that dozes.
	dozeEvery = time.Second
)

// dozer makes a pipe cheap in which nothing is said. kcp-go runs every session's clock each
// flushEvery, whether there is anything to do or not: 1,000 idle sessions are 20,000 runs a
// second. A pipe that dozes lets it run each dozeEvery. When it wakes, the next run may be that
// far off, so until then the dozer flushes itself.
type dozer struct {
	busy   atomic.Bool // something was sent or heard since the last tick
	asleep atomic.Bool
	over   atomic.Bool
	timer  atomic.Pointer[time.Timer] // of tick; nil before start

	mu     sync.Mutex // of tick
	kcp    *kcpgo.UDPSession
	quiet  int // ticks in a row without anything
	bridge int // flushes until KCP's own clock has caught up
}

// start begins to watch a pipe.
func (d *dozer) start(k *kcpgo.UDPSession) {
	d.kcp = k
	d.timer.Store(time.AfterFunc(dozeEvery, d.tick))
}

func (d *dozer) stop() {
	d.over.Store(true)
	if t := d.timer.Load(); t != nil {
		t.Stop()
	}
}

// note hears that a packet was sent or came. It is called for each, with KCP's lock held or not.
func (d *dozer) note() {
	if !d.busy.Load() {
		d.busy.Store(true)
	}
	if d.asleep.Load() {
		d.timer.Load().Reset(0)
	}
}

func (d *dozer) tick() {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := dozeEvery
	switch {
	case d.over.Load():
		return
	case d.asleep.Load():
		if !d.busy.Load() {
			return
		}
		d.wake()
		next = flushEvery
	case d.bridge > 0:
		d.bridge--
		d.flush()
		next = flushEvery
	case d.busy.Swap(false):
		d.quiet = 0
	default:
		if d.quiet++; d.quiet >= dozeAfter {
			d.pace(dozeEvery)
			d.asleep.Store(true)
			if !d.busy.Load() { // note, from now on, sees that it has to wake us
				return
			}
			d.wake()
			next = flushEvery
		}
	}
	d.timer.Load().Reset(next)
}

// wake has KCP's clock run as usual again.
func (d *dozer) wake() {
	d.asleep.Store(false)
	d.quiet, d.bridge = 0, int(dozeEvery/flushEvery)
	d.pace(flushEvery)
	d.flush()
}

// pace sets how often KCP's clock runs, from its next run on.
func (d *dozer) pace(every time.Duration) { d.kcp.SetNoDelay(-1, int(every/time.Millisecond), -1, -1) }

// flush sends what KCP's clock would have sent: acknowledgements, and what has to be repeated.
func (d *dozer) flush() { _, _ = d.kcp.WriteBuffers(nil) }
