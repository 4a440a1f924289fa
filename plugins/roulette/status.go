package roulette

import (
	"math"
	"time"
)

// STATUS: what is told of holdings when no DATA goes that way, while the own uplink is idle (R6).

// told notes that v now knows what we have.
func (c *Core) told(v *neighbour) {
	v.statusAt = c.now
	v.toldSize = c.n - c.missing - c.untold(v)
}

// status sends STATUS to v.
func (c *Core) status(v *neighbour) {
	m := &Status{Have: c.news(v, MaxSummary), Queue: uint8(min(c.queueTime(v)/queueUnit, math.MaxUint8)), WantPeers: c.wishPeers()}
	c.told(v)
	c.send(v, m)
}

// advertise tells one neighbour what we have when the uplink is idle (R6), or that we are there.
func (c *Core) advertise() {
	v, at := c.nextStatus()
	if v == nil || c.now < at {
		return
	}
	c.statusAt = c.now
	if c.curious(v) {
		c.status(v)
		return
	}
	v.statusAt = c.now
	c.send(v, &Status{})
}

// nextStatus returns who gets the next STATUS, and when it may go out; nil if nobody does, or content waits to be sent.
func (c *Core) nextStatus() (next *neighbour, at time.Duration) {
	if !c.known || c.cfg.Seed || c.done {
		return nil, 0
	}
	for _, v := range c.neighbours {
		if len(v.queued) > 0 {
			return nil, 0
		}
		if due, ok := c.statusDue(v); ok && (next == nil || due < at) {
			next, at = v, due
		}
	}
	return next, max(at, c.statusAt+c.p.StatusEvery, c.contentAt+c.idleTime(), c.cfg.Uplink.readyAt())
}

// statusDue is when v is told what it does not know; or, where nothing has been new for long, that we are there still: readers that
// have the same and wait for their seed have nothing else to say to each other, and took one another for dead (docs/adr/0031).
func (c *Core) statusDue(v *neighbour) (time.Duration, bool) {
	switch {
	case v.seed || v.state < StateSecondHandshake:
		return 0, false
	case c.curious(v):
		return v.statusAt + c.statusSame(), true
	}
	return max(v.statusAt, c.tookAt) + c.p.DeadAfter/2, true
}

// statusSame is how long a neighbour is told nothing new: the longer the more there is to tell, or summaries of
// a large object fill the downlinks.
func (c *Core) statusSame() time.Duration {
	return c.slowly(c.p.StatusSame) * time.Duration(max(1, c.n/statusChunks))
}

// statusChunks is up to how many chunks a summary is short.
const statusChunks = 512

// curious reports whether v would learn something useful from us.
func (c *Core) curious(v *neighbour) bool {
	return v.toldSize < c.n-c.missing && v.have.lacks(c.bits)
}
