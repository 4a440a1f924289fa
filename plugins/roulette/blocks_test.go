package roulette

import (
	"math/rand/v2"
	"testing"
	"time"

	"nt/chunker"
)

// Objects of which a chunk is of several blocks: 6 MiB have chunks of 2 KiB, 10 MiB of 4.

// All that a seed has begun to give counts as given: of many readers who ask for the same rare chunk at the same time, each gets
// another one, and whole, not one block of everybody's in turn.
func TestSeedGivesEachAnotherChunkOfManyBlocks(t *testing.T) {
	w := newCrowdOf(t, 10<<20)
	var ids []NeighbourID
	for i := range 20 {
		ids = append(ids, w.join(t, 0, i+1))
	}
	w.until(3 * time.Second) // WELCOMEs and what is pushed are out
	for _, id := range ids {
		w.Receive(3*time.Second, id, &Request{Asks: []Ask{{Chunk: 2000, Any: true}}})
	}
	first, open := map[uint32]int{}, map[NeighbourID]uint32{}
	for now := 3 * time.Second; now < 5*time.Second; {
		for _, a := range w.Actions() {
			s, ok := a.(Send)
			m, isData := s.Msg.(*Data)
			if !ok || !isData {
				continue
			}
			if m.Block == 0 {
				first[m.Chunk]++
				open[s.To] = m.Chunk
			}
			if m.Block == 3 {
				delete(open, s.To)
			}
			if len(open) > 1 {
				t.Fatalf("%d chunks are begun and not finished", len(open))
			}
		}
		at, ok := w.NextDeadline()
		if !ok {
			break
		}
		now = at
		w.Advance(now)
	}
	if len(first) != len(ids) {
		t.Errorf("%d requests are answered with %d different chunks", len(ids), len(first))
	}
	for chunk, n := range first {
		if n > 1 {
			t.Errorf("chunk %d goes to %d readers, and two thousand to nobody", chunk, n)
		}
	}
}

// Who leaves in the middle of a chunk has not been given it.
func TestHalfAChunkIsNotGiven(t *testing.T) {
	w := newCrowdOf(t, 10<<20)
	id := w.join(t, 0, 1)
	begun := func() (n int) {
		for _, g := range w.given {
			n += int(g)
		}
		return n
	}
	now, whole := time.Duration(0), 0
	for half := false; !half; {
		for _, a := range w.Actions() {
			if s, ok := a.(Send); ok {
				if m, ok := s.Msg.(*Data); ok {
					half = m.Block == 1
					if m.Block == 3 {
						whole++
					}
				}
			}
		}
		if at, ok := w.NextDeadline(); !half && ok {
			now = at
			w.Advance(now)
		}
	}
	if begun() != whole+1 || w.unserved != w.n-whole-1 {
		t.Fatalf("%d chunks are out and one is begun, but %d count as given and %d of %d as unserved", whole, begun(), w.unserved, w.n)
	}
	w.Receive(now, id, &Bye{})
	if begun() != whole || w.unserved != w.n-whole {
		t.Errorf("%d chunks are out, but %d count as given and %d of %d as unserved", whole, begun(), w.unserved, w.n)
	}
}

// newReaderOf returns a core that has nothing but the header, and a neighbour that it has greeted.
func newReaderOf(t *testing.T, size int64) (*Core, *memContent, NeighbourID) {
	t.Helper()
	c, mem := newLonely(t, size)
	c.AddPeers(0, []Introduction{{Peer: duoPeer(1)}})
	return c, mem, c.neighbours[0].id
}

// newLonely returns a reader of an object that knows nobody.
func newLonely(t *testing.T, size int64) (*Core, *memContent) {
	t.Helper()
	p := Tuned()
	mem := newMemContent(t, size)
	return New(Config{Params: p, Rand: rand.New(rand.NewPCG(1, 1)), Object: mem.tree.Header().ID(), Content: mem, Ledger: NewLedger(), Uplink: NewUplink(&p, 72)}), mem
}

// The answer to a blind request is a chunk: all its blocks are taken, and it is asked of nobody else meanwhile.
func TestBlindAnswerOfManyBlocksIsTakenWhole(t *testing.T) {
	c, mem, v := newReaderOf(t, 10<<20)
	whole := mem.chunk(77)
	for b := range 4 {
		if b > 0 && c.free.has(77) {
			t.Error("the chunk is free to be asked for while its blocks come")
		}
		c.Receive(time.Duration(60+10*b)*time.Millisecond, v, &Data{Chunk: 77, For: 77, Block: uint8(b), Blind: true, Payload: whole[b*BlockSize : (b+1)*BlockSize], Len: BlockSize})
	}
	if !c.bits.has(77) || c.stats.Unasked > 0 {
		t.Errorf("the chunk is there: %v; %d of its blocks were taken for what nobody asked", c.bits.has(77), c.stats.Unasked)
	}
	if c.reserved[77] != 0 {
		t.Errorf("reserved %d times after it came", c.reserved[77])
	}
}

