package roulette

import (
	"testing"
	"time"

	"nt/chunker/nois"
)

// told is a have summary of some chunks.
func told(c *Core, chunks ...uint32) []byte {
	s := new(nois.Set)
	for _, i := range chunks {
		s.Add(i)
	}
	return summaryOf(s, c.n, MaxSummary, c.rng)
}

// What is on its way to a reader is not sent it, and is no copy in a crowd. It counts as long as the reader says so.
func TestWhatIsOnItsWay(t *testing.T) {
	const now = 300 * time.Millisecond // nobody is doubted yet
	for _, crowd := range []bool{true, false} {
		w := newCrowd(t)
		readers := 2
		if crowd {
			readers = w.p.SeedCrowd + 1
		}
		var all []*neighbour
		for k := range readers {
			all = append(all, w.byID[w.join(t, 0, k<<8|1)])
		}
		w.until(now)
		v, copies := all[0], 0
		if !crowd {
			copies = 1
		}
		before := w.scarcity()
		was := before.copies(50)
		w.Receive(now, v.id, &Request{Have: told(w.Core, 3), Pending: told(w.Core, 50, 60)})
		after := w.scarcity()
		if got := after.copies(50) - was; got != copies {
			t.Errorf("crowd %t: what is on its way to one is %d copies, want %d", crowd, got, copies)
		}
		for i := range w.given {
			w.given[i], w.avail[i] = 9, 9
		}
		w.unserved, w.given[50], w.given[60] = 0, 1, 2
		if got := w.substitute(v, 70); got != 70 {
			t.Errorf("crowd %t: chunk %d is sent instead, which is on its way", crowd, got)
		}
		if got := w.blindChoice(v, &want{classes: 1}); got == 50 || got == 60 {
			t.Errorf("crowd %t: chunk %d is chosen for it, which is on its way", crowd, got)
		}
		if got := w.substitute(all[1], 70); got != 50 {
			t.Errorf("crowd %t: another is sent chunk %d, want the scarcest", crowd, got)
		}
		w.Receive(now, v.id, &Request{Have: told(w.Core, 3)}) // says nothing of it
		if !v.pending.has(50) || w.coming[50] != 1 {
			t.Errorf("crowd %t: forgotten what nothing was said of", crowd)
		}
		w.Receive(now, v.id, &Request{Have: told(w.Core, 3), Pending: told(w.Core, 60)})
		if got := w.substitute(v, 70); got != 50 || w.coming[50] != 0 {
			t.Errorf("crowd %t: chunk %d is sent instead, want the one that is not on its way any more", crowd, got)
		}
		w.Receive(now, v.id, &Bye{})
		if w.coming[60] != 0 {
			t.Errorf("crowd %t: a chunk is on its way to one who left", crowd)
		}
	}
}

// A reader that says nonsense of what is on its way is banned, as for what it has.
func TestPendingMustBeWellFormed(t *testing.T) {
	w := newCrowd(t)
	v := w.byID[w.join(t, 0, 1)]
	w.Receive(time.Second, v.id, &Request{Pending: []byte{summaryBitmap, 1, 2}})
	if w.byID[v.id] != nil || !w.banned[v.peer.Addr] {
		t.Error("it is not banned")
	}
	for i, n := range w.coming {
		if n != 0 {
			t.Errorf("chunk %d counts as on its way %d times", i, n)
		}
	}
}

// A reader tells its seed what it has as it is, and apart from that what comes from those who give.
func TestASeedIsToldBoth(t *testing.T) {
	c, seed := lacking(t, 128<<10, 100, 2, 1)
	c.ask(c.neighbours[1], 5) // who gives
	c.ask(c.neighbours[2], 6) // who does not
	c.ask(seed, 7)
	c.Actions()
	c.flushAsks()
	for _, a := range c.Actions() {
		s, ok := a.(Send)
		m, isAsk := s.Msg.(*Request)
		if !ok || !isAsk || s.To != seed.id {
			continue
		}
		has, comes := newBitset(c.n), newBitset(c.n)
		parseSummary(m.Have, c.n, func(w int, mask uint64) { has[w] |= mask })
		parseSummary(m.Pending, c.n, func(w int, mask uint64) { comes[w] |= mask })
		if has.has(5) || has.has(6) || has.has(7) {
			t.Error("it says that it has what it asked for")
		}
		if !comes.has(5) || comes.has(6) || !comes.has(7) {
			t.Errorf("on their way: 5 %t, 6 %t, 7 %t; who never gave anything may not do so now", comes.has(5), comes.has(6), comes.has(7))
		}
		return
	}
	t.Error("the seed is asked for nothing")
}
