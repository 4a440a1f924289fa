package roulette

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestCeilingGrowsByBlocks: after a cut a round trip of whole chunks gives the window back as much as one of
// single blocks, and more while nothing queues.
func TestCeilingGrowsByBlocks(t *testing.T) {
	grown := func(perMessage int, queue time.Duration) float64 {
		p := Tuned()
		mem := newMemContent(t, 1<<17)
		c := New(Config{Params: p, Rand: rand.New(rand.NewPCG(1, 2)), Object: mem.tree.Header().ID(), Content: mem, Ledger: NewLedger(), Uplink: NewUplink(&p, 72)})
		c.Accept(0, duoPeer(1))
		v := c.neighbours[0]
		c.now = time.Second
		v.link.queue, v.link.queueAt = queue, c.now
		c.down.rate = 1e8 // the rate asks for more than the ceiling
		c.yield.ceiling = 100
		for n := 0; n < 96; n += perMessage { // about a round trip
			c.giveWay(perMessage)
		}
		return c.yield.ceiling
	}
	single, whole, empty := grown(1, 20*time.Millisecond), grown(32, 20*time.Millisecond), grown(32, 0)
	if single < 102 || single > 104 || whole < 102 || whole > 104 {
		t.Errorf("100 blocks grew to %.1f by single blocks, to %.1f by 32 at a time; want 3 more", single, whole)
	}
	if empty < 115 || empty > 130 {
		t.Errorf("without a queue 100 blocks grew to %.1f, want a quarter more", empty)
	}
}
