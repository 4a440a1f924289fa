package roulette

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestWhoFellSilentMayComeBack: a reader never delivers anything to a seed. When the seed hears nothing of
// it for too long and lets it go, it may come back at once; nobody meets it of his own accord for a while.
func TestWhoFellSilentMayComeBack(t *testing.T) {
	p := Tuned()
	mem := newMemContent(t, 1<<17)
	for _, useless := range []bool{false, true} {
		c := New(Config{Params: p, Rand: rand.New(rand.NewPCG(1, 2)), Object: mem.tree.Header().ID(), Content: mem, Ledger: NewLedger(), Uplink: NewUplink(&p, 72)})
		c.Accept(0, duoPeer(2)) // who is alone takes whoever comes
		id, ok := c.Accept(0, duoPeer(1))
		if !ok {
			t.Fatal("not accepted")
		}
		if useless {
			c.drop(c.byID[id], ErrUseless)
		} else {
			c.Lost(time.Second, id)
		}
		if c.meet(Introduction{Peer: duoPeer(1)}, nil) != nil {
			t.Errorf("useless %v: met again at once", useless)
		}
		if _, ok := c.Accept(2*time.Second, duoPeer(1)); ok == useless {
			t.Errorf("useless %v: taken back %v", useless, ok)
		}
		if c.now = 2*time.Second + restTime; useless && c.meet(Introduction{Peer: duoPeer(1)}, nil) == nil {
			t.Error("not met after the rest")
		}
	}
}

// TestASeedOfFewRemembersTheSilent: it forgets what they hold and keeps them for half a minute. A seed of many drops them until few are left.
func TestASeedOfFewRemembersTheSilent(t *testing.T) {
	for _, test := range []struct {
		readers      int
		after, later int
	}{
		{2, 2, 0}, {rememberMost, rememberMost, 0}, {rememberMost + 9, rememberMost, 0},
	} {
		w := newCrowd(t)
		all := make([]NeighbourID, test.readers)
		for i := range all {
			all[i] = w.join(t, 0, i+1)
		}
		w.until(2 * time.Second)
		w.unserved = 0 // else it keeps everybody
		for _, id := range all {
			w.Receive(2*time.Second, id, &Request{Have: []byte{summaryIntervals, 1, 0, 3}})
		}
		if n := int(w.avail[0]); n != test.readers {
			t.Fatalf("%d copies of a chunk of %d readers", n, test.readers)
		}
		for k, id := range all { // nothing leaves the seed any more
			w.cfg.Uplink.Left(2*time.Second, 1e9)
			w.Receive(2*time.Second, id, &Request{Asks: []Ask{{Chunk: uint32(k)}}})
		}
		w.until(2*time.Second + w.p.DeadAfter + time.Second)
		if n := len(w.neighbours); n != test.after || w.avail[0] != 0 || w.queuedBlocks() != 0 {
			t.Errorf("of %d silent readers %d are there with %d copies and %d requests, want %d with none", test.readers, n, w.avail[0], w.queuedBlocks(), test.after)
		}
		for _, v := range w.neighbours {
			w.Receive(w.now, v.id, &Request{Have: []byte{summaryIntervals, 1, 0, 3}})
		}
		if n := int(w.avail[0]); n != test.after {
			t.Errorf("%d copies are known of %d who speak again", n, test.after)
		}
		w.until(w.now + rememberTime + 2*time.Second)
		if n := len(w.neighbours); n != test.later {
			t.Errorf("%d of %d are there after half a minute, want %d", n, test.readers, test.later)
		}
	}
}

// TestWhoseSeedFellSilentMayJoinAgain: a seed that lets a silent reader go rests there as any neighbour that fell silent, until a locator
// names it again, which it does for who is stuck and knows few others. Who left or is of no use is not met for that.
func TestWhoseSeedFellSilentMayJoinAgain(t *testing.T) {
	for _, test := range []struct {
		name   string
		ends   func(c *Core, v *neighbour)
		others int
		back   bool
	}{
		{"silent", func(c *Core, v *neighbour) { c.Lost(time.Second, v.id) }, 1, true},
		{"silent, few others", func(c *Core, v *neighbour) { c.Lost(time.Second, v.id) }, lonely, true},
		{"silent, others enough", func(c *Core, v *neighbour) { c.Lost(time.Second, v.id) }, lonely + 1, false},
		{"left", func(c *Core, v *neighbour) { c.Receive(time.Second, v.id, &Bye{}) }, 1, false},
		{"useless", func(c *Core, v *neighbour) { c.drop(v, ErrUseless) }, 1, false},
		{"banned", func(c *Core, v *neighbour) { c.ban(v, ErrDishonest) }, 1, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, _ := newLonely(t, 1<<17)
			for k := range test.others { // who is alone takes whoever there is
				c.Accept(0, duoPeer(k+2))
			}
			c.Join(0, []Introduction{{Peer: duoPeer(1)}}, nil)
			test.ends(c, c.byAddr[duoPeer(1).Addr])
			c.AddPeers(time.Second, []Introduction{{Peer: duoPeer(1)}})
			if c.byAddr[duoPeer(1).Addr] != nil {
				t.Fatal("met again at once")
			}
			c.Join(time.Second, []Introduction{{Peer: duoPeer(1)}}, nil)
			if v := c.byAddr[duoPeer(1).Addr]; (v != nil && v.seed) != test.back {
				t.Errorf("a seed again: %v, want %v", !test.back, test.back)
			}
		})
	}
}
