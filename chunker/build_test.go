package chunker

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// TestF22_Build checks root, whole hash and leaves of every border size against
// the recursive definition of RFC 6962.
func TestF22_Build(t *testing.T) {
	for _, size := range borderSizes() {
		data := content(size)
		tree := build(t, data)
		h := tree.Header()
		d := cutAll(h, data)
		if want := naiveMTH(d); h.Root != want {
			t.Errorf("%d bytes: root %s, want %s", size, h.Root, want)
		}
		if h.Size != int64(size) || h.SHA256 != sha256.Sum256(data) || !tree.Complete() || h.Check() != nil {
			t.Errorf("%d bytes: header %+v", size, h)
		}
		for i := range d {
			if err := tree.VerifyChunk(i, d[i]); err != nil {
				t.Errorf("%d bytes: %v", size, err)
			}
		}
	}
}

// TestF22_BuildAnyReader checks that the ObjectID depends on the bytes alone,
// not on how a reader hands them out.
func TestF22_BuildAnyReader(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := content(rapid.IntRange(0, 40<<10).Draw(t, "size"))
		var r io.Reader = bytes.NewReader(data)
		switch rapid.IntRange(0, 3).Draw(t, "reader") {
		case 0:
			r = iotest.OneByteReader(r)
		case 1:
			r = iotest.HalfReader(r)
		case 2:
			r = iotest.DataErrReader(r)
		}
		tree, err := Build(r, int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		if want, _ := Build(bytes.NewReader(data), int64(len(data))); tree.Header() != want.Header() {
			t.Fatalf("header %+v, want %+v", tree.Header(), want.Header())
		}
	})
}

// TestF22_BuildRefuses checks that nothing is built from less, more, or failing content.
func TestF22_BuildRefuses(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, size := range []int{0, 1, 5000, 16 << 10, 300 << 10, 1 << 20} {
		data := content(size)
		if _, err := Build(bytes.NewReader(data), int64(size)+1); !errors.Is(err, ErrSize) {
			t.Errorf("one byte less than %d: %v", size+1, err)
		}
		if size > 0 {
			if _, err := Build(bytes.NewReader(data), int64(size)-1); !errors.Is(err, ErrSize) {
				t.Errorf("one byte more than %d: %v", size-1, err)
			}
		}
		for _, want := range []int{size, size + 1} { // fails at the end, fails before
			r := io.MultiReader(bytes.NewReader(data), iotest.ErrReader(broken))
			if _, err := Build(r, int64(want)); !errors.Is(err, broken) {
				t.Errorf("%d bytes, then an error: %v", size, err)
			}
		}
	}
	for _, size := range []int64{-1, MaxObjectSize + 1} {
		if _, err := Build(strings.NewReader(""), size); !errors.Is(err, ErrSize) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// TestF22_BuildSmallIsCheap guards small objects, of which a node has most,
// against buffers made for large ones.
func TestF22_BuildSmallIsCheap(t *testing.T) {
	const rounds = 200
	data := content(1 << 10)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range rounds {
		build(t, data)
	}
	runtime.ReadMemStats(&after)
	if got := (after.TotalAlloc - before.TotalAlloc) / rounds; got > 4<<10 {
		t.Errorf("building 1 KiB allocates %d bytes", got)
	}
}

// TestF24_VerifyWhole checks the final check of the whole object.
func TestF24_VerifyWhole(t *testing.T) {
	for _, size := range []int{0, 1, 5000, 300 << 10} {
		data := content(size)
		h := build(t, data).Header()
		if err := h.VerifyWhole(bytes.NewReader(data)); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
		if err := h.VerifyWhole(bytes.NewReader(append(slices.Clone(data), 0))); !errors.Is(err, ErrSize) {
			t.Errorf("%d bytes and one more: %v", size, err)
		}
		if size == 0 {
			continue
		}
		if err := h.VerifyWhole(bytes.NewReader(data[1:])); !errors.Is(err, ErrSize) {
			t.Errorf("%d bytes but one: %v", size, err)
		}
		data[size/2] ^= 0x80
		if err := h.VerifyWhole(bytes.NewReader(data)); !errors.Is(err, ErrBadHeader) {
			t.Errorf("%d bytes, one bit flipped: %v", size, err)
		}
	}
}

// update rewrites the golden file; a change there is a change of every name ever given.
var update = flag.Bool("update", false, "rewrite testdata/objectids.txt")

// TestF22_GoldenObjectIDs pins names: these must never change.
func TestF22_GoldenObjectIDs(t *testing.T) {
	const file = "testdata/objectids.txt"
	var b strings.Builder
	b.WriteString("# size  ObjectID  header, of size bytes of which byte i is i*i+i/256 modulo 256\n")
	for _, size := range []int{0, 1, 1023, 1024, 1025, 16384, 16385, 100000, 4 << 20, 4<<20 + 1} {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(i*i + i/256)
		}
		h := build(t, data).Header()
		fmt.Fprintf(&b, "%d %s %x\n", size, h.ID(), h.AppendBinary(nil))
	}
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("ObjectIDs have changed:\n%s\nwant\n%s", b.String(), want)
	}
}
