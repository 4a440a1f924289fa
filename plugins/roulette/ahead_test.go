package roulette

import "testing"

// The first chunks that are missing come before rarer ones.
func TestNextToRead(t *testing.T) {
	c, mem, id := newReaderOf(t, 128<<10)
	c.learnHeader(mem.tree.Header())
	c.p.Ahead = 2
	v := c.byID[id]
	for _, i := range []int{1, 2, 70, 90, 127} {
		c.markHave(v, i)
		c.avail[i] = 9
	}
	c.avail[90], c.avail[127] = 1, 2
	next := func(want int, why string) {
		t.Helper()
		got := c.next(v)
		if got != want {
			t.Fatalf("chunk %d is asked for, want %d: %s", got, want, why)
		}
		c.free.drop(got)
	}
	next(1, "0 is not there, 1 is the second that is missing")
	next(90, "2 is the third that is missing, 90 the rarest")
	for i := range 70 {
		c.bits.add(i)
		c.free.drop(i)
	}
	next(70, "it is the first that is missing")
	next(127, "the rarest of what is left")
	if got := c.next(v); got >= 0 {
		t.Errorf("chunk %d is asked for twice", got)
	}
}
