package roulette

import (
	"testing"
	"time"
)

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
