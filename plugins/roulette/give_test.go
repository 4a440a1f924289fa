package roulette

import (
	"math/rand/v2"
	"testing"

	"nt/chunker/nois"
)

// A node that only gives what it holds asks nobody for the rest: it could not keep it, and
// a reader that does not answer it would be dropped as one that takes and does not give.
func TestWhoOnlyGivesAsksForNothing(t *testing.T) {
	for _, give := range []bool{true, false} {
		p := Tuned()
		mem := newMemContent(t, 64<<10)
		mem.have.AddRange(nois.Interval{Start: 0, End: 20})
		c := New(Config{Params: p, Rand: rand.New(rand.NewPCG(1, 1)), Object: mem.tree.Header().ID(), Content: mem,
			Give: give, Ledger: NewLedger(), Uplink: NewUplink(&p, 80), MaxRun: 1})
		id, ok := c.Accept(0, duoPeer(1))
		if !ok {
			t.Fatal("not accepted")
		}
		c.Receive(1, id, &Join{Object: mem.tree.Header().ID(), NeedHeader: true})
		var has nois.Set
		has.AddRange(nois.Interval{Start: 20, End: 64})
		c.Receive(2, id, &Status{Have: has.AppendSummary(nil, 64)})
		c.Receive(3, id, &Request{Asks: []Ask{{Chunk: 3}}})
		asked, gave := 0, 0
		for step := 0; step < 50; step++ {
			for _, a := range c.Actions() {
				switch s, _ := a.(Send); m := s.Msg.(type) {
				case *Request:
					asked += len(m.Asks)
				case *Data:
					gave++
					asked += len(m.Asks)
				}
			}
			at, ok := c.NextDeadline()
			if !ok {
				break
			}
			c.Advance(at)
		}
		if gave != 1 || give != (asked == 0) {
			t.Errorf("Give %v: gave %d of 1 and asked for %d", give, gave, asked)
		}
	}
}
