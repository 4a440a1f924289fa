package roulette

import (
	"testing"
	"time"
)

// A busy seed is asked for what nobody else has, one chunk at a time; at the end for whatever nobody has who ever gave
// anything, several at a time.
func TestWhatABusySeedIsAskedFor(t *testing.T) {
	for _, test := range []struct {
		name                           string
		missing, holders, givers, room int
		asked                          int
	}{
		{"few copies", lastChunks + 1, 0, 0, 14, 1},
		{"many copies", lastChunks + 1, 8, 0, 14, 0},
		{"at the end, of those who give", lastChunks, 8, 1, 14, 0},
		{"at the end, of those who do not", lastChunks, 8, 0, 14, lastAsks},
		{"at the end, little room", lastChunks, 8, 0, 3, 3},
		{"at the end, few copies", lastChunks, 0, 0, 14, lastAsks},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, seed := lacking(t, test.missing, test.holders, test.givers)
			if got := c.askBusySeed(test.room); got != test.asked || len(seed.asked) != test.asked {
				t.Errorf("%d blocks, %d chunks asked, want %d", got, len(seed.asked), test.asked)
			}
		})
	}
}

// lacking returns a reader that lacks some chunks, and its busy seed. Of its eight other neighbours holders hold what it lacks, and
// givers of those have given something.
func lacking(t *testing.T, missing, holders, givers int) (*Core, *neighbour) {
	t.Helper()
	c, mem := newLonely(t, 128<<10)
	h := mem.tree.Header()
	c.Join(0, []Introduction{{Peer: duoPeer(1)}})
	seed := c.neighbours[0]
	c.Receive(50*time.Millisecond, seed.id, &Welcome{Header: &h, Busy: true})
	seed.asked = seed.asked[:0]
	for i := range c.n {
		c.reserved[i] = 0
		c.bits.add(i)
		c.free.drop(i)
	}
	for i := range missing {
		c.bits.drop(i)
		c.free.add(i)
	}
	c.missing = missing
	for k := range 8 {
		id, ok := c.Accept(c.now, duoPeer(k+2))
		if !ok {
			t.Fatal("no room for a neighbour")
		}
		v := c.byID[id]
		v.state = StateSecondHandshake
		if k < givers {
			v.delivered = 1
		}
		for i := range c.n {
			if k < holders || !c.free.has(i) {
				c.markHave(v, i)
			}
		}
	}
	return c, seed
}
