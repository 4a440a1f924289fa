package roulette

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"nt/transport"
)

// Who was thanked is served before those that nobody thanked, once these had their trial; and all are served.
func TestWhoIsThankedComesFirst(t *testing.T) {
	w := newCrowd(t)
	quiet, giver, asker := w.join(t, 0, 1), w.join(t, 0, 2), w.join(t, 0, 1<<8|3) // the last in another network group
	w.until(time.Second)
	ask := func(id NeighbourID, chunks ...int) {
		var asks []Ask
		for _, i := range chunks {
			asks = append(asks, Ask{Chunk: uint32(i)})
		}
		w.Receive(w.now, id, &Request{Asks: asks})
	}
	for _, id := range []NeighbourID{quiet, giver, asker} {
		w.byID[id].served, w.byID[id].turn = w.p.SeedTrial, w.turn
	}
	w.Receive(w.now, asker, &Request{Thanks: []Thank{{tagOf(w.byID[giver].peer.ID), 24}}})
	if w.byID[giver].praised != 24 || w.byID[quiet].praised != 0 || w.byID[asker].praised != 0 {
		t.Fatal("other readers are praised than the one who was thanked")
	}
	ask(quiet, 100, 101, 102, 103)
	ask(giver, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121)
	for now := w.now; w.byID[giver].served < w.p.SeedTrial+12 && now < 2*time.Second; now += time.Millisecond {
		w.until(now)
	}
	if n := w.byID[quiet].served - w.p.SeedTrial; n > 1 {
		t.Errorf("who serves nobody got %d blocks while who was thanked got twelve", n)
	}
	w.until(2 * time.Second)
	if n := len(w.byID[quiet].queued) + len(w.byID[giver].queued); n > 0 {
		t.Errorf("%d requests wait for ever", n)
	}
}

// Who wants more than its allowance gets a sixteenth of what those get who were thanked, however many of its requests wait and
// however long, and in a crowd a sixteenth of that, where these passed on what they had; never nothing.
func TestWhatWhoServesNobodyGets(t *testing.T) {
	for _, x := range []struct {
		readers     int
		lasts       time.Duration
		old         bool // what waits has waited for long; else nothing ever does
		least, most float64
	}{
		{2, time.Second, true, trialWeight / 2, 2 * trialWeight},
		{12, 2500 * time.Millisecond, false, trialWeight, 2 * trialWeight * trialWeight},
	} {
		readers := x.readers
		w := newCrowd(t)
		var all []*neighbour
		for k := range readers {
			all = append(all, w.byID[w.join(t, 0, k<<8|1)])
		}
		w.until(time.Second)
		for i, v := range all {
			v.served, v.turn, v.praised = w.p.SeedTrial, w.turn, (i%2)*1000
		}
		for _, v := range all {
			for i := range w.n {
				v.queued = append(v.queued, want{Ask: Ask{Chunk: uint32(i)}, at: time.Duration(i) * time.Millisecond})
			}
		}
		for end := w.now + x.lasts; w.now < end; {
			for _, v := range all {
				for i := range v.queued {
					if !x.old {
						v.queued[i].at = w.now
					}
				}
			}
			w.until(w.now + 50*time.Millisecond)
		}
		var sum [2]int
		for i, v := range all {
			sum[i%2] += v.served - w.p.SeedTrial
		}
		if share := float64(sum[1]) / float64(sum[0]); share < x.least || share > x.most {
			t.Errorf("%d readers: %d blocks for who was thanked, %d for who was not: %.1f times as many, want %.0f to %.0f", readers, sum[1], sum[0], share, x.least, x.most)
		}
	}
}

// Who is on trial: who had its trial's chunks and as many as others had of it, of an object that is not tiny, at a seed.
func TestWhoIsOnTrial(t *testing.T) {
	w := newCrowd(t)
	v := w.byID[w.join(t, 0, 1)]
	trial := w.p.SeedTrial
	for _, x := range []struct {
		served, praised int
		seed            bool
		trial           bool
	}{
		{0, 0, true, false}, {trial - 1, 0, true, false}, {trial, 0, true, true}, {trial, 1, true, false}, {trial + 1, 1, true, true},
		{trial + 1, 2, true, false}, {trial + 2, 2, true, true}, {100, 300, true, false}, {100, 0, false, false},
	} {
		v.served, v.praised, w.cfg.Seed = x.served, x.praised, x.seed
		if got := w.onTrial(v); got != x.trial {
			t.Errorf("%+v: on trial: %t", x, got)
		}
	}
}

