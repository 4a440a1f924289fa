package roulette

import (
	"testing"
	"time"
)

// Of two neighbours that are as fast the one that owes us is asked; one that is much faster is asked all the same.
func TestWhoOwesIsAsked(t *testing.T) {
	c, _ := lacking(t, 128<<10, 64, 8, 8)
	near, far := c.neighbours[1], c.neighbours[2]
	near.link.rtt, far.link.rtt = 20*time.Millisecond, 50*time.Millisecond
	if c.expect(near) >= c.expect(far) {
		t.Fatal("the far one is asked first")
	}
	far.tab.sent(20 * BlockSize)
	if c.expect(near) <= c.expect(far) {
		t.Error("who owes 20 blocks is not asked before who is 30 ms nearer")
	}
	far.link.rtt = near.link.rtt + mostDue + time.Millisecond
	far.tab.sent(4000 * BlockSize)
	if c.expect(near) >= c.expect(far) {
		t.Error("no debt is worth more than mostDue")
	}
	near.tab.received(4000 * BlockSize)
	if got := c.expect(near); got < near.link.rtt {
		t.Errorf("whom we owe is taken for faster than it is: %v", got)
	}
}
