package roulette

import (
	"math/rand/v2"
	"testing"
	"time"

	"nt/chunker/nois"
	"nt/transport"
)

// TestAnswerToWhatWasGivenUp: where a neighbour takes longer than it is waited for, its answer comes when the same was just
// asked again. That must not look like a quick answer: a reader that thought so gave up all that it
// asked, after a few milliseconds, for as long as it lived.
func TestAnswerToWhatWasGivenUp(t *testing.T) {
	const way = 600 * time.Millisecond
	c, mem, id := newReaderOf(t, 128<<10)
	v := c.byID[id]
	c.lat, v.lat, v.link.rtt = transport.Latency{}, transport.Latency{}, 60*time.Millisecond
	askFor := func(now time.Duration) {
		c.now = now
		c.ask(v, 5)
		c.flushAsks()
	}
	asked := c.now
	askFor(asked)
	c.giveUp(v, len(v.asked)-1)
	askFor(asked + way - 10*time.Millisecond)
	c.Receive(asked+way, id, &Data{Chunk: 5, For: 5, Payload: mem.chunk(5), Len: 1024})
	if !c.bits.has(5) {
		t.Fatal("the answer is not taken")
	}
	if v.lat.Mean < way || c.lat.Mean < way {
		t.Errorf("an answer after %v counts as one after %v, and over all as %v", way, v.lat.Mean, c.lat.Mean)
	}
}

// TestOneQuickAnswerIsNotBelieved: before a few answers came a request is waited for as if none had: the first may be content that
// was on its way anyway.
func TestOneQuickAnswerIsNotBelieved(t *testing.T) {
	c, _, id := newReaderOf(t, 128<<10)
	v := c.byID[id]
	for answers := range fewAnswers + 1 {
		soft, hard := c.patience(v)
		if trusted := answers >= fewAnswers; (soft < c.p.HelloRetry) != trusted || hard <= soft {
			t.Errorf("after %d answers of 9 ms a request is waited for %v, and %v at most", answers, soft, hard)
		}
		c.lat.Add(9 * time.Millisecond)
	}
}

// TestWhoWasNeverAnsweredWaits: a newcomer among slow uplinks has seen no answer yet. It keeps the neighbour that greeted it until one
// can have come, and drops who gives nothing after that.
func TestWhoWasNeverAnsweredWaits(t *testing.T) {
	for _, answered := range []bool{true, false} {
		c, mem, id := newReaderOf(t, 128<<10)
		v := c.byID[id]
		c.Receive(100*time.Millisecond, id, &Proof{Header: &c.header})
		var has nois.Set
		has.AddRange(nois.Interval{Start: 0, End: 20})
		c.Receive(100*time.Millisecond, id, &Status{Have: has.AppendSummary(nil, 64)})
		if len(v.asked) == 0 {
			t.Fatal("nothing is asked of a neighbour that has something")
		}
		run(c, 2*time.Second)
		if c.byID[id] == nil {
			t.Fatal("dropped after two seconds, while nobody has answered anything yet")
		}
		if _, late := c.outstanding(); late != len(v.asked) {
			t.Errorf("%d of %d requests are late, and none may hold the window", late, len(v.asked))
		}
		if answered {
			i := uint32(v.asked[0].chunk)
			c.Receive(2*time.Second, id, &Data{Chunk: i, For: i, Payload: mem.chunk(int(i)), Len: 1024})
		}
		run(c, 2900*time.Millisecond)
		if kept := c.byID[id] != nil; kept != answered {
			t.Errorf("answered: %v, kept: %v", answered, kept)
		}
	}
}

// run advances a core to a time, deadline by deadline.
func run(c *Core, till time.Duration) {
	for at, ok := c.NextDeadline(); ok && at <= till; at, ok = c.NextDeadline() {
		c.Advance(at)
		c.Actions()
	}
	c.Advance(till)
}

// TestSlowUplinkIsNotHurried: who has a slow uplink waits longer for what it asks for again, and does not answer a greeting with content
// that would have to wait.
func TestSlowUplinkIsNotHurried(t *testing.T) {
	for _, rate := range []int{100_000, 10_000} {
		p := Tuned()
		p.KnownRate = rate
		mem := newMemContent(t, 128<<10)
		mem.have.AddRange(nois.Interval{Start: 0, End: 20})
		c := New(Config{Params: p, Rand: rand.New(rand.NewPCG(1, 1)), Object: mem.tree.Header().ID(), Content: mem, Ledger: NewLedger(), Uplink: NewUplink(&p, 72)})
		fast := rate == 100_000
		if got := c.slowly(p.HelloRetry); fast != (got == p.HelloRetry) {
			t.Errorf("at %d bytes/s a greeting is repeated after %v", rate, got)
		}
		for i := range 4 {
			id, _ := c.Accept(0, duoPeer(1+i))
			c.Receive(0, id, &Hello{Object: c.cfg.Object, Class: uint8(i), Classes: 4})
		}
		content, status := 0, 0
		for at := time.Duration(0); at < 300*time.Millisecond; {
			for _, a := range c.Actions() {
				if s, ok := a.(Send); ok {
					switch s.Msg.(type) {
					case *Data:
						content++
					case *Status:
						status++
					}
				}
			}
			at, _ = c.NextDeadline()
			c.Advance(at)
		}
		if fast && content < 4 || !fast && status < 2 {
			t.Errorf("at %d bytes/s four greetings are answered with %d blocks and %d STATUS", rate, content, status)
		}
	}
}
