package roulette

import (
	"math"
	"time"
)

// What makes fast paths fast, and leaves slow ones as they are: more requests under way
// to who answers without a queue, and several blocks in one message.

const (
	// quickTime is how much longer than a bare round trip the answer takes, at most, of
	// who has no queue: a block alone takes longer on links below 2 Mbit/s.
	quickTime = 8 * time.Millisecond
	// trainTime is within what time trainSize blocks come on a link of 3 Mbit/s and more.
	trainTime = 20 * time.Millisecond
	trainSize = 8
	// maxExtra bounds extra, in blocks.
	maxExtra = 1 << 14
)

// train remembers when the latest blocks came: how close they follow each other tells
// what the link can carry, however little is under way.
type train struct {
	at   [trainSize]time.Duration
	next int
}

func (t *train) add(now time.Duration, blocks int) {
	for range min(blocks, trainSize) {
		t.at[t.next%trainSize] = now
		t.next++
	}
}

// fast reports whether the link has just carried trainSize blocks in trainTime.
func (t *train) fast(now time.Duration) bool {
	return t.next >= trainSize && now-t.at[t.next%trainSize] <= trainTime
}

// widen lets more be asked of a neighbour that answers without a queue, twice as much
// per round trip as before, and less of one whose answers wait long: on a
// fast and long path the usual window is a small part of what is under way.
func (c *Core) widen(v *neighbour, m *Data, took time.Duration) {
	switch n := blocksIn(m.Len); {
	case v.quick && v.lossy: // after a loss one block more for each window's worth
		if v.grown += n; v.grown > v.extra {
			v.grown, v.extra = 0, min(v.extra+n, maxExtra)
		}
	case v.quick:
		v.extra = min(v.extra+n, maxExtra)
	case took > v.link.rtt+c.p.WindowTime:
		v.extra = max(v.extra-n, 0)
	}
}

// full reports that v's session has no room for more content.
func (c *Core) full(v *neighbour) bool { return c.cfg.Room != nil && c.cfg.Room(v.id) <= v.emitted }

// runTime is how long one DATA may keep the uplink busy.
const runTime = 4 * time.Millisecond

// run is how many of left blocks the next DATA to v carries: one, unless the uplink is so
// fast that the messages cost more than the bytes, and never more than v may have.
func (c *Core) run(v *neighbour, left int) int {
	n := min(left, c.cfg.MaxRun)
	if rate := c.cfg.Uplink.Rate(); !math.IsInf(rate, 1) {
		n = min(n, int(rate*runTime.Seconds()/BlockSize))
	}
	if n > 1 && !c.cfg.Seed {
		n = min(n, int(v.tab.room(&c.p)/BlockSize))
	}
	return max(n, 1)
}
