package roulette

import (
	"testing"
	"time"

	"nt/chunker"
)

// TestAnAnswerToWhatWasGivenUpOvertakesNothing: requests to one neighbour are answered in order, and what was asked before the request that is answered
// is lost. A request that was given up and made again is answered in the place of the first.
func TestAnAnswerToWhatWasGivenUpOvertakesNothing(t *testing.T) {
	const ms = time.Millisecond
	for _, x := range []struct {
		name string
		took time.Duration // from when it was asked again to the answer
		left int           // requests that wait afterwards
	}{
		{"an answer to the first", ms, 2},
		{"an answer to the second", 50 * ms, 1},
	} {
		c, mem := newLonely(t, 128<<10)
		h := mem.tree.Header()
		c.Join(0, []Introduction{{Peer: duoPeer(1)}}, nil)
		seed := c.neighbours[0]
		c.Receive(0, seed.id, &Welcome{Header: &h})
		seed.link.rtt = 30 * ms
		request := func(chunk int32, at time.Duration) asked {
			return asked{chunk: chunk, left: 1, at: at, sent: true}
		}
		seed.old = []asked{request(5, ms)}
		seed.asked = []asked{request(6, 2*ms), request(5, 40*ms), request(7, 41*ms)}
		c.now = 40*ms + x.took
		if !c.matchAsk(seed, &Data{Chunk: 5, For: 5, Len: BlockSize}) {
			t.Fatalf("%s: nobody asked for it", x.name)
		}
		if len(seed.asked) != x.left {
			t.Errorf("%s: %d requests wait, want %d", x.name, len(seed.asked), x.left)
		}
	}
}

// TestOnlyWhatIsProvedIsTakenFromHold: blocks of other MetaChunks wait on, and up to 1 MiB of them, however small they are.
func TestOnlyWhatIsProvedIsTakenFromHold(t *testing.T) {
	c, mem := newLonely(t, 4<<20)
	h := mem.tree.Header()
	c.Join(0, []Introduction{{Peer: duoPeer(1)}}, nil)
	seed := c.neighbours[0]
	c.Receive(0, seed.id, &Welcome{Header: &h})
	proofs := map[int][]byte{}
	for m := range h.NumMetaChunks() {
		p, err := mem.tree.MetaProof(m)
		if err != nil {
			t.Fatal(err)
		}
		proofs[m] = p.AppendBinary(nil)
	}
	mem.tree, mem.proof = chunker.NewTree(h), map[int]bool{}
	blocks := 0
	for i := range c.n {
		for b := range c.blocksOf(i) {
			c.takeBlock(seed, uint32(i), uint8(b), mem.chunk(i)[b*BlockSize:][:BlockSize])
			blocks++
		}
	}
	if want := min(blocks, maxHeldBytes/BlockSize); len(c.held) != want {
		t.Fatalf("%d blocks of %d are held, want %d", len(c.held), blocks, want)
	}
	before, meta := len(c.held), 3
	c.Receive(time.Millisecond, seed.id, &Proof{Meta: uint32(meta), Hashes: proofs[meta]})
	of := 0
	for i := meta * chunker.ChunksPerMeta; i < (meta+1)*chunker.ChunksPerMeta; i++ {
		of += c.blocksOf(i)
		if !c.bits.has(i) {
			t.Errorf("chunk %d was held and proved, and is not there", i)
		}
	}
	if len(c.held) != before-of {
		t.Errorf("%d blocks are held, want %d of %d", len(c.held), before-of, before)
	}
}
