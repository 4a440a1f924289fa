package chunker

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// snapshot is everything a tree knows, for "changes nothing".
func snapshot(t *Tree) Tree {
	s := *t
	s.leaves = slices.Clone(t.leaves)
	s.upper = nil
	for _, level := range t.upper {
		s.upper = append(s.upper, slices.Clone(level))
	}
	return s
}

// TestF23_ProofsBuildTheTree hands the proofs of every MetaChunk over in their
// wire form to a reader who has the header only; in the end both trees are the same.
func TestF23_ProofsBuildTheTree(t *testing.T) {
	for _, size := range borderSizes() {
		data := content(size)
		full := build(t, data)
		h := full.Header()
		reader := NewTree(h)
		for n := range h.NumMetaChunks() {
			m := h.NumMetaChunks() - 1 - n // the order does not matter
			if reader.HasMeta(m) != (h.NumChunks() == 1) {
				t.Fatalf("%d bytes: HasMeta(%d) = %v before its proof", size, m, reader.HasMeta(m))
			}
			p, err := full.MetaProof(m)
			if err != nil {
				t.Fatal(err)
			}
			wire := p.AppendBinary(nil)
			if len(wire) != h.MetaProofSize(m) {
				t.Fatalf("%d bytes: proof of %d is %d bytes, want %d", size, m, len(wire), h.MetaProofSize(m))
			}
			back, err := h.ParseMetaProof(m, wire)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // again does nothing
				if err := reader.AddProof(m, back); err != nil || !reader.HasMeta(m) {
					t.Fatalf("%d bytes: %v", size, err)
				}
			}
		}
		if got, want := snapshot(reader), snapshot(full); !reader.Complete() || !reflect.DeepEqual(got, want) {
			t.Errorf("%d bytes: the reader's tree is another one", size)
		}
	}
}

// TestF23_MetaProofIsRFC6962 checks a MetaProof's parts against the recursive definition.
func TestF23_MetaProofIsRFC6962(t *testing.T) {
	data := content(100_000)
	tree := build(t, data)
	d := cutAll(tree.Header(), data)
	for i := range d {
		p, err := tree.ChunkProof(i)
		if err != nil {
			t.Fatal(err)
		}
		if want := naivePath(i, d); !slices.Equal([]Hash(p), want) {
			t.Errorf("chunk %d: path of %d hashes is not that of RFC 6962 (%d)", i, len(p), len(want))
		}
		meta, err := tree.MetaProof(MetaOf(i))
		if err != nil {
			t.Fatal(err)
		}
		if n := len(meta.Path); n > len(p) || !slices.Equal(meta.Path, p[len(p)-n:]) {
			t.Errorf("chunk %d: MetaProof's path is not the end of the chunk's", i)
		}
	}
}

func anySize() *rapid.Generator[int] {
	return rapid.OneOf(rapid.SampledFrom(borderSizes()[2:26]), rapid.IntRange(1, 90<<10))
}

// TestF23_WrongProofChangesNothing flips a bit, moves the index, swaps, drops,
// adds or borrows hashes: every such proof is refused and leaves the tree as it was.
func TestF23_WrongProofChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := anySize().Draw(t, "size")
		full, _ := Build(bytes.NewReader(content(size)), int64(size))
		h := full.Header()
		reader := NewTree(h)
		m := rapid.IntRange(0, h.NumMetaChunks()-1).Draw(t, "meta")
		if rapid.Bool().Draw(t, "known") { // a tree that knows more must not believe more
			p, _ := full.MetaProof(m)
			if err := reader.AddProof(m, p); err != nil {
				t.Fatal(err)
			}
		}
		good, _ := full.MetaProof(m)
		at, bad := spoil(t, h, m, good)
		before := snapshot(reader)
		want := ErrBadProof
		err := reader.AddProof(at, bad)
		if len(bad.Path) < h.MetaPathLen(at) && errors.Is(err, ErrNoProof) { // moved to where the path is longer
			want = ErrNoProof
		}
		if !errors.Is(err, want) {
			t.Fatalf("MetaChunk %d as %d: %v", m, at, err)
		}
		if !reflect.DeepEqual(snapshot(reader), before) {
			t.Fatal("a wrong proof has changed the tree")
		}
	})
}

