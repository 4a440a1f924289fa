package roulette

import "nt/chunker/nois"

// What is new. A neighbour that was told once of all that is there is told afterwards, with each DATA and REQUEST, what came since
// (docs/adr/0041). A summary of all takes 18 bytes for 128 chunks, and for 1,024 there is no room: eight of many intervals
// were told, some of them again and again, and what a neighbour did not know of it did not ask for.

// telling is what a neighbour was told of our holdings.
type telling struct {
	begun bool   // it was told once of all there was, or as much of it as any message has room for
	whole bool   // of all
	upTo  int    // of Core.taken: what it was told of
	lists int    // messages since, that told it what is new
	next  uint32 // where the next of what does not fit begins
}

const (
	// firstShare is what part of a DATA's content its have summary may be as long as, where it tells all: once to each neighbour.
	firstShare = 7
	// mostLists is how many lists of what is new follow one another: on a wire that repeats nothing one of them may be lost. Of an
	// object that is too large to tell of all of it, older chunks are told as often as new ones.
	mostLists     = 7
	mostListsSome = 1
)

// tellAll returns the have summary of all that is there, for v.
func (c *Core) tellAll(v *neighbour) []byte {
	if !c.known {
		return nil
	}
	d := digestOf(c.have, c.n, MaxSummary)
	v.telling = telling{begun: true, whole: d.whole != nil, upTo: len(c.taken)}
	b, _ := d.summary(c.have, MaxSummary, uint32(c.rng.IntN(max(c.n, 1))))
	return b
}

// untold is of how many chunks, of those that came since it was told of all, v was not told.
func (c *Core) untold(v *neighbour) int {
	if !v.telling.begun {
		return 0
	}
	return len(c.taken) - v.telling.upTo
}

// news returns what v is told now of what we hold: all of it the first time, if that is at most first bytes long, afterwards
// what is new, in at most MaxSummaryData. It may be nothing.
func (c *Core) news(v *neighbour, first int) []byte {
	t := &v.telling
	bitmap := 1 + nois.BitmapSize(uint32(c.n))
	switch {
	case !c.known:
		return nil
	case !t.begun && bitmap <= min(first, MaxSummary):
		return c.tellAll(v)
	case !t.begun:
		return c.shortSummary(v)
	}
	most := mostLists
	if !t.whole {
		most = mostListsSome
	}
	list, n := listOf(c.taken[t.upTo:])
	if t.lists++; t.lists > most || len(list) > bitmap {
		return c.shortSummary(v)
	}
	t.upTo += n
	return list
}

// shortSummary is a have summary for v that may be all there is.
func (c *Core) shortSummary(v *neighbour) (b []byte) {
	t, d := &v.telling, c.shortest()
	if d.whole != nil {
		*t = telling{begun: true, whole: true, upTo: len(c.taken)}
	}
	t.lists = 0
	b, t.next = d.summary(c.have, MaxSummaryData, t.next)
	return b
}
