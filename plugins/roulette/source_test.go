package roulette

import "testing"

// Who never gave anything is taken for slower than the others, and for much slower by who has enough that did.
func TestStrangersAreAskedLater(t *testing.T) {
	for givers, want := range map[int]bool{0: false, enoughGivers - 1: false, enoughGivers: true} {
		c, _ := lacking(t, 128<<10, 9, 8, 0)
		stranger := c.neighbours[len(c.neighbours)-1]
		c.givers = givers
		before := c.expect(stranger)
		stranger.delivered = 1
		penalty := before - c.expect(stranger)
		if patient := penalty == patientStranger; patient != want || !want && penalty != strangerTime {
			t.Errorf("beside %d that gave, a stranger counts as %v slower", givers, penalty)
		}
	}
}

// What strangers are asked for takes two places of the window once two neighbours gave something, and all it is before.
func TestStrangersHoldFewPlaces(t *testing.T) {
	for givers, want := range []int{8, 8, 2 + strangerPlaces, 3 + strangerPlaces} {
		c, _ := lacking(t, 128<<10, 20, 8, givers)
		c.givers = givers
		for i, v := range c.neighbours[1:] {
			c.ask(v, i)
		}
		if got := c.places(); got != want {
			t.Errorf("%d of eight asked gave something: %d places are taken, want %d", givers, got, want)
		}
	}
}

// Givers are counted as they come and go.
func TestGiversAreCounted(t *testing.T) {
	c, mem, id := newReaderOf(t, 128<<10)
	for i := range 2 {
		c.ask(c.byID[id], i)
		c.flushAsks()
		c.Receive(0, id, &Data{Chunk: uint32(i), For: uint32(i), Payload: mem.chunk(i), Len: 1024})
		if c.givers != 1 {
			t.Fatalf("%d gave after %d blocks of one", c.givers, i+1)
		}
	}
	if c.Lost(0, id); c.givers != 0 {
		t.Errorf("%d gave when it is gone", c.givers)
	}
}
