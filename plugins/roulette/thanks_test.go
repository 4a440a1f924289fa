package roulette

import (
	"net/netip"
	"testing"
	"time"

	"nt/transport"
)

// Whom somebody thanked is served before those that nobody thanked, once these had SeedTrial chunks; and all are served.
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
		w.byID[id].served = w.p.SeedTrial
	}
	w.Receive(w.now, asker, &Request{Thanks: []KeyTag{tagOf(w.byID[giver].peer.ID)}})
	if !w.byID[giver].praised || w.byID[quiet].praised || w.byID[asker].praised {
		t.Fatal("other readers are praised than the one who was thanked")
	}
	ask(quiet, 100, 101)
	ask(giver, 110, 111, 112, 113)
	if v := w.nextToServe(); v == nil || v.id != giver {
		t.Error("who serves nobody comes first")
	}
	w.until(2 * time.Second)
	if n := len(w.byID[quiet].queued) + len(w.byID[giver].queued); n > 0 {
		t.Errorf("%d requests wait for ever", n)
	}
}

// Newcomers are not on trial before they got something, and no reader is at another reader.
func TestWhoIsOnTrial(t *testing.T) {
	w := newCrowd(t)
	v := w.byID[w.join(t, 0, 1)]
	for _, x := range []struct {
		served  int
		praised bool
		seed    bool
		waits   time.Duration
		trial   bool
	}{
		{0, false, true, 0, false}, {w.p.SeedTrial - 1, false, true, 0, false}, {w.p.SeedTrial, false, true, 0, true},
		{100, true, true, 0, false}, {100, false, false, 0, false}, {100, false, true, trialWait, false},
	} {
		v.served, v.praised, w.cfg.Seed = x.served, x.praised, x.seed
		w.now = 10 * time.Second
		if got := w.onTrial(v, w.now-x.waits); got != x.trial {
			t.Errorf("%+v: on trial: %t", x, got)
		}
	}
}

// Nobody praises itself: neither by its own key nor by another one in its network group. Unknown keys are nobody's.
func TestWhoseThanksCount(t *testing.T) {
	w := newCrowd(t)
	self, sibling, other := w.join(t, 0, 1), w.join(t, 0, 2), w.join(t, 0, 1<<8|3)
	for _, id := range []NeighbourID{self, sibling} {
		w.Receive(0, id, &Request{Thanks: []KeyTag{tagOf(w.byID[self].peer.ID), {9, 9, 9}}})
	}
	if w.byID[self].praised {
		t.Error("it praised itself")
	}
	w.Receive(0, other, &Request{Thanks: []KeyTag{tagOf(w.byID[self].peer.ID)}})
	if !w.byID[self].praised {
		t.Error("thanks from elsewhere do not count")
	}
	w.Receive(0, self, &Bye{})
	if len(w.byTag) != 2 {
		t.Errorf("%d keys are remembered of two neighbours", len(w.byTag))
	}
}

// A reader thanks for what was proved, each giver once, and few at a time; its seeds it does not thank.
func TestThanksAreForWhatWasProved(t *testing.T) {
	c, _ := newLonely(t, 128<<10)
	c.Join(0, []Introduction{{Peer: duoPeer(1)}})
	seed := c.neighbours[0]
	for k := range MaxThanks + 2 {
		id, ok := c.Accept(0, transport.Peer{ID: transport.PeerID{byte(k + 2)}, Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, byte(k), 2}), 7000)})
		if !ok {
			t.Fatal("no room")
		}
		c.byID[id].delivered = 3
		c.byID[id].gave = k > 0
	}
	seed.gave = true
	for _, want := range []int{MaxThanks, 1, 0} {
		if got := c.thanks(seed); len(got) != want {
			t.Errorf("%d are thanked, want %d", len(got), want)
		}
	}
}
