package roulette

import (
	"slices"
	"time"
)

// classicState is what the classic profile keeps for one neighbour. Bursts are counted in
// blocks, as every window is; up to 4 MiB a chunk is one.
type classicState struct {
	burst   int           // blocks of the next second handshake (F41)
	offer   bitset        // what it offered in its last first handshake
	wants   bitset        // chunks of the running burst that did not come yet
	ever    bitset        // chunks that were asked of it and did not come: late ones are welcome
	asked   int           // blocks of the running burst
	got     int           // of those, how many came
	tries   int           // handshakes in a row without an answer (F33)
	sentAt  time.Duration // of the handshake that is out
	firstAt time.Duration // of the first block of the running burst
	rate    float64       // bytes/s within bursts, 0 if unknown (F42)
	again   time.Duration // it offered nothing: not asked again before
}

// receiveClassic is the classic profile's half of Receive.
func (c *Core) receiveClassic(v *neighbour, m Message) {
	switch m := m.(type) {
	case *Join:
		c.receiveJoin(v, m)
	case *Welcome:
		c.classicWelcome(v, m)
	case *Status:
		c.classicNotSeed(v)
	case *FirstHandshake:
		switch {
		case m.Object != c.cfg.Object || !c.known && !m.Reply:
			c.send(v, &NoFile{Object: m.Object})
		case m.Reply:
			c.offered(v, m)
		default:
			c.serveFirst(v, m)
		}
	case *SecondHandshake:
		c.serveSecond(v, m)
	case *Data:
		c.classicData(v, m)
	case *Request:
		c.receiveAsks(v, m.Asks) // proofs only: nothing else serves v.queued here
		v.queued = nil
	case *Proof:
		c.receiveProof(v, m)
	case *Recommend:
		if m.Want {
			c.send(v, &Recommend{Peers: c.recommend(v, 1)})
		} else {
			c.introduced(v, m.Peers)
		}
	case *NoFile:
		c.lookElsewhere(v)
	case *Bye:
		c.drop(v, ErrBye)
	}
}

// classicWelcome takes the FMD and the first neighbours; what the seed offers is then
// asked for as everywhere. A later one repairs a partition and disturbs no handshake.
func (c *Core) classicWelcome(v *neighbour, m *Welcome) {
	state, deadline := v.state, v.deadline
	joining := v.seed && state == StateFirstHandshake && v.cl.offer == nil
	if c.receiveWelcome(v, m); c.byID[v.id] == nil {
		return
	}
	if joining {
		state, deadline, v.cl.tries = StateInit, 0, 0
	}
	v.state, v.deadline = state, deadline
}

// repair mends a partition (F20): when nothing came for long, seeds and the locator are asked
// for other neighbours.
func (c *Core) repair() {
	c.progress = c.now
	for _, v := range c.neighbours {
		if v.seed && c.known {
			c.send(v, &Join{Object: c.cfg.Object})
		}
	}
	c.emit(WantPeers{})
}

// classicNotSeed takes a peer that answers JOIN with STATUS for what it is: a reader.
func (c *Core) classicNotSeed(v *neighbour) {
	if v.seed && v.state == StateFirstHandshake && v.cl.offer == nil {
		v.seed = false
		v.state, v.deadline, v.cl.tries = StateInit, 0, 0
	}
}

// stepClassic runs what is due: time-outs, new first handshakes, neighbour seeking.
func (c *Core) stepClassic() {
	for _, v := range slices.Clone(c.neighbours) {
		switch {
		case c.byID[v.id] == nil || v.dialling:
		case v.deadline > 0 && c.now >= v.deadline:
			c.classicTimeout(v)
		case c.now-max(v.heard, v.since) > c.p.DeadAfter:
			c.drop(v, ErrSilent)
		case v.state == StateInit && c.interested(v):
			c.firstHandshake(v)
		}
		if c.left || c.failed {
			return
		}
	}
	if c.done || c.cfg.Seed {
		return
	}
	c.chaseProofs()
	if c.now >= c.seekAt {
		c.seek()
	}
	if c.now >= c.progress+c.p.RescueAfter {
		c.repair()
	}
}

// seek asks a random neighbour to recommend one (F12-F15); without any, the
// partition is repaired by the locator (F20).
func (c *Core) seek() {
	d := len(c.neighbours)
	c.seekAt = c.now + c.p.SeekEvery*time.Duration(max(d, c.p.MinDegree))/time.Duration(c.p.MinDegree)
	switch {
	case d == 0:
		c.seekAt = c.now + 10*c.p.SeekEvery
		c.emit(WantPeers{})
	case d < c.p.MaxDegree:
		c.send(c.neighbours[c.rng.IntN(d)], &Recommend{Want: true})
	}
}

func (c *Core) deadlinesClassic(at func(time.Duration)) {
	for _, v := range c.neighbours {
		if v.dialling {
			continue
		}
		if v.deadline > 0 {
			at(v.deadline)
		} else if v.state == StateInit && c.wanted() {
			at(v.cl.again)
		}
		at(max(v.heard, v.since) + c.p.DeadAfter + time.Millisecond)
	}
	if !c.done && !c.cfg.Seed {
		at(c.seekAt)
		at(c.progress + c.p.RescueAfter)
		if len(c.held) > 0 && c.known {
			at(c.now + proofRetry)
		}
	}
}
