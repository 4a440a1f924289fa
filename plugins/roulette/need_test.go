package roulette

import (
	"testing"
	"time"
)

// A chunk that was given oftener than all others, each time to a reader that left with it, is the rarest there is: a
// newcomer gets it first. Without that a swarm whose readers all lack it stays as it is: everybody leaves with it.
func TestSeedGivesWhatIsLeftOfLeast(t *testing.T) {
	w := newCrowd(t)
	for i := range w.given {
		w.given[i], w.avail[i] = 5, 5
	}
	w.unserved = 0
	w.given[7], w.avail[7] = 100, 0
	id := w.join(t, 0, 1)
	for _, a := range w.Actions() {
		if s, ok := a.(Send); ok {
			if m, ok := s.Msg.(*Data); ok {
				if m.Chunk != 7 {
					t.Errorf("the newcomer is given chunk %d", m.Chunk)
				}
				scarce := w.scarcity()
				if n := scarce.need(7); n != 1 || !w.byID[id].have.has(7) {
					t.Errorf("need %d after it was given to one that is there", n)
				}
				return
			}
		}
	}
	t.Error("the newcomer is given nothing")
}

// What waits is counted as long as it waits: a request made again is the same, and what was answered, taken back or
// forgotten with its reader is no demand.
func TestDemandIsWhatWaits(t *testing.T) {
	w := newCrowd(t)
	var ids []NeighbourID
	for i := range 4 {
		ids = append(ids, w.join(t, 0, i+1))
	}
	w.until(300 * time.Millisecond)
	for range 3 {
		for _, id := range ids {
			w.Receive(300*time.Millisecond, id, &Request{Asks: []Ask{{Chunk: 9}, {Chunk: 20}, {Chunk: 31}}})
		}
	}
	if got := w.demand[9] + w.demand[20] + w.demand[31]; got > 12 || got < 9 { // some may have left at once
		t.Errorf("%d requests wait, of 12 that were made three times each", got)
	}
	w.Receive(301*time.Millisecond, ids[0], &Cancel{Chunks: []uint32{31}})
	w.Receive(301*time.Millisecond, ids[1], &Bye{})
	w.until(time.Second)
	for i, n := range w.demand {
		if n != 0 {
			t.Errorf("chunk %d: %d requests seem to wait", i, n)
		}
	}
}
