package roulette

import (
	"math"
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

// advertise tells one neighbour what we have when the uplink is idle (R6).
func (c *Core) advertise() {
	t, ok := c.advertiseAt()
	if !ok || c.now < t {
		return
	}
	if v := c.uninformed(); v != nil {
		c.statusAt = c.now
		c.status(v)
	}
}

// advertiseAt is when the next STATUS may go out.
func (c *Core) advertiseAt() (time.Duration, bool) {
	if !c.known || c.cfg.Seed || c.done {
		return 0, false
	}
	next := time.Duration(-1)
	for _, v := range c.neighbours {
		if len(v.queued) > 0 {
			return 0, false
		}
		if c.curious(v) {
			if t := v.statusAt + c.statusSame(); next < 0 || t < next {
				next = t
			}
		}
	}
	return max(next, c.statusAt+c.p.StatusEvery, c.contentAt+c.idleTime(), c.cfg.Uplink.readyAt()), next >= 0
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
	return !v.seed && v.state >= StateSecondHandshake && v.toldSize < c.n-c.missing && v.have.lacks(c.bits)
}

func (c *Core) uninformed() *neighbour {
	var best *neighbour
	for _, v := range c.neighbours {
		if c.curious(v) && c.now >= v.statusAt+c.statusSame() && (best == nil || v.statusAt < best.statusAt) {
			best = v
		}
	}
	return best
}
