package roulette

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestAnEmptyObjectIsToldOf: whoever holds the empty object answers all that is said to it, and does not draw one of no chunks.
func TestAnEmptyObjectIsToldOf(t *testing.T) {
	for _, seed := range []bool{true, false} {
		mem := newMemContent(t, 0)
		p := Tuned()
		p.KnownRate = 100e3
		id := mem.tree.Header().ID()
		c := New(Config{Params: p, Rand: rand.New(rand.NewPCG(1, 1)), Object: id, Content: mem, Ledger: NewLedger(), Uplink: NewUplink(&p, 72), Seed: seed, Give: !seed})
		for k, m := range []Message{&Hello{Object: id, Classes: 1, NeedHeader: true, WantPeers: true}, &Join{Object: id, NeedHeader: true}, &Status{}, &Request{WantPeers: true}, &Rescue{Object: id}} {
			v, _ := c.Accept(0, duoPeer(k+1))
			c.Receive(time.Duration(k)*time.Second, v, m)
			run(c, time.Duration(k+1)*time.Second)
			c.Actions()
		}
	}
}
