package roulette

import (
	"testing"
	"time"
)

// A greeting asks for the proof of whatever answers it, and nobody else is asked for those of its class meanwhile. Once it is refused, who
// brought a chunk that waits for its proof is asked at once.
func TestRefusedGreetingBringsNoProof(t *testing.T) {
	c, mem := newLonely(t, 128<<10)
	mem.proof = map[int]bool{}
	h := mem.tree.Header()
	c.Join(0, []Introduction{{Peer: duoPeer(1)}})
	c.Receive(50*time.Millisecond, c.neighbours[0].id, &Welcome{Header: &h, Peers: []Introduction{{Peer: duoPeer(2)}, {Peer: duoPeer(3)}}})
	if len(c.neighbours) != 3 {
		t.Fatalf("%d neighbours, want 3", len(c.neighbours))
	}
	first, second := c.neighbours[1], c.neighbours[2] // asked for MetaChunks 0 to 3, and 4 to 7
	c.Actions()
	c.Receive(100*time.Millisecond, second.id, &Data{Chunk: 20, Blind: true, Len: BlockSize, Payload: mem.chunk(20)})
	if asked := proofsAskedOf(c, second); len(c.held) != 1 || len(asked) != 0 {
		t.Fatalf("%d blocks held, proofs asked: %v; want that of MetaChunk 1 to be waited for", len(c.held), asked)
	}
	c.Receive(c.now, first.id, &Status{})
	if asked := proofsAskedOf(c, second); len(asked) != 1 || asked[0] != 1 {
		t.Errorf("proofs asked of who brought the chunk: %v, want that of MetaChunk 1", asked)
	}
}

// proofsAskedOf returns the MetaChunks whose proofs alone are asked of v by what is to be sent.
func proofsAskedOf(c *Core, v *neighbour) (metas []int) {
	for _, a := range c.Actions() {
		s, _ := a.(Send)
		m, ok := s.Msg.(*Request)
		if !ok || s.To != v.id {
			continue
		}
		for _, ask := range m.Asks {
			if ask.ProofOnly {
				metas = append(metas, int(ask.Chunk)/16)
			}
		}
	}
	return metas
}

// What a seed pushes comes with its proof where those it introduces are too few to bring it.
func TestProofsGoWithWhatIsPushed(t *testing.T) {
	for named, proof := range map[int]bool{0: true, 3: true, 4: false, 10: false} {
		w := newCrowd(t)
		for i := range w.p.SeedCrowd + 1 {
			w.join(t, 0, i)
		}
		v := w.neighbours[0]
		v.queued, w.unserved = nil, 0
		w.queuePushes(v, named)
		if len(v.queued) == 0 {
			t.Fatalf("%d named: nothing is pushed", named)
		}
		if got := v.queued[0].Proof; got != proof {
			t.Errorf("%d named of 8 MetaChunks: proof pushed: %v, want %v", named, got, proof)
		}
	}
}
