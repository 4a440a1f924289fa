package roulette

import "time"

// A seed of few readers goes by what it was thanked for in more than whose turn it is (docs/adr/0035). Who has been there for longer
// than a newcomer and gave nobody anything is doubted: copies that it has are copies that nobody gets, and what it calls for comes
// last. In a large crowd thanks would fill the seed's downlink; in a tiny one everybody's copies count.

// few reports whether a seed has few readers.
func (c *Core) few() bool { return c.cfg.Seed && len(c.neighbours) <= rememberMost }

// doubting reports whether a seed doubts who is quiet.
func (c *Core) doubting() bool { return c.few() && len(c.members.of) > c.p.SeedCrowd }

// doubt looks at everybody again.
func (c *Core) doubt() {
	if !c.cfg.Seed {
		return
	}
	doubting := c.doubting()
	for _, v := range c.neighbours {
		doubted := false
		if doubting {
			e := c.members.of[v.id]
			doubted = e != nil && c.members.quiet(c.now, e, &c.p)
		}
		if doubted != v.doubted {
			c.withhold(v, doubted)
		}
	}
}

// withhold lets what v has count for nothing, or for something again.
func (c *Core) withhold(v *neighbour, doubted bool) {
	v.doubted = doubted
	for i := range v.have.all() {
		if doubted {
			c.withheld[i]++
		} else {
			c.withheld[i]--
		}
	}
}

// holds notes that v has chunk i, or has it no more.
func (c *Core) holds(v *neighbour, i int, has bool) {
	by := uint16(1)
	if !has {
		by = ^by + 1
	}
	c.avail[i] += by
	if v.doubted {
		c.withheld[i] += by
	}
	if v.delivered > 0 {
		c.atGivers[i] += by
	}
}

// thankEvery is the least time between two messages of nothing but thanks, to a seed that wants them at once: the first
// seconds of a swarm, in which its seed knows of nobody, decide how much of it those get who give nothing. It doubles with each, up to
// thankSeldom: what is told later is more of the same, and each costs the seed an acknowledgement, which were a sixth of its uplink.
const (
	thankEvery  = 300 * time.Millisecond
	thankSeldom = 2400 * time.Millisecond
)

// thankAtOnce tells seeds who gave what, where they want to hear it and nothing else goes there.
func (c *Core) thankAtOnce() {
	if c.done || !c.known || c.now < c.thankedAt+c.thankWait {
		return
	}
	told := false
	for _, v := range c.neighbours {
		if !v.seed || v.dialling || !v.ofFew {
			continue
		}
		if all := c.thanks(v); len(all) > 0 {
			told = true
			c.send(v, &Request{Have: c.news(v, MaxSummaryData), Thanks: all})
		}
	}
	if told {
		c.thankedAt, c.thankWait = c.now, min(2*c.thankWait, thankSeldom)
	}
}
