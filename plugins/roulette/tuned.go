package roulette

import (
	"slices"
	"time"

	"nt/chunker"
)

// receiveTuned is the tuned profile's half of Receive.
func (c *Core) receiveTuned(v *neighbour, m Message) {
	switch m := m.(type) {
	case *Join:
		c.receiveJoin(v, m)
	case *Welcome:
		c.receiveWelcome(v, m)
	case *Hello:
		c.receiveHello(v, m)
	case *Request:
		c.answered(v)
		c.noteWish(v, m.WantPeers)
		c.learnHave(v, m.Have)
		c.learnPending(v, m.Pending)
		c.receiveThanks(v, m.Thanks)
		if m.Silent {
			c.hearSilence(v)
		}
		c.receiveAsks(v, m.Asks)
	case *Data:
		c.receiveData(v, m)
	case *Proof:
		c.answered(v)
		c.receiveProof(v, m)
	case *Status:
		c.notSeed(v)
		c.answered(v)
		c.noteWish(v, m.WantPeers)
		c.noteQueue(v, m.Queue)
		c.learnHave(v, m.Have)
		c.blindRefused(v)
	case *Cancel:
		c.receiveCancel(v, m)
	case *Rescue:
		c.receiveRescue(v, m)
	case *NoFile:
		c.drop(v, ErrNoFile)
	case *Bye:
		c.drop(v, ErrBye)
	case *Recommend:
		c.noteWish(v, m.Want)
		c.introduced(v, m.Peers)
	}
}

// answered moves a neighbour that was only greeted on.
func (c *Core) answered(v *neighbour) {
	if v.state <= StateFirstHandshake && !v.seed {
		v.state = StateSecondHandshake
		v.deadline = 0
	}
}

// notSeed takes a peer that answers JOIN with STATUS for what it is: a reader
// with a part. A seed answers with WELCOME.
func (c *Core) notSeed(v *neighbour) {
	if v.seed && v.state == StateFirstHandshake {
		v.seed = false
		v.asked = v.asked[:0]
	}
}

func (c *Core) noteWish(v *neighbour, wants bool) { v.wanted = v.wanted || wants }

// queueUnit is the unit of the queue hint on the wire.
const queueUnit = 4 * time.Millisecond

func (c *Core) noteQueue(v *neighbour, q uint8) {
	v.queue, v.queueAt = time.Duration(q)*queueUnit, c.now
}

// hello greets the j-th of k peers met together: what we have, and a blind
// request of class j of k, so that the first answers do not collide (R2).
func (c *Core) hello(v *neighbour, j, k int) {
	v.state, v.greeted = StateFirstHandshake, true
	m := &Hello{Object: c.cfg.Object, NeedHeader: !c.known, WantPeers: len(c.neighbours) < c.p.MinDegree, Have: c.tellAll(v)}
	if open := c.places(); open < c.window()+c.p.HelloExtra && !c.done && c.n-c.missing < c.p.BlindUntil && (!c.known || open < c.missing) {
		m.Class, m.Classes = c.class(j, k)
		m.Proof = c.helloProof(j, k)
		v.asked = append(v.asked, asked{chunk: -1, blind: true, sent: true, left: 1, at: c.now})
	}
	v.deadline = c.now + c.helloRetry(v)
	c.told(v)
	c.send(v, m)
}

// helloRetry is how long v's answer to a greeting is waited for: the second time longer, while nobody has given anything yet.
func (c *Core) helloRetry(v *neighbour) time.Duration {
	if c.lat.N == 0 && v.tries > 0 {
		return firstAnswer / 2
	}
	return c.slowly(c.p.HelloRetry)
}

// class returns what the j-th of k peers met together is asked for blindly: of a tiny object one of the chunks that are missing.
func (c *Core) class(j, k int) (class, classes uint8) {
	if !c.known || c.n > tinyChunks {
		return uint8(j), uint8(k)
	}
	for i := range c.n {
		if !c.bits.has(i) {
			if j == 0 {
				return uint8(i), uint8(c.n)
			}
			j--
		}
	}
	return uint8(c.rng.IntN(c.n)), uint8(c.n)
}

// helloProofs is how many MetaChunks may count as asked for with a greeting. One chunk with one proof answers it, if anything does: of more
// MetaChunks the proofs would be missing for as long as an answer may take, and what comes meanwhile cannot be kept. Of fewer most come with
// other answers (docs/adr/0043).
const helloProofs = 8

