package roulette

import (
	"math"
	"slices"
	"time"
)

// join asks a seed for WELCOME; the answer may be followed by pushed chunks,
// which is why the JOIN counts as a blind request.
func (c *Core) join(v *neighbour) {
	v.state = StateFirstHandshake
	c.expectPushes(v, c.p.SeedChunks)
	if c.p.Profile == ProfileClassic {
		v.deadline = c.now + c.p.HelloRetry<<min(v.tries, 3)
	} else if v.deadline = c.now + c.backOff(v.tries); v.tries > 0 && c.introducedByOthers() {
		return // the seed has enough to do
	}
	c.send(v, &Join{Object: c.cfg.Object, NeedHeader: !c.known, Met: c.met(v)})
}

// met is of how many others a JOIN tells: of those that a locator named beside the seed, who are greeted at the same moment. Who asks
// again may have met none of them.
func (c *Core) met(v *neighbour) uint8 {
	if v.tries > 0 {
		return 0
	}
	n := 0
	for _, w := range c.neighbours {
		if !w.seed {
			n++
		}
	}
	return uint8(min(n, math.MaxUint8))
}

// expectPushes lets v send n chunks that are not asked for by name.
func (c *Core) expectPushes(v *neighbour, n int) {
	blocks := math.MaxUint8 // of chunks whose length is not known yet
	if c.known {
		blocks = min(n*c.blocks, blocks)
	}
	push := asked{chunk: -1, blind: true, left: uint8(blocks), at: c.now}
	switch i := slices.IndexFunc(v.old, func(a asked) bool { return a.chunk < 0 }); {
	case i >= 0:
		v.old[i] = push
	case len(v.old) < maxOld:
		v.old = append(v.old, push)
	default:
		v.old[0] = push
	}
}

// introducedByOthers reports whether readers met us before our JOIN was answered.
func (c *Core) introducedByOthers() bool { return c.known && len(c.neighbours) > c.p.MinDegree/2 }

// backOff is how long a JOIN may be unanswered: twice as long each time, and at random up to that much longer, lest a crowd
// whose JOINs drowned each other comes back at the same moment.
func (c *Core) backOff(tries int) time.Duration {
	d := c.p.HelloRetry << min(tries, 3)
	return d + time.Duration(c.rng.Int64N(int64(d)))
}

// receiveJoin answers a newcomer.
func (c *Core) receiveJoin(v *neighbour, m *Join) {
	if m.Object != c.cfg.Object {
		c.send(v, &NoFile{Object: m.Object})
		return
	}
	if !c.cfg.Seed { // taken for a seed: say what there is instead
		if c.known {
			c.sendHeader(v)
		}
		c.status(v)
		return
	}
	if c.members.of[v.id] == nil {
		c.members.rate.add(c.now, 1)
	}
	c.members.join(c.now, v, c.p.MaxMembers)
	c.members.hasMet(v.id, int(m.Met))
	c.members.wait(c.now, v.id, m.NeedHeader)
	if !c.pacesAll() {
		c.greet(v)
	}
}

// receiveWelcome takes what the seed answered.
func (c *Core) receiveWelcome(v *neighbour, m *Welcome) {
	if !v.seed {
		return
	}
	v.state = StateSecondHandshake
	v.deadline = 0
	v.busy, v.ofFew = m.Busy, m.Few
	c.departures.told = m.Silent
	if m.Header != nil && !c.adoptHeader(v, *m.Header) {
		return
	}
	if c.known && v.count < c.n {
		addRange(0, c.n, func(w int, mask uint64) {
			for m := mask &^ v.have[w]; m != 0; m &= m - 1 {
				v.have.add(w*64 + trailing(m))
				v.count++
			}
		})
		for i := range c.avail { // the seed's own copy says nothing about rarity, but drop() will take it away
			c.holds(v, i, true)
		}
	}
	c.introduced(v, m.Peers)
}

// rescue asks the seeds for a fresh list when nothing moves.
func (c *Core) rescue() {
	c.progress = c.now
	c.rescues++
	for _, v := range c.neighbours {
		switch {
		case !v.seed:
		case v.state != StateFirstHandshake:
			c.expectPushes(v, c.p.SeedChunks)
			c.send(v, &Rescue{Object: c.cfg.Object, Have: c.mySummary()})
		case c.known: // readers met us before it answered; now it is needed
			c.send(v, &Join{Object: c.cfg.Object, NeedHeader: !c.known})
		}
	}
	c.emit(WantPeers{})
}

// receiveRescue answers a reader that is stuck with peers and a chunk.
func (c *Core) receiveRescue(v *neighbour, m *Rescue) {
	if !c.cfg.Seed || m.Object != c.cfg.Object {
		return
	}
	c.learnHave(v, m.Have)
	if c.byID[v.id] == nil {
		return
	}
	c.notHad(v, m.Have)
	c.members.join(c.now, v, c.p.MaxMembers)
	c.members.heard(c.now, v.id)
	c.members.hasMet(v.id, 0)
	c.members.wait(c.now, v.id, len(m.Have) == 0)
	if v.doubted {
		c.members.last(v.id)
	}
	if len(v.queued) == 0 {
		v.queued = append(v.queued, want{Ask: Ask{Proof: true}, blind: true, classes: 1, at: c.now})
	}
}
