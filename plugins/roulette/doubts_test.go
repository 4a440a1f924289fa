package roulette

import (
	"testing"
	"time"
)

// doubting is a seed and readers of it, each from another network group, two seconds after they came; some were thanked for a chunk.
func doubting(t *testing.T, readers, thanked int) (*crowd, []*neighbour) {
	t.Helper()
	w := newCrowd(t)
	var all []*neighbour
	for k := range readers {
		all = append(all, w.byID[w.join(t, 0, k<<8|1)])
	}
	w.until(2 * time.Second)
	for _, v := range all {
		w.Receive(2*time.Second, v.id, &Request{Have: summaryOf(w.have, w.n, MaxSummary, w.rng)})
	}
	for k := range thanked {
		w.Receive(2*time.Second, all[len(all)-1].id, &Request{Thanks: []Thank{{tagOf(all[k].peer.ID), 1}}})
	}
	return w, all
}

// In a crowd of few a seed doubts who was not thanked and is no newcomer; what these hold is withheld, until they are thanked or leave.
func TestWhoIsDoubted(t *testing.T) {
	few := Tuned().SeedCrowd + 4
	for _, x := range []struct{ readers, thanked, want int }{
		{few, 0, few}, {few, 3, few - 3}, {Tuned().SeedCrowd, 0, 0}, {rememberMost + 1, 0, 0},
	} {
		w, all := doubting(t, x.readers, x.thanked)
		doubted := 0
		for _, v := range all {
			if v.doubted {
				doubted++
			}
		}
		if doubted != x.want || int(w.withheld[5]) != x.want {
			t.Errorf("%d readers, %d thanked: %d doubted, %d copies withheld, want %d", x.readers, x.thanked, doubted, w.withheld[5], x.want)
		}
	}

	office := newCrowd(t)
	for k := range few {
		office.join(t, 0, k+1) // all in one network group
	}
	office.until(2 * time.Second)
	office.Receive(2*time.Second, office.neighbours[0].id, &Request{})
	for _, v := range office.neighbours {
		if v.doubted {
			t.Fatal("somebody is doubted whom nobody could thank")
		}
	}

	w, all := doubting(t, few, few-2)
	if young := w.byID[w.join(t, 2*time.Second, few<<8|1)]; young.doubted {
		t.Error("a newcomer is doubted")
	}
	w.Receive(2*time.Second, all[few-1].id, &Bye{})
	if n := w.withheld[5]; n != 1 {
		t.Errorf("%d copies withheld after one of two left, want 1", n)
	}
	w.Receive(2*time.Second, all[0].id, &Request{Thanks: []Thank{{tagOf(all[few-2].peer.ID), 1}}})
	if n := w.withheld[5]; n != 0 {
		t.Errorf("%d copies withheld after all were thanked", n)
	}
}

// Copies at those who give nobody anything are none: what only they have is given first.
func TestWithheldCopiesAreGivenAgain(t *testing.T) {
	w, all := doubting(t, Tuned().SeedCrowd+4, 6)
	for i := range w.given {
		w.given[i] = 2
	}
	const rare = 77
	for _, v := range all {
		if !v.doubted && v.have.has(rare) {
			v.have.drop(rare)
			w.holds(v, rare, false)
		}
	}
	s := w.scarcity()
	if a, b := s.need(rare), s.need(rare+1); a >= b {
		t.Errorf("what the doubted alone have is needed by %d, other chunks by %d: the less the sooner", a, b)
	}
	reader := all[0]
	if got := w.substitute(reader, rare+1); got != rare {
		t.Errorf("instead of a common chunk %d is given, want %d", got, rare)
	}
}

// The doubted, who call for help again and again, are welcomed when nobody else waits and there is nothing else to send.
func TestTheDoubtedAreWelcomedLast(t *testing.T) {
	w, all := doubting(t, Tuned().SeedCrowd+4, 6)
	now := w.now
	for _, v := range all {
		v.have, v.sentTo = newBitset(w.n), newBitset(w.n)
		w.Receive(now, v.id, &Rescue{Object: w.cfg.Object})
	}
	for _, v := range all {
		if e := w.members.of[v.id]; e.waits && e.known != v.doubted {
			t.Errorf("doubted %t, waits behind the others %t", v.doubted, e.known)
		}
	}
}

// A seed of few is told soon who gave what, in messages of their own if need be, each twice as long after the last; no other seed is.
func TestThanksAtOnce(t *testing.T) {
	for _, few := range []bool{true, false} {
		c, seed := lacking(t, 128<<10, 100, 8, 8)
		c.Receive(60*time.Millisecond, seed.id, &Welcome{Busy: true, Few: few})
		for k, v := range c.neighbours[1:] {
			v.peer.ID[0] = byte(k + 1)
		}
		var sent []time.Duration
		count := func() {
			for _, a := range c.Actions() {
				if s, ok := a.(Send); ok {
					if m, ok := s.Msg.(*Request); ok && s.To == seed.id && len(m.Thanks) > 0 && len(m.Asks) == 0 {
						sent = append(sent, c.now)
					}
				}
			}
		}
		count()
		sent = nil
		for at := 400 * time.Millisecond; at < 10400*time.Millisecond; at += 5 * time.Millisecond {
			c.neighbours[1].proved++
			c.now = at
			c.thankAtOnce()
			count()
		}
		if few != (len(sent) >= 3) {
			t.Errorf("of few %t: %d messages of thanks alone in ten seconds", few, len(sent))
		}
		wait := thankEvery
		for k := range len(sent) - 1 {
			if wait = min(2*wait, thankSeldom); sent[k+1]-sent[k] < wait {
				t.Errorf("thanks alone at %v, want each %v after the one before at least", sent, wait)
			}
		}
	}
}

// Who knows few that give asks as soon as there is little room: with nothing under way nothing comes.
func TestRoomForARequest(t *testing.T) {
	c, _ := newLonely(t, 128<<10)
	for _, x := range []struct{ givers, want int }{{0, 1}, {1, 1}, {4, 3}, {6, 4}, {8, Tuned().PumpRoom}, {40, Tuned().PumpRoom}} {
		c.givers = x.givers
		if got := c.pumpRoom(14); got != x.want {
			t.Errorf("%d give: a REQUEST is worth %d blocks of room, want %d", x.givers, got, x.want)
		}
	}
	c.givers = 1
	if got := c.pumpRoom(160); got != 10 {
		t.Errorf("a REQUEST of a window of 160 is worth %d blocks of room, want 10", got)
	}
}
