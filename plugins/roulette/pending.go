package roulette

import "nt/chunker/nois"

// A reader tells a seed two things apart (docs/adr/0036): what it has, which are copies, and what is on its way to it, which is not to
// be sent instead of what it asks for. What is asked for is not there yet, and of who serves nobody it never comes: told as if it were
// there, it was counted as a copy and never sent.

// pendingMax is up to how many chunks an object is small enough to tell a seed what is on its way.
const pendingMax = 1024

// pendingSummary tells what is asked of seeds and of who gave something.
func (c *Core) pendingSummary() []byte {
	pending := new(nois.Set)
	for _, v := range c.neighbours {
		if v.delivered == 0 && !v.seed {
			continue
		}
		for _, a := range v.asked {
			if a.chunk >= 0 {
				pending.Add(uint32(a.chunk))
			}
		}
	}
	return summaryOf(pending, c.n, MaxSummary, c.rng)
}

// learnPending notes, at a seed, what is on its way to v, instead of what was when it last told. An empty summary tells nothing.
func (c *Core) learnPending(v *neighbour, summary []byte) {
	if !c.cfg.Seed || !c.known || len(summary) == 0 || c.byID[v.id] == nil {
		return
	}
	c.forgetPending(v)
	ok := parseSummary(summary, c.n, func(w int, mask uint64) { v.pending[w] |= mask })
	for i := range v.pending.all() {
		c.coming[i]++
	}
	if !ok {
		c.ban(v, ErrDishonest)
	}
}

// forgetPending forgets what is on its way to v.
func (c *Core) forgetPending(v *neighbour) {
	for i := range v.pending.all() {
		c.coming[i]--
	}
	clear(v.pending)
}