// Who has been there for long is named to newcomers of a crowd if somebody thanked it, and else only where few are there, or
// nobody could.
func TestWhoIsNamedForLong(t *testing.T) {
	for _, x := range []struct{ readers, want int }{{Tuned().SeedCrowd - 1, Tuned().SeedCrowd - 1}, {Tuned().SeedCrowd + 4, 2}} {
		w := newCrowd(t)
		var all []NeighbourID
		for k := range x.readers {
			all = append(all, w.join(t, 0, k<<8|1))
		}
		w.until(2 * time.Second)
		for k, id := range all {
			m := &Request{}
			if k < 2 {
				m.Thanks = []Thank{{tagOf(w.byID[all[k+2]].peer.ID), 1}}
			}
			w.Receive(2*time.Second, id, m)
			w.members.heard(2*time.Second, id)
		}
		if got := w.members.pick(2*time.Second, 0, MaxIntros, &w.p, w.rng); len(got) != x.want {
			t.Errorf("of %d readers of whom two were thanked %d are named, want %d", x.readers, len(got), x.want)
		}
	}
	office := newCrowd(t)
	const readers = 12
	for k := range readers {
		office.members.heard(2*time.Second, office.join(t, 0, k+1)) // all in one network group
	}
	office.until(2 * time.Second)
	if got := office.members.pick(2*time.Second, 0, MaxIntros, &office.p, office.rng); len(got) != readers {
		t.Errorf("of %d readers of whom nobody could be thanked %d are named", readers, len(got))
	}
}

// Nobody praises itself: neither by its own key nor by another one in its network group. Unknown keys are nobody's, and nobody
// had more of others than there is.
func TestWhoseThanksCount(t *testing.T) {
	w := newCrowd(t)
	self, sibling, other := w.join(t, 0, 1), w.join(t, 0, 2), w.join(t, 0, 1<<8|3)
	mine := tagOf(w.byID[self].peer.ID)
	for _, id := range []NeighbourID{self, sibling} {
		w.Receive(0, id, &Request{Thanks: []Thank{{mine, 5}, {KeyTag{9, 9, 9}, 5}}})
	}
	if n := w.byID[self].praised; n > 0 {
		t.Errorf("it praised itself for %d chunks", n)
	}
	w.Receive(0, other, &Request{Thanks: []Thank{{mine, 5}, {KeyTag{9, 9, 9}, 1 << 20}}})
	if n := w.byID[self].praised; n != 5 {
		t.Errorf("thanks from elsewhere count for %d chunks, want 5", n)
	}
	for range 3 {
		w.Receive(0, other, &Request{Thanks: []Thank{{mine, 1 << 20}, {tagOf(w.byID[sibling].peer.ID), 1 << 20}}})
	}
	if n := w.byID[self].praised + w.byID[sibling].praised; n != w.n {
		t.Errorf("one reader's thanks count for %d chunks of %d", n, w.n)
	}
	w.Receive(0, self, &Bye{})
	if len(w.byTag) != 2 {
		t.Errorf("%d keys are remembered of two neighbours", len(w.byTag))
	}
}

// A reader thanks for what was proved, few at a time, and a giver again for as much as it was thanked for in all; its seeds it does not thank.
func TestThanksAreForWhatWasProved(t *testing.T) {
	c, _ := newLonely(t, 128<<10)
	c.Join(0, []Introduction{{Peer: duoPeer(1)}}, nil)
	seed := c.neighbours[0]
	for k := range MaxThanks + 2 {
		id, ok := c.Accept(0, transport.Peer{ID: transport.PeerID{byte(k + 2)}, Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, byte(k), 2}), 7000)})
		if !ok {
			t.Fatal("no room")
		}
		c.byID[id].delivered = 3
		c.byID[id].proved = min(k, 1)
	}
	seed.proved = 1
	for _, want := range []int{MaxThanks, 1, 0} {
		if got := c.thanks(seed); len(got) != want {
			t.Errorf("%d are thanked, want %d", len(got), want)
		}
	}
	v := c.neighbours[len(c.neighbours)-1]
	var told []int
	for v.proved = 2; v.proved <= 64; v.proved++ {
		for _, x := range c.thanks(seed) {
			told = append(told, int(x.Chunks))
		}
	}
	if want := []int{1, 2, 4, 8, 16, 32}; !slices.Equal(told, want) {
		t.Errorf("one who gave 64 chunks is thanked for %v more each time, want %v", told, want)
	}
}
