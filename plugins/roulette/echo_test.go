package roulette

import (
	"testing"
	"time"
)

// TestMuchContentIsEchoed: what a neighbour gave is told it within a moment where it is much and nothing else is said; not small
// amounts, not twice, and not for ever.
func TestMuchContentIsEchoed(t *testing.T) {
	for _, x := range []struct {
		name   string
		bytes  []int // that come at once, every 100 ms
		echoes int
	}{
		{"little", []int{1024, 1024, 1024}, 0},
		{"little by little", []int{4096, 4096, 4096, 4096}, 2},
		{"much", []int{16384}, 1},
		{"much twice", []int{16384, 0, 0, 16384, 0}, 2},
		{"always", make([]int, 100), mostEchoes},
	} {
		var u unsaid
		if x.name == "always" {
			for i := range x.bytes {
				x.bytes[i] = 16384
			}
		}
		echoes := 0
		for i, n := range x.bytes {
			now := time.Duration(i) * 100 * time.Millisecond
			if n > 0 {
				u.came(now, n)
			}
			if u.at == 0 {
				continue
			}
			if u.at != now+echoWait {
				t.Errorf("%s: told at %v, want %v", x.name, u.at, now+echoWait)
			}
			echoes++
			u.echoes++
			u.said()
		}
		if echoes != x.echoes {
			t.Errorf("%s: %d echoes, want %d", x.name, echoes, x.echoes)
		}
	}
}

// TestWhoHasAskedForAllItMaySaysThatMuchCame: a seed that knows nothing of its uplink yet sends no more than a first window until it hears of it,
// and the reader that got it has nothing to ask for until more comes: both waited.
func TestWhoHasAskedForAllItMaySaysThatMuchCame(t *testing.T) {
	c, mem := newLonely(t, 64<<20)
	h := mem.tree.Header()
	c.Join(0, []Introduction{{Peer: duoPeer(1)}}, nil)
	seed := c.neighbours[0]
	c.Receive(time.Millisecond, seed.id, &Welcome{Header: &h})
	c.Actions()
	const now = 2 * time.Millisecond
	seed.asked = append(seed.asked, asked{chunk: 9, left: 250, at: now}) // the window is full
	c.Receive(now, seed.id, &Data{clock: clock{Timing{Sent: 77}}, Chunk: 5, For: 5, Payload: mem.chunk(5), Len: h.ChunkLen(5)})
	said := func(kind Kind) (n int) {
		for _, a := range c.Actions() {
			if s, ok := a.(Send); ok && s.To == seed.id && s.Msg.Kind() == kind && s.Msg.Clock().Echo == 77 {
				n++
			}
		}
		return n
	}
	if n := said(KindRequest); n != 0 {
		t.Fatalf("%d REQUESTs at once: the window is not full, and the test shows nothing", n)
	}
	if at, ok := c.NextDeadline(); !ok || at > now+echoWait {
		t.Fatalf("to be woken at %v, %v", at, ok)
	}
	c.Advance(now + echoWait)
	if n := said(KindRequest); n != 1 {
		t.Errorf("%d echoes after %v, want one", n, echoWait)
	}
	c.Advance(now + 4*echoWait)
	if n := said(KindRequest); n != 0 {
		t.Errorf("%d echoes more", n)
	}
}
