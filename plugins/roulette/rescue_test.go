package roulette

import (
	"testing"
	"time"
)

// A reader whose only neighbour is a seed that answered nothing for long asks it for help: the chunk that comes with the
// answer is taken, whatever was given up before, and the seed is asked again as soon as it may be, not at the next rescue.
func TestRescueTakesWhatItBrings(t *testing.T) {
	c, mem := newLonely(t, 128<<10)
	c.Join(0, []Introduction{{Peer: duoPeer(1)}}, nil)
	seed := c.neighbours[0].id
	c.Receive(50*time.Millisecond, seed, &Welcome{})
	rescued, asked := time.Duration(0), time.Duration(0)
	now := 50 * time.Millisecond
	for now < 20*time.Second && asked == 0 {
		for _, a := range c.Actions() {
			switch m, _ := a.(Send); m.Msg.(type) {
			case *Rescue:
				rescued = now
			case *Request:
				if rescued > 5*time.Second {
					asked = now
				}
			}
		}
		if rescued > 5*time.Second && asked == 0 && c.stats.Unasked == 0 && c.missing == c.n {
			c.Receive(rescued+60*time.Millisecond, seed, &Welcome{})
			data := &Data{Chunk: 5, For: 5, Blind: true, Payload: mem.chunk(5), Len: 1024}
			c.Receive(rescued+61*time.Millisecond, seed, data)
			if !c.bits.has(5) {
				t.Fatal("the chunk that came with the answer is not taken")
			}
			now = rescued + 61*time.Millisecond
			continue
		}
		at, ok := c.NextDeadline()
		if !ok {
			t.Fatal("nothing is waited for")
		}
		now = at
		c.Advance(now)
	}
	if asked == 0 || asked-rescued > time.Second {
		t.Errorf("the seed answers %v after the last silence, and is asked after %v", rescued, asked)
	}
}

// A reader that calls for help gets a chunk that it lacks, though the seed has sent it all: that was lost on the way.
func TestRescueBringsWhatWasLost(t *testing.T) {
	w := newCrowdOf(t, 8<<10)
	id := w.join(t, 0, 1)
	w.until(time.Second)
	if w.gave != w.n {
		t.Fatalf("%d blocks are given, want %d", w.gave, w.n)
	}
	w.Receive(time.Second, id, &Rescue{Object: w.cfg.Object, Have: []byte{summaryBitmap, 0b11110111}})
	again := -1
	for now := time.Second; now < 2*time.Second; {
		for _, a := range w.Actions() {
			if s, ok := a.(Send); ok {
				if m, ok := s.Msg.(*Data); ok {
					again = int(m.Chunk)
				}
			}
		}
		at, ok := w.NextDeadline()
		if !ok {
			break
		}
		now = at
		w.Advance(now)
	}
	if again != 3 {
		t.Errorf("chunk %d comes again, want 3", again)
	}
}