// TestF23_ShortProofs: a reader takes proofs without what it knows already, in any order, and in the end has the whole tree for one hash of
// a path for each MetaChunk but the first. What ends before anything that it knows is no proof, and changes nothing.
func TestF23_ShortProofs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 600<<10).Draw(t, "size")
		full, _ := Build(bytes.NewReader(content(size)), int64(size))
		h := full.Header()
		reader := NewTree(h)
		var known []int
		paths := 0
		for _, m := range rapid.Permutation(rangeOf(h.NumMetaChunks())).Draw(t, "order") {
			whole, _ := full.MetaProof(m)
			best := whole
			for _, other := range known {
				if p := whole.Short(h, m, other); len(p.Path) < len(best.Path) {
					best = p
				}
			}
			if n := len(best.Path); n > 0 && !reader.HasMeta(m) {
				before := snapshot(reader)
				if err := reader.AddProof(m, MetaProof{best.Leaves, best.Path[:n-1]}); !errors.Is(err, ErrNoProof) || !reflect.DeepEqual(snapshot(reader), before) {
					t.Fatalf("MetaChunk %d with a path of %d that needs %d: %v", m, n-1, n, err)
				}
			}
			p, err := h.ParseShortProof(m, best.AppendBinary(nil))
			if err == nil {
				err = reader.AddProof(m, p)
			}
			if err != nil {
				t.Fatalf("MetaChunk %d after %v: %v", m, known, err)
			}
			if again, err := reader.MetaProof(m); err != nil || !reflect.DeepEqual(again, whole) {
				t.Fatalf("MetaChunk %d is proved to others with %v, %v", m, again, err)
			}
			known, paths = append(known, m), paths+len(best.Path)
		}
		if got, want := snapshot(reader), snapshot(full); !reader.Complete() || !reflect.DeepEqual(got, want) {
			t.Error("the reader's tree is another one")
		}
		if n := h.NumMetaChunks(); paths != n-1 {
			t.Errorf("%d hashes of paths for %d MetaChunks", paths, n)
		}
	})
}

func rangeOf(n int) (all []int) {
	for i := range n {
		all = append(all, i)
	}
	return all
}

// spoil returns a proof that differs from good, or the same one at another index.
func spoil(t *rapid.T, h Header, m int, good MetaProof) (int, MetaProof) {
	bad := MetaProof{Leaves: slices.Clone(good.Leaves), Path: slices.Clone(good.Path)}
	all := [][]Hash{bad.Leaves, bad.Path}
	part := all[rapid.IntRange(0, 1).Draw(t, "part")]
	if len(part) == 0 {
		part = bad.Leaves
	}
	i := rapid.IntRange(0, len(part)-1).Draw(t, "i")
	switch rapid.IntRange(0, 7).Draw(t, "how") {
	case 0:
		part[i][rapid.IntRange(0, HashSize-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
	case 1:
		part[i] = Hash{}
	case 2:
		return rapid.SampledFrom([]int{-1, h.NumMetaChunks(), 1 << 40, -1 << 40}).Draw(t, "outside"), bad
	case 3:
		if n := h.NumMetaChunks(); n > 1 {
			return (m + rapid.IntRange(1, n-1).Draw(t, "moved")) % n, bad
		}
		bad.Leaves = nil
	case 4:
		bad.Leaves = append(bad.Leaves, bad.Leaves[0])
	case 5:
		bad.Path = append(bad.Path, Hash{1})
	case 6:
		bad.Leaves = bad.Leaves[1:]
	case 7: // a node passed off as a leaf: the tree one level higher
		bad.Leaves = pairUp(bad.Leaves, nil)
		if len(good.Leaves) == 1 {
			bad.Leaves = nil
		}
	}
	return m, bad
}

// TestF23_ChunkProof checks that a chunk's path proves that chunk, at that
// place, of that header, and nothing else.
func TestF23_ChunkProof(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := content(anySize().Draw(t, "size"))
		full, _ := Build(bytes.NewReader(data), int64(len(data)))
		h := full.Header()
		i := rapid.IntRange(0, h.NumChunks()-1).Draw(t, "chunk")
		p, err := full.ChunkProof(i)
		if err != nil {
			t.Fatal(err)
		}
		c := bytes.Clone(chunk(h, data, i))
		if err := h.VerifyChunk(i, c, p); err != nil {
			t.Fatal(err)
		}
		refuse := func(why string, i int, c []byte, p ChunkProof) {
			if err := h.VerifyChunk(i, c, p); !errors.Is(err, ErrBadChunk) && !errors.Is(err, ErrBadProof) {
				t.Fatalf("%s: %v", why, err)
			}
		}
		refuse("longer proof", i, c, append(slices.Clone(p), Hash{}))
		refuse("longer chunk", i, append(slices.Clone(c), 0), p)
		refuse("outside", -1, c, p)
		refuse("outside", h.NumChunks(), c, p)
		if n := h.NumChunks(); n > 1 {
			refuse("moved", (i+rapid.IntRange(1, n-1).Draw(t, "by"))%n, c, p)
			refuse("shorter proof", i, c, p[1:])
			q := slices.Clone(p)
			q[rapid.IntRange(0, len(q)-1).Draw(t, "hash")][3] ^= 4
			refuse("other proof", i, c, q)
		}
		c[rapid.IntRange(0, len(c)-1).Draw(t, "byte")] ^= 1
		refuse("other chunk", i, c, p)
		if err := full.VerifyChunk(i, c); !errors.Is(err, ErrBadChunk) {
			t.Fatalf("tree: %v", err)
		}
	})
}

