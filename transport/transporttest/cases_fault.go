package transporttest

import (
	"sync/atomic"
	"testing"
	"time"

	"nt/chunker"
	"nt/transport"
)

// testSlowNeighbour: the only holder takes its time for each chunk.
func testSlowNeighbour(t *testing.T, h Harness) {
	c := content(t, 1, 64*kib)
	obj := NewObject(c, nil)
	obj.OnRead = func(int) { time.Sleep(2 * time.Millisecond) } // its slowness, not a wait for anything
	nodes := h.Start(t, Source{c.ID(): obj}, nil)
	newFetch(nodes[1], c, nodes[0]).mustComplete(t, c)
}

// testSilentNeighbour: a neighbour that stops in the middle and keeps the
// connection open does not hold up the fetch.
func testSilentNeighbour(t *testing.T, h Harness) {
	c := content(t, 1, 300*kib)
	obj := NewObject(c, nil)
	gate := gateAfter(obj, 100)
	nodes := h.Start(t, Source{c.ID(): obj}, Holding(c), nil)
	t.Cleanup(gate.open)
	h.warm(t, nodes[0], c.ID())
	gate.arm()
	newFetch(nodes[2], c, nodes[0], nodes[1]).mustComplete(t, c)
}

// testDyingNeighbour: a neighbour is killed in the middle of the object.
func testDyingNeighbour(t *testing.T, h Harness) {
	c := content(t, 1, 300*kib)
	obj := NewObject(c, nil)
	var at atomic.Int64
	kill := make(chan func(), 1)
	obj.OnRead = func(int) {
		if obj.Reads() == at.Load() {
			(<-kill)()
		}
	}
	nodes := h.Start(t, Source{c.ID(): obj}, Holding(c), nil)
	h.warm(t, nodes[0], c.ID())
	kill <- nodes[0].Kill
	at.Store(obj.Reads() + 100)
	newFetch(nodes[2], c, nodes[0], nodes[1]).mustComplete(t, c)
}

// lies are the ways in which a neighbour can deliver something else.
func lies() map[string]func(*Object) {
	return map[string]func(*Object){
		"Chunk": func(o *Object) {
			o.Spoil = func(_ int, data []byte) { data[len(data)/2] ^= 1 }
		},
		"LaterChunk": func(o *Object) {
			o.Spoil = func(i int, data []byte) {
				if i >= 20 {
					data[0] ^= 0x80
				}
			}
		},
		"OtherChunk": func(o *Object) {
			o.Spoil = func(i int, data []byte) { copy(data, o.content.Chunk((i+1)%8, nil)) }
		},
		"Leaf": func(o *Object) {
			o.SpoilProof = func(_ int, p *chunker.MetaProof) { p.Leaves[len(p.Leaves)-1][31] ^= 1 }
		},
		"Path": func(o *Object) {
			o.SpoilProof = func(_ int, p *chunker.MetaProof) { p.Path[0][0] ^= 1 }
		},
		"Root":  func(o *Object) { o.SpoilHeader = func(h *chunker.Header) { h.Root[0] ^= 1 } },
		"Whole": func(o *Object) { o.SpoilHeader = func(h *chunker.Header) { h.SHA256[0] ^= 1 } },
		"Size":  func(o *Object) { o.SpoilHeader = func(h *chunker.Header) { h.Size += kib } },
	}
}

// testLyingNeighbour: a liar is found out, named, and the object completed from
// an honest neighbour. Until the liar is found out the lists name it alone, so that it is asked: on a busy machine the honest
// one had given everything before the liar was heard.
func testLyingNeighbour(t *testing.T, h Harness) {
	c := content(t, 1, 100*kib)
	for name, lie := range lies() {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			liar := NewObject(c, nil)
			lie(liar)
			nodes := h.Start(t, Source{c.ID(): liar}, Holding(c), nil)
			f := newFetch(nodes[2], c)
			begun := time.Now()
			f.peers = func(int) ([]transport.Peer, error) {
				if f.Failures(transport.EventBadPeer, nodes[0].Peer.Addr) == 0 && time.Since(begun) < 10*time.Second {
					return []transport.Peer{nodes[0].Peer}, nil
				}
				return []transport.Peer{nodes[0].Peer, nodes[1].Peer}, nil
			}
			f.mustComplete(t, c)
			if n := f.Failures(transport.EventBadPeer, nodes[0].Peer.Addr); n != 1 {
				t.Errorf("the liar was named bad %d times, want once\n%s", n, &f.Log)
			}
			if n := f.Failures(transport.EventBadPeer, nodes[1].Peer.Addr); n != 0 {
				t.Errorf("the honest neighbour was named bad\n%s", &f.Log)
			}
		})
	}
}

// testOnlyLiars: nothing wrong is taken when there is nothing right.
func testOnlyLiars(t *testing.T, h Harness) {
	c := content(t, 1, 100*kib)
	sources := []transport.Source{nil}
	for _, lie := range lies() {
		liar := NewObject(c, nil)
		liar.Spoil = func(_ int, data []byte) { data[0] ^= 1 } // where the lie is not in the chunks
		lie(liar)
		sources = append(sources, Source{c.ID(): liar})
	}
	nodes := h.Start(t, sources...)
	f := newFetch(nodes[0], c, nodes[1:]...)
	f.mustFail(t, c, transport.ErrNoProgress)
	if f.sink.Complete() {
		t.Error("the sink is complete")
	}
	for _, n := range nodes[1:] {
		if f.Failures(transport.EventBadPeer, n.Peer.Addr) != 1 {
			t.Errorf("liar %s was not named bad once\n%s", n.Peer.Addr, &f.Log)
		}
	}
}
