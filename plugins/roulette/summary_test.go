package roulette

import (
	"math/rand/v2"
	"testing"
	"time"

	"nt/chunker"
	"nt/chunker/nois"
)

// unknown is content of which the header is still to come.
type unknown struct{ *memContent }

func (unknown) Header() (chunker.Header, bool) { return chunker.Header{}, false }

// What a neighbour told before the object's size was known is not forgotten when it says no more than that it is there.
func TestAnEmptySummaryTellsNothing(t *testing.T) {
	p := Tuned()
	mem := newMemContent(t, 128<<10)
	h := mem.tree.Header()
	c := New(Config{Params: p, Rand: rand.New(rand.NewPCG(1, 1)), Object: h.ID(), Content: unknown{mem}, Ledger: NewLedger(), Uplink: NewUplink(&p, 72)})
	id, ok := c.Accept(0, duoPeer(1))
	if !ok {
		t.Fatal("not accepted")
	}
	all := nois.Of(nois.Interval{Start: 0, End: uint32(h.NumChunks())}).AppendSummary(nil, uint32(h.NumChunks()))
	c.Receive(time.Millisecond, id, &Status{Have: all})
	c.Receive(2*time.Millisecond, id, &Status{})
	some, _ := listOf([]uint32{1, 2}) // what is new besides
	c.Receive(2*time.Millisecond, id, &Status{Have: some})
	c.Receive(3*time.Millisecond, id, &Proof{Header: &h})
	if v := c.byID[id]; v == nil || v.count != h.NumChunks() {
		t.Errorf("the neighbour is not known to have all %d chunks", h.NumChunks())
	}
}
