package chunker

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// TestF22_ChunkSize pins the borders at which the chunk size doubles: they are
// part of every ObjectID.
func TestF22_ChunkSize(t *testing.T) {
	const ki, mi, gi = 1 << 10, 1 << 20, 1 << 30
	for _, c := range []struct {
		size           int64
		chunk, n, meta int
	}{
		{0, ki, 0, 0}, {1, ki, 1, 1}, {ki, ki, 1, 1}, {ki + 1, ki, 2, 1}, {16 * ki, ki, 16, 1}, {16*ki + 1, ki, 17, 2},
		{4 * mi, ki, 4096, 256}, {4*mi + 1, 2 * ki, 2049, 129}, {8 * mi, 2 * ki, 4096, 256}, {8*mi + 1, 4 * ki, 2049, 129},
		{128 * mi, 32 * ki, 4096, 256}, {128*mi + 1, 64 * ki, 2049, 129}, {256 * mi, 64 * ki, 4096, 256},
		{256*mi + 1, 64 * ki, 4097, 257}, {64 * gi, 64 * ki, 1 << 20, 1 << 16},
	} {
		h := Header{Size: c.size}
		if h.ChunkSize() != c.chunk || h.NumChunks() != c.n || h.NumMetaChunks() != c.meta {
			t.Errorf("%d bytes: %d chunks of %d in %d MetaChunks, want %d of %d in %d",
				c.size, h.NumChunks(), h.ChunkSize(), h.NumMetaChunks(), c.n, c.chunk, c.meta)
		}
	}
}

// TestF22_ChunksCoverTheObject checks that chunks and MetaChunks lie one after
// the other without hole or overlap.
func TestF22_ChunksCoverTheObject(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := Header{Size: rapid.Int64Range(0, 9<<20).Draw(t, "size")}
		at, leaves := int64(0), 0
		for i := range h.NumChunks() {
			if n := h.ChunkLen(i); h.ChunkOffset(i) != at || n == 0 || n > h.ChunkSize() {
				t.Fatalf("chunk %d is %d bytes at %d, want it at %d", i, n, h.ChunkOffset(i), at)
			}
			at += int64(h.ChunkLen(i))
		}
		for m := range h.NumMetaChunks() {
			if MetaOf(leaves) != m || h.MetaLeaves(m) == 0 {
				t.Fatalf("MetaChunk %d starts at chunk %d with %d chunks", m, leaves, h.MetaLeaves(m))
			}
			leaves += h.MetaLeaves(m)
		}
		if at != h.Size || leaves != h.NumChunks() {
			t.Fatalf("%d bytes in %d chunks, want %d in %d", at, leaves, h.Size, h.NumChunks())
		}
		for _, out := range []int{-1, h.NumChunks()} {
			if h.ChunkLen(out) != 0 || h.MetaLeaves(-1) != 0 || h.MetaLeaves(h.NumMetaChunks()) != 0 {
				t.Fatalf("something is said to be outside the object")
			}
		}
	})
}

func anyHeader() *rapid.Generator[Header] {
	return rapid.Custom(func(t *rapid.T) Header {
		h := Header{Size: rapid.OneOf(rapid.Int64Range(1, 5000), rapid.Int64Range(1, MaxObjectSize)).Draw(t, "size")}
		copy(h.Root[:], rapid.SliceOfN(rapid.Byte(), HashSize, HashSize).Draw(t, "root"))
		copy(h.SHA256[:], rapid.SliceOfN(rapid.Byte(), HashSize, HashSize).Draw(t, "sha256"))
		h.Root[0], h.SHA256[0] = h.Root[0]|1, h.SHA256[0]|1
		return h
	})
}

// TestF22_HeaderRoundTrip checks that a header survives its wire form, and that
// one bit of difference anywhere is another object or no header at all.
func TestF22_HeaderRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := anyHeader().Draw(t, "header")
		b := h.AppendBinary(nil)
		got, err := ParseHeaderFor(h.ID(), b)
		if err != nil || got != h {
			t.Fatalf("got %+v, %v; want %+v", got, err, h)
		}
		bit := rapid.IntRange(0, len(b)*8-1).Draw(t, "bit")
		b[bit/8] ^= 1 << (bit % 8)
		if _, err := ParseHeaderFor(h.ID(), b); !errors.Is(err, ErrBadHeader) {
			t.Fatalf("bit %d flipped: %v", bit, err)
		}
		if other, err := ParseHeader(b); err == nil && (other.ID() == h.ID() || !bytes.Equal(other.AppendBinary(nil), b)) {
			t.Fatalf("bit %d flipped: accepted as %+v", bit, other)
		}
	})
}

