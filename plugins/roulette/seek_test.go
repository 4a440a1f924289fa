package roulette

import (
	"net/netip"
	"testing"
	"time"
)

// Where some have content only who gave any is recommended; newcomers among newcomers bring together whom they know, and so
// does who is done, whom nobody gives anything.
func TestWhoIsRecommended(t *testing.T) {
	for _, x := range []struct {
		name                  string
		holders, givers, want int
		done                  bool
	}{
		{"nobody has anything", 0, 0, 4, false},
		{"some have, nobody gave", 3, 0, 0, false},
		{"two gave", 3, 2, 2, false},
		{"by who is done, some have", 3, 0, 4, true},
	} {
		c, _ := newLonely(t, 128<<10)
		c.Join(0, []Introduction{{Peer: duoPeer(9)}}, nil)
		c.adoptHeader(c.neighbours[0], c.cfg.Content.(*memContent).tree.Header())
		for k := range 5 {
			id, ok := c.Accept(0, duoPeer(k+1))
			if !ok {
				t.Fatal("no room")
			}
			v := c.byID[id]
			if v.heard = 1; k < x.holders {
				v.count = 1
			}
			if k < x.givers {
				v.delivered = 1
				c.cache.add(id, 5)
			}
		}
		got := map[netip.AddrPort]bool{}
		c.done = x.done
		for range 100 {
			for _, in := range c.recommend(c.neighbours[len(c.neighbours)-1], 2) {
				got[in.Peer.Addr] = true
			}
		}
		if len(got) != x.want {
			t.Errorf("%s: %d are recommended, want %d", x.name, len(got), x.want)
		}
	}
}

// TestWhoIsNamedNobodyNewAsksLess: a reader whose neighbours name those that it knows asks them less and less, until one names somebody else.
func TestWhoIsNamedNobodyNewAsksLess(t *testing.T) {
	c, _ := newLonely(t, 128<<10)
	var known []Introduction
	for k := range 4 {
		if _, ok := c.Accept(0, duoPeer(k+1)); !ok {
			t.Fatal("no room")
		}
		known = append(known, Introduction{Peer: duoPeer(k + 1)})
	}
	asked := func() (n int) {
		for end := c.now + 4*time.Second; c.now < end; c.now += 10 * time.Millisecond {
			if c.wishPeers() {
				n++
				c.introduced(c.neighbours[0], known)
			}
		}
		return n
	}
	if first, second := asked(), asked(); first > 9 || second != 2 {
		t.Errorf("asked %d times in four seconds, and %d in four more; want 9 at most, and twice", first, second)
	}
	c.introduced(c.neighbours[0], []Introduction{{Peer: duoPeer(9)}})
	if again := asked(); again < 5 {
		t.Errorf("asked %d times after somebody new was named", again)
	}
}

// A reader with few neighbours asks for more often, with enough of them seldom, with MaxDegree not at all.
func TestWishForPeers(t *testing.T) {
	for _, x := range []struct{ neighbours, least, most int }{
		{2, 40, 400},
		{Tuned().MinDegree, 4, 5},
		{Tuned().MaxDegree, 0, 0},
	} {
		c, _ := newLonely(t, 128<<10)
		for k := range x.neighbours {
			if _, ok := c.Accept(0, duoPeer(k+1)); !ok {
				t.Fatal("no room")
			}
		}
		asked := 0
		for c.now = time.Second; c.now < 11*time.Second; c.now += 10 * time.Millisecond {
			if c.wishPeers() {
				asked++
			}
		}
		if asked < x.least || asked > x.most {
			t.Errorf("%d neighbours: asked %d times in 10 s, want %d to %d", x.neighbours, asked, x.least, x.most)
		}
	}
}
