package roulette

// What is told of holdings, and what is learnt.

// shortest returns what is told of all holdings where room is short.
func (c *Core) shortest() *digest {
	if have := c.n - c.missing; c.digest == nil || c.inDigest != have {
		c.digest, c.inDigest = digestOf(c.have, c.n, MaxSummaryData), have
	}
	return c.digest
}

// mySummary is a have summary, for messages whose room is short, that is no news.
func (c *Core) mySummary() []byte {
	if !c.known {
		return nil
	}
	b, _ := c.shortest().summary(c.have, MaxSummaryData, uint32(c.rng.IntN(max(c.n, 1))))
	return b
}

// forgetHoldings takes back all that v told it has, and what is on its way to it.
func (c *Core) forgetHoldings(v *neighbour) {
	for i := range v.have.all() {
		c.holds(v, i, false)
	}
	clear(v.have)
	v.count = 0
	c.forgetPending(v)
}

// learnHave adds what a have summary tells to what v holds; an empty one tells nothing.
func (c *Core) learnHave(v *neighbour, summary []byte) {
	if len(summary) == 0 {
		return
	}
	if !c.known {
		if summary[0] < summaryList || len(v.told) == 0 { // what is new besides is told again
			v.told = append(v.told[:0], summary...)
		}
		return
	}
	ok := parseSummary(summary, c.n, func(w int, mask uint64) {
		v.shows(w, mask)
		for m := mask &^ v.have[w]; m != 0; m &= m - 1 {
			i := w*64 + trailing(m)
			v.have.add(i)
			v.count++
			c.holds(v, i, true)
			v.barren = false
		}
	})
	if !ok {
		c.ban(v, ErrDishonest)
	}
	c.noteNear(v)
}

// notHad takes back that v has what a have summary that tells everything, a bitmap, does not tell: it was sent, and lost on the way. To
// who calls for help it would not be sent again otherwise.
func (c *Core) notHad(v *neighbour, summary []byte) {
	if !c.known || len(summary) == 0 || summary[0] != summaryBitmap {
		return
	}
	told := newBitset(c.n)
	parseSummary(summary, c.n, func(w int, mask uint64) { told[w] |= mask })
	for w := range told {
		for m := v.have[w] &^ told[w]; m != 0; m &= m - 1 {
			c.holds(v, w*64+trailing(m), false)
			v.count--
		}
		v.have[w] &= told[w]
		v.sentTo[w] &= told[w]
	}
}