// TestF23_UnknownIsNotProved checks the answers of a tree that does not hold
// what it is asked for, or that has no such chunk.
func TestF23_UnknownIsNotProved(t *testing.T) {
	data := content(40 << 10)
	full := build(t, data)
	reader := NewTree(full.Header())
	for _, tree := range []*Tree{full, reader} {
		for _, i := range []int{-1 << 40, -17, -16, -1, 40, 48, 1 << 40} {
			if _, err := tree.ChunkProof(i); !errors.Is(err, ErrNoProof) {
				t.Errorf("ChunkProof(%d): %v", i, err)
			}
			if err := tree.VerifyChunk(i, data[:1024]); !errors.Is(err, ErrNoProof) {
				t.Errorf("VerifyChunk(%d): %v", i, err)
			}
			if _, ok := tree.Leaf(i); ok {
				t.Errorf("Leaf(%d) is known", i)
			}
		}
		for _, m := range []int{-1, 3, 1 << 40} {
			if _, err := tree.MetaProof(m); !errors.Is(err, ErrNoProof) || tree.HasMeta(m) {
				t.Errorf("MetaProof(%d): %v", m, err)
			}
		}
	}
	if err := reader.VerifyChunk(0, data[:1024]); !errors.Is(err, ErrNoProof) {
		t.Errorf("chunk without a proof: %v", err)
	}
	if _, err := reader.MetaProof(0); !errors.Is(err, ErrNoProof) || reader.Complete() {
		t.Errorf("proof of what is not known: %v", err)
	}
}

// TestF23_OneChunkNeedsNoProof: the root of a single chunk is its leaf.
func TestF23_OneChunkNeedsNoProof(t *testing.T) {
	data := content(700)
	reader := NewTree(build(t, data).Header())
	if !reader.Complete() || reader.VerifyChunk(0, data) != nil {
		t.Error("the chunk is not believed")
	}
	if err := reader.VerifyChunk(0, data[1:]); !errors.Is(err, ErrBadChunk) {
		t.Errorf("other bytes: %v", err)
	}
	if !NewTree(build(t, nil).Header()).Complete() {
		t.Error("the empty object is not complete")
	}
}

func FuzzParseMetaProof(f *testing.F) {
	data := content(40 << 10)
	full := build(f, data)
	h := full.Header()
	for m := range h.NumMetaChunks() {
		p, err := full.MetaProof(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(m, p.AppendBinary(nil))
	}
	f.Add(-1, []byte{})
	f.Fuzz(func(t *testing.T, m int, b []byte) {
		p, err := h.ParseShortProof(m, b)
		if _, whole := h.ParseMetaProof(m, b); whole == nil != (err == nil && len(b) == h.MetaProofSize(m)) {
			t.Fatalf("whole: %v, short: %v", whole, err)
		}
		if err != nil {
			if !errors.Is(err, ErrBadProof) {
				t.Fatalf("error is of another kind: %v", err)
			}
			return
		}
		if !bytes.Equal(p.AppendBinary(nil), b) {
			t.Fatal("it does not come back as it was")
		}
		want, _ := full.MetaProof(m)
		err = NewTree(h).AddProof(m, p)
		if isGood := bytes.Equal(want.AppendBinary(nil), b); isGood != (err == nil) {
			t.Fatalf("right proof: %v, but %v", isGood, err)
		}
	})
}