// helloProof reports whether the answer to class j of k should come with a proof: only
// the first class of a MetaChunk, and only if nobody was asked for that yet.
func (c *Core) helloProof(j, k int) bool {
	if !c.known {
		return true
	}
	metas := c.header.NumMetaChunks()
	if k <= metas {
		lo, hi := classBounds(j, k, metas)
		wanted := false
		for m := lo; m < hi; m++ {
			if hi-lo > helloProofs {
				wanted = wanted || !c.cfg.Content.HasProof(m)
			} else {
				wanted = c.lacksProof(m*chunker.ChunksPerMeta) || wanted
			}
		}
		return wanted
	}
	meta, part, _ := sharedMeta(j, k, metas)
	return part == 0 && c.lacksProof(meta*chunker.ChunksPerMeta)
}

// receiveHello answers a greeting with data if there is any, else with STATUS.
func (c *Core) receiveHello(v *neighbour, m *Hello) {
	if m.Object != c.cfg.Object {
		c.send(v, &NoFile{Object: m.Object})
		return
	}
	c.answered(v)
	v.joined = true
	c.noteWish(v, m.WantPeers)
	c.learnHave(v, m.Have)
	if c.byID[v.id] == nil {
		return
	}
	if !c.known {
		c.greetBack(v)
		return
	}
	if m.NeedHeader {
		v.needHeader = true
	}
	if m.Classes == 0 || v.have.missingFrom(c.bits) < 0 || len(v.queued) > 0 || !c.cfg.Seed && c.queueTime(v) > greetingQueue {
		if v.needHeader {
			c.sendHeader(v)
		}
		c.status(v)
		c.introduce(v)
		return
	}
	v.queued = append(v.queued, want{Ask: Ask{Proof: m.Proof}, blind: true, class: m.Class, classes: m.Classes, at: c.now})
}

// introduce answers a wish for peers where no DATA goes that way to answer it with.
func (c *Core) introduce(v *neighbour) {
	if c.cfg.Seed || !v.wanted {
		return
	}
	if peers := c.recommend(v, MaxIntrosData); len(peers) > 0 {
		v.wanted = false
		c.send(v, &Recommend{Peers: peers})
	}
}

// greetBack answers the greeting of a peer that may know what we do not even know the size of: with a
// greeting, or with STATUS if ours is out already.
func (c *Core) greetBack(v *neighbour) {
	if v.greeted || c.done {
		c.status(v)
		return
	}
	c.hello(v, 0, 1)
}

func (c *Core) sendHeader(v *neighbour) {
	v.needHeader = false
	c.send(v, &Proof{Header: &c.header})
}

// blindRefused notes that v answered HELLO without data.
func (c *Core) blindRefused(v *neighbour) {
	kept := v.asked[:0]
	for _, a := range v.asked {
		if a.chunk >= 0 {
			kept = append(kept, a)
		}
	}
	v.asked = kept
	c.settle(v)
}

// settle keeps the state in step with what is outstanding.
func (c *Core) settle(v *neighbour) {
	if v.state < StateSecondHandshake {
		return
	}
	if len(v.asked) > 0 {
		v.state = StateWaitForData
	} else {
		v.state = StateSecondHandshake
	}
}

// stepTuned does everything the present state of the tuned profile calls for.
func (c *Core) stepTuned() {
	c.overdue()
	c.collect()
	c.doubt()
	c.chaseProofs()
	if !c.done && c.known {
		c.pump()
	}
	c.serveAll()
	if c.left || c.failed {
		return
	}
	c.flushAsks()
	c.thankAtOnce()
	c.echo()
	c.advertise()
	if !c.done && c.now >= c.rescueAt() {
		c.rescue()
	}
}

// rescueAt is when the seed is asked for help, less and less often. Chunks of many blocks come seldom while a swarm waits for
// what its seed has not given yet, and who knows others enough is not helped with more of them: the WELCOMEs of
// 4,000 such readers took a third of the uplink for as long as they lasted (docs/adr/0029).
func (c *Core) rescueAt() time.Duration {
	wait := c.p.RescueAfter << min(c.rescues, 4)
	if c.introducedByOthers() {
		wait *= time.Duration(c.burst())
	}
	if !slices.ContainsFunc(c.neighbours, func(v *neighbour) bool { return len(v.asked) > 0 }) {
		wait /= 2
	}
	at := c.progress + wait
	for _, v := range c.neighbours { // a seed that is at work for us is no help beside that
		if c.slowSeed(v) && len(v.asked) > 0 {
			soft, _ := c.patience(v)
			at = max(at, v.asked[len(v.asked)-1].at+soft)
		}
	}
	return at
}

