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
		{"few copies", lastChunks + 1, 0, 1, 14, 1},
		{"many copies", lastChunks + 1, 8, 1, 14, 0},
		{"at the end, of those who give", lastChunks, 8, 1, 14, 0},
		{"at the end, of those who do not", lastChunks, 8, 0, 14, lastAsks},
		{"at the end, little room", lastChunks, 8, 0, 3, 3},
		{"at the end, few copies", lastChunks, 0, 0, 14, lastAsks},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, seed := lacking(t, 128<<10, test.missing, test.holders, test.givers)
			if got := c.askBusySeed(test.room); got != test.asked || len(seed.asked) != test.asked {
				t.Errorf("%d blocks, %d chunks asked, want %d", got, len(seed.asked), test.asked)
			}
		})
	}
}

// Who knows few others asks a busy seed for nothing, for it knows of few copies; but at the end there may be no others any more.
func TestABusySeedOfFew(t *testing.T) {
	for _, test := range []struct{ missing, known, asked int }{
		{lastChunks + 1, 5, 0}, {lastChunks + 1, 6, 1}, {lastChunks, 0, lastAsks}, {1, 0, 1},
	} {
		c, seed := lacking(t, 128<<10, test.missing, 0, 1)
		c.p.SeedAfter = 6
		for _, v := range c.neighbours[1+test.known:] {
			v.count = 0
		}
		if got := c.askBusySeed(14); got != test.asked || len(seed.asked) != test.asked {
			t.Errorf("%d chunks missing, %d others known: %d asked, want %d", test.missing, test.known, got, test.asked)
		}
	}
}

// A seed of few is asked for more at a time, the fewer give us anything: so many ask it besides us.
func TestAShareOfABusySeedOfFew(t *testing.T) {
	for _, x := range []struct {
		few           bool
		givers, asked int
	}{{true, 0, 1}, {true, 2, lastAsks}, {true, 8, busyShare / 8}, {false, 2, 1}} {
		c, seed := lacking(t, 128<<10, 100, 0, x.givers)
		seed.ofFew, c.givers = x.few, x.givers
		c.neighbours[1].delivered = 1 // not stranded
		if got := c.askBusySeed(14); got != x.asked {
			t.Errorf("%+v: %d blocks asked", x, got)
		}
	}
}

// Of a seed of few what few have who gave anything is asked for, wherever else it may be; at the end what none of them has.
func TestWhatABusySeedOfFewIsAskedFor(t *testing.T) {
	for _, test := range []struct {
		name                     string
		few                      bool
		missing, holders, givers int
		asked                    bool
	}{
		{"all have it, two of them give", true, 100, 8, 2, true},
		{"all have it, three of them give", true, 100, 8, fewGive + 1, false},
		{"one has it, and gives, like another", true, 100, 1, 2, true},
		{"only one gives: nothing is known of the others yet", true, 100, 8, 1, false},
		{"all have it, two of them give, a seed of many", false, 100, 8, 2, false},
		{"at the end, two who give have it", true, lastChunks, 8, 2, false},
		{"at the end, only who gives nothing has it", true, lastChunks, 8, 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, seed := lacking(t, 128<<10, test.missing, test.holders, test.givers)
			seed.ofFew = test.few
			if got := c.askBusySeed(14); got > 0 != test.asked {
				t.Errorf("%d blocks asked", got)
			}
		})
	}
}

// What others have who gave something is counted when they first give, learn more, and leave.
func TestCopiesAtGivers(t *testing.T) {
	c, seed := lacking(t, 128<<10, 100, 2, 1)
	giver, other := c.neighbours[1], c.neighbours[2]
	c.free.drop(99)
	c.bits.add(99)
	if c.others(seed, 5) != 1 || c.others(seed, 99) != 1 {
		t.Fatalf("%d and %d copies, want one: another has both, and gave nothing", c.others(seed, 5), c.others(seed, 99))
	}
	c.gave(other)
	c.gave(other)
	if got := c.others(seed, 5); got != 2 {
		t.Errorf("%d copies where the other gave something, too", got)
	}
	c.gave(seed)
	if got := c.others(seed, 5); got != 2 {
		t.Errorf("%d copies where the seed gave something", got)
	}
	c.drop(giver, ErrBye)
	c.drop(other, ErrBye)
	if got := c.others(seed, 5); got != 0 {
		t.Errorf("%d copies when both are gone", got)
	}
}