// A seed that gives each of many readers a chunk in turn takes long: it is given more time when its answer comes late, and no help is
// called meanwhile; of small chunks, and of readers, nothing is learnt so.
func TestSlowSeedIsGivenTime(t *testing.T) {
	for _, x := range []struct {
		size  int64
		learn bool
	}{{10 << 20, true}, {128 << 10, false}} {
		c, _, id := newReaderOf(t, x.size)
		v := c.byID[id]
		v.seed = true
		a := asked{chunk: 5, left: 4, at: time.Second, sent: true}
		c.now = 5 * time.Second
		c.noteSlowSeed(v, &a)
		soft, _ := c.patience(v)
		if got := soft > 4*time.Second; got != x.learn {
			t.Errorf("%d bytes: waits %v for a seed that took 4 s", x.size, soft)
		}
		v.asked = []asked{{chunk: 6, left: 4, at: c.now, sent: true}}
		c.progress = c.now
		if got := c.rescueAt() > c.now+c.p.RescueAfter; got != x.learn {
			t.Errorf("%d bytes: calls for help after %v", x.size, c.rescueAt()-c.now)
		}
		a = asked{chunk: 7, left: 4, at: c.now - time.Hour, sent: true}
		if c.noteSlowSeed(v, &a); a.made != 0 {
			t.Error("learnt of a request of an hour ago")
		}
	}
}

// Who knows others enough waits longer for a chunk of several blocks before it calls for help.
func TestHelpIsCalledByTheChunk(t *testing.T) {
	for _, x := range []struct {
		size          int64
		others, times int
	}{{10 << 20, 8, 4}, {10 << 20, 3, 1}, {100 << 20, 8, 4}, {128 << 10, 8, 1}} {
		c, mem := newLonely(t, x.size)
		c.learnHeader(mem.tree.Header())
		for k := range x.others {
			c.Accept(0, duoPeer(k+1))
		}
		c.neighbours[0].asked = []asked{{chunk: 6, left: 1, sent: true}}
		if got, want := c.rescueAt(), time.Duration(x.times)*c.p.RescueAfter; got != want {
			t.Errorf("%d bytes, %d others: help is called after %v, want %v", x.size, x.others, got, want)
		}
	}
}

// What is given in advance is a chunk at least.
func TestTabFitsAChunk(t *testing.T) {
	for size, chunk := range map[int64]int{128 << 10: 1 << 10, 10 << 20: 4 << 10, 40 << 20: 16 << 10} {
		c, _, _ := newReaderOf(t, size)
		if got := chunker.ChunkSize(size); got != chunk {
			t.Fatalf("chunks of %d bytes", got)
		}
		if c.p.Tab < chunk || c.p.NewBlocks*BlockSize < chunk {
			t.Errorf("%d bytes: a tab of %d bytes, %d blocks for newcomers, chunks of %d bytes", size, c.p.Tab, c.p.NewBlocks, chunk)
		}
	}
}

// The queue that a window makes way for is longer where chunks are of several blocks, because each is a queue for a moment; on a
// fast link that moment is nothing.
func TestQueueOfChunksOfManyBlocks(t *testing.T) {
	most := Tuned().QueueMost
	for _, x := range []struct {
		size      int64
		rate      float64
		low, high time.Duration
	}{
		{128 << 10, 0, most, most},
		{128 << 10, 100e3, most, most},
		{6 << 20, 0, most, most},
		{10 << 20, 0, 2 * most, 2 * most},
		{10 << 20, 100e3, 2 * most, 2 * most},
		{10 << 20, 12.5e6, most, most + 5*time.Millisecond},
		{100 << 20, 100e3, 2 * most, 2 * most},
	} {
		c, _, _ := newReaderOf(t, x.size)
		c.down.rate = x.rate
		if got := c.queueMost(); got < x.low || got > x.high {
			t.Errorf("%d MiB at %.0f kB/s: a queue of %v, want %v to %v", x.size>>20, x.rate/1e3, got, x.low, x.high)
		}
	}
}

// A few chunks may queue on any link, however slow it is. What other traffic takes of it makes it no slower: what came in a moment
// before counts.
func TestQueueOfASlowLink(t *testing.T) {
	most := Tuned().QueueMost
	for _, x := range []struct {
		size       int64
		peak, rate float64
		want       time.Duration
	}{
		{128 << 10, 250e3, 250e3, most},
		{128 << 10, 50e3, 50e3, 61440 * time.Microsecond},
		{10 << 20, 100e3, 100e3, 122880 * time.Microsecond},
		{10 << 20, 100e3, 30e3, 122880 * time.Microsecond},
		{10 << 20, 250e3, 80e3, 2 * most},
		{100 << 20, 100e3, 100e3, 122880 * time.Microsecond},
		{100 << 20, 5e3, 5e3, longestQueue},
	} {
		c, _, _ := newReaderOf(t, x.size)
		c.down.rate = x.rate
		for i := range 4 {
			c.peak.add(time.Duration(i)*peakSpan, x.peak*peakSpan.Seconds()/float64(i+1))
		}
		if got := c.queueMost(); got != x.want {
			t.Errorf("%d KiB, %.0f kB/s of at least %.0f: a queue of %v, want %v", x.size>>10, x.rate/1e3, x.peak/1e3, got, x.want)
		}
	}
}

// A link that fills up is taken for as fast as it has just been; a slow one is not known before it has been measured for a while.
func TestWindowOfALinkThatFillsUp(t *testing.T) {
	for _, x := range []struct {
		blocks int // a message, one in each 10 ms
		wider  bool
	}{{16, true}, {1, false}} {
		c, _, _ := newReaderOf(t, 10<<20)
		least := c.byRate()
		for i := range 30 {
			c.now = time.Second + 10*time.Millisecond*time.Duration(i)
			c.down.add(c.now, float64(x.blocks*BlockSize))
			c.train.add(c.now, x.blocks)
		}
		if got := c.byRate() > 4*least; got != x.wider {
			t.Errorf("after 0.3 s at %d kB/s a window of %d blocks, %d before", x.blocks*100, c.byRate(), least)
		}
	}
}