// TestF22_HeaderRefused lists the forms that must not have an ObjectID, so that
// the same bytes never have two.
func TestF22_HeaderRefused(t *testing.T) {
	good := Header{Size: 5000, Root: Hash{1}, SHA256: Hash{2}}.AppendBinary(nil)
	empty := Header{Root: emptyRoot(), SHA256: emptyRoot()}.AppendBinary(nil)
	for _, b := range [][]byte{good, empty} {
		if _, err := ParseHeader(b); err != nil {
			t.Fatalf("the form all others are made from: %v", err)
		}
	}
	with := func(from []byte, change func(b []byte)) []byte {
		b := bytes.Clone(from)
		change(b)
		return b
	}
	size := func(n uint64) []byte {
		return with(good, func(b []byte) {
			binary.BigEndian.PutUint64(b[1:], n)
			binary.BigEndian.PutUint32(b[9:], uint32(ChunkSize(int64(n))))
		})
	}
	for name, b := range map[string][]byte{
		"nothing":            nil,
		"short":              good[:HeaderSize-1],
		"long":               append(bytes.Clone(good), 0),
		"version 0":          with(good, func(b []byte) { b[0] = 0 }),
		"version 2":          with(good, func(b []byte) { b[0] = 2 }),
		"over the limit":     size(MaxObjectSize + 1),
		"negative":           size(1 << 63),
		"chunk size 0":       with(good, func(b []byte) { binary.BigEndian.PutUint32(b[9:], 0) }),
		"chunk size 512":     with(good, func(b []byte) { binary.BigEndian.PutUint32(b[9:], 512) }),
		"chunk size doubled": with(good, func(b []byte) { binary.BigEndian.PutUint32(b[9:], 2048) }),
		"no root":            with(good, func(b []byte) { clear(b[13 : 13+HashSize]) }),
		"no SHA-256":         with(good, func(b []byte) { clear(b[13+HashSize:]) }),
		"empty, other root":  with(empty, func(b []byte) { b[13] ^= 1 }),
		"empty, other SHA":   with(empty, func(b []byte) { b[13+HashSize] ^= 1 }),
	} {
		if h, err := ParseHeader(b); !errors.Is(err, ErrBadHeader) || h != (Header{}) {
			t.Errorf("%s: got %+v, %v", name, h, err)
		}
	}
	if _, err := ParseHeader(size(MaxObjectSize)); err != nil {
		t.Errorf("largest object: %v", err)
	}
}

// TestF22_ObjectIDText checks the two text forms of an ObjectID.
func TestF22_ObjectIDText(t *testing.T) {
	id := Header{Size: 3, Root: Hash{1}, SHA256: Hash{2}}.ID()
	text, _ := id.MarshalText()
	var back ObjectID
	if err := back.UnmarshalText(text); err != nil || back != id {
		t.Errorf("%s came back as %s, %v", text, back, err)
	}
	if upper, err := ParseObjectID(string(bytes.ToUpper(text))); err != nil || upper != id {
		t.Errorf("upper case: %v", err)
	}
	for _, s := range []string{"", "00", string(text[1:]), string(text) + "0", "g" + string(text[1:]), hex.EncodeToString(make([]byte, 33))} {
		if _, err := ParseObjectID(s); err == nil {
			t.Errorf("%q was accepted", s)
		}
		before := back
		if back.UnmarshalText([]byte(s)) == nil || back != before {
			t.Errorf("%q was accepted or has changed the ID", s)
		}
	}
}

func FuzzParseHeader(f *testing.F) {
	f.Add(Header{Size: 5000, Root: Hash{1}, SHA256: Hash{2}}.AppendBinary(nil))
	f.Add(Header{Root: emptyRoot(), SHA256: emptyRoot()}.AppendBinary(nil))
	f.Add(make([]byte, HeaderSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHeader(b)
		if err != nil {
			if !errors.Is(err, ErrBadHeader) {
				t.Fatalf("error is of another kind: %v", err)
			}
			return
		}
		if !bytes.Equal(h.AppendBinary(nil), b) || h.Check() != nil || h.NumChunks() > 1<<20 {
			t.Fatalf("%x was accepted as %+v", b, h)
		}
	})
}
