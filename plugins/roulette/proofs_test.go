package roulette

import (
	"math/rand/v2"
	"testing"
	"time"

	"nt/chunker"
	"nt/chunker/nois"
)

// newGiver returns a seed, or a reader that has everything and gives, and its only neighbour.
func newGiver(t *testing.T, seed bool) (*Core, NeighbourID) {
	mem := newMemContent(t, 128<<10)
	h := mem.tree.Header()
	mem.have.AddRange(nois.Interval{Start: 0, End: uint32(h.NumChunks())})
	p := Tuned()
	p.KnownRate = 100e3
	c := New(Config{Params: p, Rand: rand.New(rand.NewPCG(1, 1)), Object: h.ID(), Content: mem, Ledger: NewLedger(), Uplink: NewUplink(&p, 72), Seed: seed, Give: !seed})
	id, _ := c.Accept(0, duoPeer(1))
	return c, id
}

// TestProofsLeaveOutWhatIsKnown: with a chunk goes as much of its MetaChunk's proof as the neighbour does not know by another; who asks for the
// proof alone gets all of it.
func TestProofsLeaveOutWhatIsKnown(t *testing.T) {
	c, id := newGiver(t, false)
	now := time.Duration(0)
	for _, x := range []struct {
		holds uint32 // a chunk that the neighbour tells it has
		ask   Ask
		path  int // hashes
	}{
		{99, Ask{Chunk: 5, Proof: true}, 2},      // MetaChunk 6, asked for 0: they meet at the root, and the hash below it is known
		{16, Ask{Chunk: 5, Proof: true}, 0},      // 1, its sibling
		{16, Ask{Chunk: 40, Proof: true}, 1},     // 1, asked for 2
		{16, Ask{Chunk: 32, ProofOnly: true}, 3}, // the same, alone
	} {
		now += 500 * time.Millisecond
		c.Receive(now, id, &Request{Have: told(c, x.holds), Asks: []Ask{x.ask}})
		hashes := -1
		for _, a := range c.Actions() {
			if s, ok := a.(Send); ok && s.Msg.Kind() == KindProof {
				hashes = len(s.Msg.(*Proof).Hashes) / chunker.HashSize
			}
		}
		if hashes != chunker.ChunksPerMeta+x.path {
			t.Errorf("%+v of who holds %d: %d hashes, want %d", x.ask, x.holds, hashes, chunker.ChunksPerMeta+x.path)
		}
	}
}

// TestAProofThatIsTooShortIsNoPoison: it proves nothing, and says nothing against who sent it.
func TestAProofThatIsTooShortIsNoPoison(t *testing.T) {
	mem := newMemContent(t, 128<<10)
	h := mem.tree.Header()
	whole, _ := mem.tree.MetaProof(0)
	mem.tree, mem.proof = chunker.NewTree(h), map[int]bool{}
	p := Tuned()
	c := New(Config{Params: p, Rand: rand.New(rand.NewPCG(1, 1)), Object: h.ID(), Content: mem, Ledger: NewLedger(), Uplink: NewUplink(&p, 72)})
	id, _ := c.Accept(0, duoPeer(1))
	c.Receive(time.Millisecond, id, &Proof{Hashes: whole.Short(h, 0, 1).AppendBinary(nil)})
	if c.byID[id] == nil || mem.HasProof(0) {
		t.Errorf("kept %v, proved %v", c.byID[id] != nil, mem.HasProof(0))
	}
	c.Receive(2*time.Millisecond, id, &Proof{Hashes: whole.AppendBinary(nil)})
	if !mem.HasProof(0) {
		t.Error("the whole proof is not taken")
	}
}
