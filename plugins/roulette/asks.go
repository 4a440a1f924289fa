package roulette

import (
	"slices"
	"time"
)

// patience returns after what time a request to v is overdue, and when it is given up.
func (c *Core) patience(v *neighbour) (soft, hard time.Duration) {
	l := v.lat
	if l.N == 0 {
		l = c.lat
	}
	switch {
	case l.N == 0 && v.seed:
		return c.p.HelloRetry, c.p.HelloRetry * 3 / 2
	case l.N == 0: // who is not answered by anybody cannot tell slow uplinks from who does not give
		return c.p.HelloRetry, firstAnswer
	}
	slack := c.lateSlack()
	soft = l.Mean + 2*l.Dev + slack
	hard = soft + l.Dev*4 + 3*slack
	if v.lat.N == 0 { // it may be much further away than those that have answered
		soft, hard = soft+v.link.rtt, hard+v.link.rtt
	}
	if c.lat.N < fewAnswers { // what came first may have been under way for another reason
		soft, hard = max(soft, c.p.HelloRetry), max(hard, c.p.HelloRetry*3/2)
	}
	if v.extra > 0 { // much is under way, and a busy processor on either side holds all of it up
		soft, hard = soft+fastSlack, hard+4*fastSlack
	}
	if c.slowSeed(v) {
		soft, hard = min(soft, maxPatience), min(hard, maxPatience+slack)
	}
	return soft, hard
}

// firstAnswer is how long a reader's first answer is waited for while nobody has answered any request: where an uplink carries a block
// in a tenth of a second, and three wait, it takes longer than half a second, and who did not wait that long dropped all who
// greeted it, one by one (docs/adr/0030). The request holds no room in the window meanwhile.
const firstAnswer = 2500 * time.Millisecond

// fewAnswers is from how many on their times are believed.
const fewAnswers = 3

// lateSlack is what an answer may take beyond what is expected: chunks of several blocks come less evenly.
func (c *Core) lateSlack() time.Duration {
	if c.blocks > 1 {
		return 2 * c.p.LateSlack
	}
	return c.p.LateSlack
}

// slowSeed reports whether v is a seed that gives chunks of many blocks, which may take long beside many others.
func (c *Core) slowSeed(v *neighbour) bool { return v.seed && c.blocks > 1 }

// maxPatience is how long such a seed's answer is waited for at most.
const maxPatience = 8 * time.Second

// fastSlack is added to what a fast neighbour may take.
const fastSlack = 150 * time.Millisecond

// silence is how long a neighbour that owes us answers may say nothing at all.
func (c *Core) silence(v *neighbour) time.Duration {
	_, hard := c.patience(v)
	return hard
}

// overdue frees the window of requests that are late and gives up those that are lost.
func (c *Core) overdue() {
	for _, v := range c.neighbours {
		if v.lent > 0 && c.now >= v.lentTill {
			c.endLoan(v)
		}
		if len(v.asked) == 0 || v.dialling {
			continue
		}
		soft, hard := c.patience(v)
		for i := 0; i < len(v.asked); i++ {
			a := &v.asked[i]
			age := c.now - a.at
			if age >= soft && !a.late {
				a.late = true
				c.departures.overdue(v, a.at)
				c.stats.Late++
			}
			if age < hard && !(age > lostAfter && c.fellSilent(v)) {
				continue
			}
			if v.heard < a.at {
				v.tries++
			}
			if v.delivered == 0 && !v.seed {
				v.useless = true
			}
			if a.chunk >= 0 && v.heard > a.at {
				c.send(v, &Cancel{Chunks: []uint32{uint32(a.chunk)}})
			}
			c.giveUp(v, i)
			i--
			if !v.lossy || c.givers > 1 { // what a fast path lost is asked for again at once where nobody else gives anything
				v.restTill = c.now + hard
			}
		}
		c.settle(v)
	}
}

// maxOld bounds the requests that were given up and whose answer is still welcome.
const maxOld = 256

// giveUp releases the i-th request at v; its answer is still welcome.
func (c *Core) giveUp(v *neighbour, i int) {
	c.stats.GivenUp++
	a := v.asked[i]
	if v.extra > 0 && a.sentAt() >= v.cutAt { // once for what is under way
		v.extra, v.lossy, v.cutAt = v.extra/2, true, c.now
	}
	c.takeOff(v, i)
	if len(v.old) >= maxOld {
		v.old = append(v.old[:0], v.old[1:]...)
	}
	v.old = append(v.old, a)
}

// takeOff removes the i-th request at v and makes its chunk free to be asked for elsewhere.
func (c *Core) takeOff(v *neighbour, i int) {
	chunk := int(v.asked[i].chunk)
	v.asked = append(v.asked[:i], v.asked[i+1:]...)
	if chunk < 0 {
		return
	}
	c.reserved[chunk]--
	c.refree(chunk)
	c.barrenOff()
}

func (c *Core) barrenOff() {
	for _, v := range c.neighbours {
		v.barren = false
	}
}

