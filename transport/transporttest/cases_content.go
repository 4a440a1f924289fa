package transporttest

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"nt/chunker"
	"nt/chunker/nois"
	"nt/transport"
)

const kib = 1 << 10

// testSizes: the empty object, one byte, and the borders of chunks, MetaChunks
// and of the chunk size itself.
func testSizes(t *testing.T, h Harness) {
	meta := int64(chunker.ChunksPerMeta * kib)
	small := int64(chunker.SmallObjectChunks * kib)
	var all []*Content
	for i, size := range []int64{0, 1, kib - 1, kib, kib + 1, meta - 1, meta, meta + 1, meta + kib, 3*meta - 1, small, small + 1} {
		all = append(all, content(t, uint64(i), size))
	}
	nodes := h.Start(t, Holding(all...), nil)
	for _, c := range all {
		t.Run(fmt.Sprint(c.Header().Size), func(t *testing.T) {
			newFetch(nodes[1], c, nodes[0]).mustComplete(t, c)
		})
	}
}

// testAlreadyComplete: a full sink needs nobody.
func testAlreadyComplete(t *testing.T, h Harness) {
	nodes := h.Start(t, nil)
	for _, size := range []int64{0, 20 * kib} {
		c := content(t, 1, size)
		f := newFetch(nodes[0], c)
		fill(t, f.sink, c, nois.Interval{End: uint32(c.Header().NumChunks())})
		f.mustComplete(t, c)
	}
}

// testDisjointParts: three neighbours hold every third chunk, in more intervals
// than one message carries.
func testDisjointParts(t *testing.T, h Harness) {
	c := content(t, 1, 100*kib)
	sources := []transport.Source{nil}
	for part := range uint32(3) {
		var ivs []nois.Interval
		for i := part; i < 100; i += 3 {
			ivs = append(ivs, nois.Interval{Start: i, End: i + 1})
		}
		sources = append(sources, HoldingPart(c, ivs...))
	}
	nodes := h.Start(t, sources...)
	newFetch(nodes[0], c, nodes[1:]...).mustComplete(t, c)
}

// testResume: what the sink has is not delivered again.
func testResume(t *testing.T, h Harness) {
	c := content(t, 1, 200*kib+7)
	nodes := h.Start(t, Holding(c), nil)
	f := newFetch(nodes[1], c, nodes[0])
	fill(t, f.sink, c, nois.Interval{Start: 0, End: 30}, nois.Interval{Start: 47, End: 48}, nois.Interval{Start: 150, End: 201})
	f.mustComplete(t, c)
}

// fill puts chunks of c into the sink.
func fill(t *testing.T, s *Sink, c *Content, ivs ...nois.Interval) {
	t.Helper()
	if err := s.Begin(c.Header()); err != nil {
		t.Fatal(err)
	}
	for _, iv := range ivs {
		for i := int(iv.Start); i < int(iv.End); i++ {
			p, err := c.MetaProof(chunker.MetaOf(i))
			if err = errors.Join(err, s.AddProof(chunker.MetaOf(i), p), s.Put(i, c.Chunk(i, nil))); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// testPartOnly: what nobody holds cannot be fetched; the rest is delivered and stays.
func testPartOnly(t *testing.T, h Harness) {
	c := content(t, 1, 64*kib)
	part := nois.Interval{Start: 10, End: 40}
	nodes := h.Start(t, HoldingPart(c, part), nil)
	f := newFetch(nodes[1], c, nodes[0])
	f.mustFail(t, c, transport.ErrNoProgress)
	if want := nois.Of(part); !f.sink.Have().Equal(want) {
		t.Errorf("the sink has %d bytes, want the chunks %v", f.sink.Bytes(), part)
	}
}

// testNobodyHelps: no peers, a locator that fails, peers without the object, dead peers.
func testNobodyHelps(t *testing.T, h Harness) {
	c, other := content(t, 1, 20*kib), content(t, 2, 20*kib)
	nodes := h.Start(t, nil, Holding(other), Holding(c))
	nodes[2].Kill()
	for name, peers := range map[string]func(int) ([]transport.Peer, error){
		"NoPeers":   always(),
		"NoLocator": func(int) ([]transport.Peer, error) { return nil, errors.New("no locator") },
		"NotThere":  always(nodes[1]),
		"Dead":      always(nodes[2]),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFetch(nodes[0], c)
			f.peers = peers
			f.mustFail(t, c, transport.ErrNoProgress)
			if n := f.sink.Bytes(); n != 0 {
				t.Errorf("%d bytes came from nobody", n)
			}
		})
	}
}

// testUnusablePeers: entries of a list that make no sense are passed over.
func testUnusablePeers(t *testing.T, h Harness) {
	c := content(t, 1, 20*kib)
	nodes := h.Start(t, Holding(c), nil)
	alien := nodes[0].Peer
	alien.Transports = []string{"carrier-pigeon"}
	junk := []transport.Peer{
		{},
		{Addr: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), 0)},
		{Addr: netip.MustParseAddrPort("0.0.0.0:9")},
		{Addr: netip.MustParseAddrPort("224.0.0.1:9")},
		alien,
	}
	f := newFetch(nodes[1], c)
	f.peers = func(int) ([]transport.Peer, error) { return junk, nil }
	f.mustFail(t, c, transport.ErrNoProgress)
	if n := f.sink.Bytes(); n != 0 {
		t.Errorf("%d bytes came from a peer that does not speak %s", n, nodes[1].Name())
	}
	f.peers = func(int) ([]transport.Peer, error) { return append(junk, nodes[0].Peer), nil }
	f.mustComplete(t, c)
}
