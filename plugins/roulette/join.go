package roulette

import (
	"math"

	"nt/chunker"
)

// join asks a seed for WELCOME; the answer may be followed by pushed chunks,
// which is why the JOIN counts as a blind request.
func (c *Core) join(v *neighbour) {
	v.state = StateFirstHandshake
	if len(v.old) == 0 {
		v.old = append(v.old, asked{chunk: -1, left: uint8(c.p.SeedChunks), at: c.now})
	}
	v.deadline = c.now + c.p.HelloRetry<<min(v.tries, 3)
	c.send(v, &Join{Object: c.cfg.Object})
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
	again := c.members.of[v.id] != nil
	c.members.rate.add(c.now, 1)
	c.members.join(c.now, v, c.p.MaxMembers)
	c.welcome(v, true)
	if again {
		return
	}
	if c.p.Profile == ProfileTuned {
		c.queuePushes(v)
	}
}

// welcome sends WELCOME, with as many introductions as the uplink can bear at
// the rate at which newcomers come.
func (c *Core) welcome(v *neighbour, header bool) {
	crowd := c.members.expire(c.now, c.p.MemberTTL) > c.p.SeedCrowd
	m := &Welcome{Busy: crowd, Peers: c.members.pick(c.now, v.id, c.welcomeList(), &c.p, c.rng)}
	if header {
		m.Header = &c.header
	}
	c.send(v, m)
}

// introSize is what one introduction takes on the wire with an IPv4 address and
// a token.
const introSize = 1 + 4 + 2 + 32 + 1 + tokenGuess

func (c *Core) welcomeList() int {
	most := min(c.p.JoinList, max(c.n, c.p.JoinMin)) // no more than there are chunks to ask for
	rate, up := c.members.rate.lately(c.now), c.cfg.Uplink.Rate()
	if rate == 0 || math.IsInf(up, 1) {
		return most
	}
	share := c.p.JoinShare
	if c.unserved > 0 { // nobody can have what the seed has not given away: that comes first
		share /= 4
	}
	room := up*share/rate - float64(chunker.HeaderSize+c.cfg.Uplink.overhead+10)
	return min(max(int(room/introSize), c.p.JoinMin), most)
}

// queuePushes lets the seed's first chunks follow the WELCOME, few when many wait.
func (c *Core) queuePushes(v *neighbour) {
	waiting := c.queuedBlocks()
	n := 0
	switch {
	case len(c.members.of) <= c.p.SeedCrowd:
		n = 4
	case waiting <= 3:
		n = 2
	case waiting <= 8:
		n = 1
	}
	if c.n <= tinyChunks {
		n = max(n, min(c.affordable(), c.n))
	}
	crowd := len(c.members.of) > c.p.SeedCrowd
	for range min(n, c.p.SeedChunks) {
		v.queued = append(v.queued, want{Ask: Ask{Proof: !crowd}, blind: true, classes: 1, at: c.now})
	}
}

// tinyChunks is up to how many chunks an object has that are best given with the WELCOME: its readers
// are gone before they could give much to each other.
const tinyChunks = 8

// affordable is how many blocks the uplink can give every newcomer besides the WELCOMEs.
func (c *Core) affordable() int {
	rate, up := c.members.rate.lately(c.now), c.cfg.Uplink.Rate()
	if rate == 0 || math.IsInf(up, 1) {
		return tinyChunks
	}
	return int(up * (1 - c.p.JoinShare) / rate / float64(BlockSize+c.cfg.Uplink.overhead+40))
}

// receiveWelcome takes what the seed answered.
func (c *Core) receiveWelcome(v *neighbour, m *Welcome) {
	if !v.seed {
		return
	}
	v.state = StateSecondHandshake
	v.deadline = 0
	v.busy = m.Busy
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
			c.avail[i]++
		}
	}
	c.introduced(m.Peers)
}

// rescue asks the seeds for a fresh list when nothing moves.
func (c *Core) rescue() {
	c.progress = c.now
	c.rescues++
	for _, v := range c.neighbours {
		if v.seed {
			c.send(v, &Rescue{Object: c.cfg.Object, Have: c.mySummary()})
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
	c.members.join(c.now, v, c.p.MaxMembers)
	c.members.heard(c.now, v.id)
	c.welcome(v, len(m.Have) == 0)
	if len(v.queued) == 0 {
		v.queued = append(v.queued, want{Ask: Ask{Proof: true}, blind: true, classes: 1, at: c.now})
	}
}
