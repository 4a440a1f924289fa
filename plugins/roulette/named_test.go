package roulette

import (
	"math/rand/v2"
	"testing"
	"time"
)

// A locator's readers are greeted at once, beside the JOIN that tells how many they are; of an object of very few chunks they are left alone while there is a seed, for they are gone in the time that a greeting takes.
func TestReadersThatALocatorNames(t *testing.T) {
	for _, x := range []struct {
		size   int64
		seeds  int
		hellos int
	}{{64 << 10, 1, 3}, {tinyChunks << 10, 1, 3}, {fleetingChunks << 10, 1, 0}, {fleetingChunks << 10, 0, 3}} {
		p, mem := Tuned(), newMemContent(t, x.size)
		c := New(Config{Params: p, Rand: rand.New(rand.NewPCG(1, 2)), Object: mem.tree.Header().ID(), Content: mem, Ledger: NewLedger(), Uplink: NewUplink(&p, 72)})
		var seeds []Introduction
		for i := range x.seeds {
			seeds = append(seeds, Introduction{Peer: duoPeer(1 + i)})
		}
		c.Join(0, seeds, []Introduction{{Peer: duoPeer(11)}, {Peer: duoPeer(12)}, {Peer: duoPeer(13)}})
		hellos, joins := 0, 0
		for _, a := range c.Actions() {
			s, ok := a.(Send)
			if !ok {
				continue
			}
			switch m := s.Msg.(type) {
			case *Hello:
				hellos++
			case *Join:
				joins++
				if int(m.Met) != x.hellos || m.NeedHeader {
					t.Errorf("%d bytes: JOIN tells of %d readers, header wanted %t", x.size, m.Met, m.NeedHeader)
				}
			}
		}
		if hellos != x.hellos || joins != x.seeds {
			t.Errorf("%d bytes, %d seeds: %d HELLOs and %d JOINs, want %d and %d", x.size, x.seeds, hellos, joins, x.hellos, x.seeds)
		}
	}
}

// Who asks again meets no more than it is short of, lest slow links are full of greetings.
func TestWhoKnowsEnoughGreetsNoMoreReaders(t *testing.T) {
	p, mem := Tuned(), newMemContent(t, 64<<10)
	c := New(Config{Params: p, Rand: rand.New(rand.NewPCG(1, 2)), Object: mem.tree.Header().ID(), Content: mem, Ledger: NewLedger(), Uplink: NewUplink(&p, 72)})
	for i := range 3 {
		var readers []Introduction
		for j := range 8 {
			readers = append(readers, Introduction{Peer: duoPeer(10 + 8*i + j)})
		}
		c.Join(0, []Introduction{{Peer: duoPeer(1)}}, readers)
	}
	if n := c.Degree(); n != p.MinDegree {
		t.Errorf("%d neighbours, want %d", n, p.MinDegree)
	}
}

// A seed names two to who was named eight by a tracker, and as many as ever to who is stuck all the same; the header goes to who wants it.
func TestWelcomeNamesFewToWhoWasNamedOthers(t *testing.T) {
	w := newCrowd(t)
	for i := range 12 {
		w.join(t, time.Duration(i)*20*time.Millisecond, i+1)
	}
	w.until(300 * time.Millisecond)
	welcome := func(now time.Duration, i int, m Message) *Welcome {
		t.Helper()
		peer := duoPeer(100 + i)
		id, ok := w.Accept(now, peer)
		if !ok {
			t.Fatal("not accepted")
		}
		w.Receive(now, id, m)
		for {
			for _, a := range w.Actions() {
				if s, ok := a.(Send); ok && s.To == id {
					if got, ok := s.Msg.(*Welcome); ok {
						return got
					}
				}
			}
			at, ok := w.NextDeadline()
			if !ok || at > now+time.Second {
				t.Fatal("no WELCOME")
			}
			w.Advance(at)
		}
	}
	if m := welcome(400*time.Millisecond, 1, &Join{Object: w.cfg.Object, Met: 8}); len(m.Peers) != alsoNamed || m.Header != nil {
		t.Errorf("%d peers and header %t for who was named eight and knows it, want %d and none", len(m.Peers), m.Header != nil, alsoNamed)
	}
	if m := welcome(2*time.Second, 1, &Rescue{Object: w.cfg.Object}); len(m.Peers) != w.p.JoinList {
		t.Errorf("%d peers for the same when it is stuck, want %d", len(m.Peers), w.p.JoinList)
	}
	if m := welcome(2500*time.Millisecond, 2, &Join{Object: w.cfg.Object, NeedHeader: true}); len(m.Peers) != w.p.JoinList || m.Header == nil {
		t.Errorf("%d peers and header %t for who knows nobody, want %d and one", len(m.Peers), m.Header != nil, w.p.JoinList)
	}
}