// wishPeers reports whether this message should ask for introductions (R6, F12, F13).
func (c *Core) wishPeers() bool {
	d := len(c.neighbours)
	every := min(c.p.SeekEvery*time.Duration(d+1)/time.Duration(c.p.MinDegree+1)<<min(c.fruitless, 8), seekSlowly)
	if d >= c.p.MinDegree {
		every = seekSlowly
	}
	if c.done || c.cfg.Seed || d >= c.p.MaxDegree || c.now < c.soughtAt+every {
		return false
	}
	c.soughtAt = c.now
	return true
}

// seekSlowly is how often a reader with MinDegree neighbours asks for more: who has fewer than its neighbours sells less, is
// given less, and falls behind them the more the longer the download takes. A short one is over before. Who has fewer and is named
// nobody new asks half as often each time, down to this: in a swarm of nine nobody ever has ten, and all name the same to each
// other (docs/adr/0041).
const seekSlowly = 2 * time.Second

// collect drops neighbours that are dead (F21, F33).
func (c *Core) collect() {
	for i := 0; i < len(c.neighbours); i++ {
		v := c.neighbours[i]
		silent := c.now - max(v.heard, v.since)
		switch {
		case v.dialling:
		case v.seed && v.state == StateFirstHandshake && c.now >= v.deadline && v.deadline > 0:
			if v.tries++; v.tries > c.p.Resends+2 {
				c.drop(v, ErrSilent)
				i--
				continue
			}
			c.join(v)
		case v.seed && !c.done:
		case v.state == StateFirstHandshake && v.deadline > 0 && c.now >= v.deadline:
			if v.tries++; v.tries >= c.p.Resends {
				c.drop(v, ErrSilent)
				i--
				continue
			}
			v.asked = v.asked[:0]
			c.hello(v, 0, 1)
		case v.useless && v.delivered == 0:
			c.send(v, &Bye{})
			c.drop(v, ErrUseless)
			i--
		case silent > c.p.DeadAfter && c.remembers(silent):
			c.forgetHoldings(v)
			c.forgetRequests(v)
		case silent > c.p.DeadAfter && !c.letGo(v):
		case silent > c.p.DeadAfter, v.tries >= c.p.Resends && silent > c.silence(v):
			c.drop(v, ErrSilent)
			i--
		}
	}
}

// NextDeadline is when Advance must be called if nothing is received before;
// false if nothing is waited for.
func (c *Core) NextDeadline() (time.Duration, bool) {
	if c.left || c.failed {
		return 0, false
	}
	next := time.Duration(1<<63 - 1)
	at := func(t time.Duration) { next = min(next, t) }
	if c.p.Profile == ProfileClassic {
		c.deadlinesClassic(at)
	} else {
		c.deadlinesTuned(at)
	}
	return max(next, c.now+1), next < 1<<63-1
}

func (c *Core) deadlinesTuned(at func(time.Duration)) {
	queued := false
	for _, v := range c.neighbours {
		if v.dialling {
			continue
		}
		if v.deadline > 0 {
			at(v.deadline)
		}
		if v.lent > 0 {
			at(v.lentTill)
		}
		if v.restTill > c.now && !c.done && len(c.neighbours) == 1 { // there is nobody else to wait for
			at(v.restTill)
		}
		if len(v.asks) > 0 {
			at(v.asksAt + c.p.PiggybackWait)
		}
		if t := v.link.unsaid.at; t > 0 {
			at(t)
		}
		queued = queued || len(v.queued) > 0 && !c.full(v)
		if len(v.asked) > 0 {
			soft, hard := c.patience(v)
			first := v.asked[0].at + hard
			for i := range v.asked {
				a := &v.asked[i]
				if a.late {
					first = min(first, a.at+hard)
				} else {
					first = min(first, a.at+soft)
				}
			}
			at(first)
		}
		if !v.seed || c.done {
			at(c.deadAt(v))
		}
	}
	if queued || c.members.next() != nil {
		at(c.serveAt())
	}
	if v, t := c.nextStatus(); v != nil {
		at(t)
	}
	if t, ok := c.limitAt(); ok {
		at(t)
	}
	if t, ok := c.proofsAt(); ok {
		at(t)
	}
	if !c.done {
		at(c.rescueAt())
	}
}
