package roulette

import (
	"math"
	"slices"
	"time"
)

// STATUS: what is told of holdings when no DATA goes that way, while the own uplink is idle (R6).

// told notes that v now knows what we have.
func (c *Core) told(v *neighbour) {
	v.statusAt = c.now
	v.toldSize = c.n - c.missing
}

// status sends STATUS to v.
func (c *Core) status(v *neighbour) {
	m := &Status{Have: c.fullSummary(), Queue: uint8(min(c.queueTime(v)/queueUnit, math.MaxUint8)), WantPeers: c.wishPeers()}
	c.told(v)
	c.send(v, m)
}

// advertise tells one neighbour what we have when the uplink is idle (R6), or that we are there.
func (c *Core) advertise() {
	t, ok := c.advertiseAt()
	if !ok || c.now < t {
		return
	}
	v, due := c.uninformed()
	if v == nil || c.now < due {
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

// advertiseAt is when the next STATUS may go out.
func (c *Core) advertiseAt() (time.Duration, bool) {
	if !c.known || c.cfg.Seed || c.done || slices.ContainsFunc(c.neighbours, func(v *neighbour) bool { return len(v.queued) > 0 }) {
		return 0, false
	}
	v, due := c.uninformed()
	return max(due, c.statusAt+c.p.StatusEvery, c.contentAt+c.idleTime(), c.cfg.Uplink.readyAt()), v != nil
}

// uninformed returns who is to be told next, and when; nil if there is nobody.
func (c *Core) uninformed() (next *neighbour, at time.Duration) {
	for _, v := range c.neighbours {
		if due, ok := c.statusDue(v); ok && (next == nil || due < at) {
			next, at = v, due
		}
	}
	return next, at
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
