package roulette

import (
	"testing"
	"time"
)

// A reader that had the seed to itself is served on when another one comes: its last chunks do not wait until that one has got as much.
func TestWhoWasThereBeforeIsServedOn(t *testing.T) {
	w := newCrowd(t)
	now := time.Duration(0)
	ask := func(id NeighbourID, chunks ...int) {
		m := &Request{}
		for _, i := range chunks {
			m.Asks = append(m.Asks, Ask{Chunk: uint32(i)})
		}
		w.Receive(now, id, m)
	}
	pass := func(d time.Duration) {
		now += d
		w.until(now)
	}
	old := w.join(t, now, 1)
	pass(200 * time.Millisecond)
	for i := 0; i < 96; i += 8 {
		ask(old, i, i+1, i+2, i+3, i+4, i+5, i+6, i+7)
		pass(100 * time.Millisecond)
	}
	if n := w.byID[old].served; n < 90 {
		t.Fatalf("the first reader got %d blocks, want what it asked for", n)
	}
	young := w.join(t, now, 2)
	for i := range 64 {
		ask(young, i)
	}
	ask(old, 100, 101, 102, 103)
	for start := now; len(w.byID[old].queued) > 0; {
		if pass(10 * time.Millisecond); now-start > time.Second {
			t.Fatalf("%d of the first reader's last requests wait after a second, and the second one got %d blocks", len(w.byID[old].queued), w.byID[young].served)
		}
	}
	if n, trial := w.byID[young].served, w.p.SeedTrial; n <= trial || n > trial+5 {
		t.Errorf("who is new got %d blocks before, want its trial of %d, its head start of one, and its turns", n, trial)
	}
}

// With few neighbours more is under way, but neither at the start nor with many.
func TestFewSourcesAreAskedForMore(t *testing.T) {
	for _, test := range []struct{ missing, neighbours, want int }{
		{128, 2, 0}, {64, 1, 0}, {64, 2, 10}, {64, 5, 4}, {64, 8, 2}, {64, 9, 0},
	} {
		c, _ := lacking(t, 128<<10, test.missing, 0, 0)
		c.neighbours = c.neighbours[:test.neighbours]
		if got := c.fewMore(); got != test.want {
			t.Errorf("%d chunks missing, %d neighbours: %d blocks more, want %d", test.missing, test.neighbours, got, test.want)
		}
	}
}