// Among those who never gave anything a reader asks its busy seed for what they hold, though what it asked of them fills the window; not
// before it has something to give, nor while anybody gives.
func TestWhoIsStrandedAsksItsSeed(t *testing.T) {
	for _, test := range []struct {
		name            string
		missing, givers int
		limit           int // bytes/s
		asked           int
	}{
		{"stranded", 100, 0, 0, lastAsks},
		{"stranded, no more may be asked for in a second", 100, 0, 1, 0},
		{"somebody gives", 100, 1, 0, 0},
		{"it has next to nothing", 121, 0, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, seed := lacking(t, 128<<10, test.missing, 8, test.givers)
			for i, v := range c.neighbours[1:] {
				for k := range 2 {
					c.ask(v, 2*i+k)
				}
			}
			if c.places() < c.window()-c.pumpRoom(c.window()) {
				t.Fatal("the window has room")
			}
			c.limit.rate = test.limit
			c.pump()
			if got := len(seed.asked); got != test.asked {
				t.Errorf("the seed is asked for %d chunks, want %d", got, test.asked)
			}
		})
	}
}

// A busy seed of a large object is asked for what only it has as soon as its queue has run out, one chunk at a time, whatever is
// under way elsewhere.
func TestAnIdleSeedIsAsked(t *testing.T) {
	const large, full = 10 << 20, 1000
	for _, test := range []struct {
		name    string
		size    int64
		holders int
		prepare func(c *Core, seed *neighbour)
		asked   int
	}{
		{"nobody else has it", large, 0, func(*Core, *neighbour) {}, 1},
		{"others have it", large, 1, func(*Core, *neighbour) {}, 0},
		{"its queue has not run out", large, 0, func(c *Core, seed *neighbour) { seed.queue, seed.queueAt = time.Second, c.now }, 0},
		{"it rests", large, 0, func(c *Core, seed *neighbour) { seed.restTill = c.now + 1 }, 0},
		{"it is asked already", large, 0, func(c *Core, seed *neighbour) { c.ask(seed, 0) }, 0},
		{"it is not busy", large, 0, func(_ *Core, seed *neighbour) { seed.busy = false }, 0},
		{"no more may be asked for in a second", large, 0, func(c *Core, _ *neighbour) { c.limit.rate = 1 }, 0},
		{"the window gives way to other traffic", large, 0, func(c *Core, _ *neighbour) { c.yield.ceiling = 24 }, 0},
		{"a small object", 128 << 10, 0, func(*Core, *neighbour) {}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, seed := lacking(t, test.size, 9, test.holders, 0)
			test.prepare(c, seed)
			if blocks := c.askIdleSeed(full, 24); blocks != test.asked*c.blocks {
				t.Errorf("%d blocks asked, want %d chunks of %d", blocks, test.asked, c.blocks)
			}
		})
	}
}

// lacking returns a reader that lacks some chunks, and its busy seed. Of its eight other neighbours holders hold what it lacks, and
// givers of those have given something.
func lacking(t *testing.T, size int64, missing, holders, givers int) (*Core, *neighbour) {
	t.Helper()
	c, mem := newLonely(t, size)
	h := mem.tree.Header()
	c.Join(0, []Introduction{{Peer: duoPeer(1)}}, nil)
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
			c.gave(v)
		}
		for i := range c.n {
			if k < holders || !c.free.has(i) {
				c.markHave(v, i)
			}
		}
	}
	return c, seed
}