// matchAsk finds the request that m answers and takes it off the window.
// Requests to one neighbour are answered in order, so those made before it and not
// answered are lost.
func (c *Core) matchAsk(v *neighbour, m *Data) bool {
	at := findAsk(v.asked, m)
	if at < 0 {
		if at = findAsk(v.old, m); at < 0 {
			return false
		}
		a := &v.old[at]
		c.noteSlowSeed(v, a)
		if a.left > 1 {
			a.left--
		} else {
			v.old = append(v.old[:at], v.old[at+1:]...)
		}
		return true
	}
	a := &v.asked[at]
	took, sent := c.now-a.at, a.sentAt()
	if k := findAsk(v.old, m); k >= 0 && !m.Blind && took < v.link.rtt { // it answers what was given up
		took = c.now - v.old[k].at // or all seems to be answered at once, and is given up for ever
		sent = v.old[k].sentAt()   // and what was asked between the two times seems to be lost
	}
	v.lat.Add(took)
	c.lat.Add(took)
	if a.made == 0 {
		a.made = a.at
		v.quick = c.now-a.at <= v.link.rtt+quickTime && c.train.fast(c.now)
	}
	c.widen(v, m, c.now-a.at)
	if n := blocksIn(m.Len); c.moreToCome(a, m) {
		a.left -= uint8(n)
		a.at, a.late = c.now, false // the rest is under way
		return true
	}
	c.takeOff(v, at)
	for i := 0; i < len(v.asked); i++ {
		if b := &v.asked[i]; b.sent && b.sentAt() < sent && b.chunk >= 0 {
			c.giveUp(v, i)
			i--
		}
	}
	c.settle(v)
	return true
}

// noteSlowSeed learns from an answer that came after it was given up how long a seed takes that gives each of its readers a
// chunk of many blocks in turn: else all that is asked of it is given up, asked again, and sent in vain. A reader that
// is late, and a seed of small chunks, is better not waited for.
func (c *Core) noteSlowSeed(v *neighbour, a *asked) {
	if took := c.now - a.at; c.slowSeed(v) && a.chunk >= 0 && a.made == 0 && took < maxPatience {
		a.made = a.at
		v.lat.Add(took)
	}
}

// moreToCome reports whether the answer m to a request has not come whole.
func (c *Core) moreToCome(a *asked, m *Data) bool {
	n := blocksIn(m.Len)
	if a.chunk < 0 { // blind: it takes what comes
		return c.known && int(m.Chunk) < c.n && c.blocksOf(int(m.Chunk)) > n && c.retarget(a, m)
	}
	return int(a.left) > n && (m.For == m.Chunk || c.retarget(a, m))
}

// retarget makes a request one for the chunk that stands in for what was asked, or that answers a blind one, of
// which the first blocks have come, and reports whether more are to come.
func (c *Core) retarget(a *asked, m *Data) bool {
	if !c.known || int(m.Chunk) >= c.n || a.chunk == int32(m.Chunk) {
		return a.chunk == int32(m.Chunk)
	}
	old := int(a.chunk)
	a.chunk, a.first, a.left = int32(m.Chunk), m.Block, uint8(c.blocksOf(int(m.Chunk))-int(m.Block))
	c.reserved[m.Chunk]++
	c.free.drop(int(m.Chunk))
	if old >= 0 {
		c.reserved[old]--
		c.refree(old)
		c.barrenOff()
	}
	return int(a.left) > blocksIn(m.Len)
}

// findAsk finds the request in list that m answers, or -1.
func findAsk(list []asked, m *Data) int {
	more := func(a asked) bool { return a.chunk == int32(m.Chunk) } // of what stands in for another, or answers a blind one: see retarget
	if m.Blind {
		if m.Block > 0 { // the chunk may be asked for as well: what is pushed does not answer that, and says nothing of how long answers take
			if i := slices.IndexFunc(list, func(a asked) bool { return a.blind && more(a) }); i >= 0 {
				return i
			}
		}
		return slices.IndexFunc(list, func(a asked) bool { return a.chunk < 0 })
	}
	i := slices.IndexFunc(list, func(a asked) bool {
		return a.sent && a.chunk == int32(m.For) && (m.For != m.Chunk || m.Block >= a.first)
	})
	if i < 0 && m.For != m.Chunk && m.Block > 0 {
		return slices.IndexFunc(list, more)
	}
	return i
}

// cancel takes back what is asked of w for chunk i, which came from elsewhere.
func (c *Core) cancel(w *neighbour, i int) {
	for k := range w.asked {
		a := &w.asked[k]
		if a.chunk != int32(i) {
			continue
		}
		if !a.sent {
			w.asks = slices.DeleteFunc(w.asks, func(q Ask) bool { return int(q.Chunk) == i && !q.ProofOnly })
			c.takeOff(w, k)
		} else {
			c.giveUp(w, k)
			c.send(w, &Cancel{Chunks: []uint32{uint32(i)}})
		}
		c.settle(w)
		return
	}
}
