package chunker

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"testing"
)

// content returns size bytes that look random and are always the same.
func content(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{'n', 't'}).Read(b)
	return b
}

func build(t testing.TB, data []byte) *Tree {
	t.Helper()
	tree, err := Build(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatalf("building %d bytes: %v", len(data), err)
	}
	return tree
}

func chunk(h Header, data []byte, i int) []byte {
	at := h.ChunkOffset(i)
	return data[at : at+int64(h.ChunkLen(i))]
}

// naiveMTH is MTH of RFC 6962 section 2.1, word for word.
func naiveMTH(d [][]byte) Hash {
	switch n := len(d); n {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0}, d[0]...))
	default:
		k := 1
		for k*2 < n {
			k *= 2
		}
		l, r := naiveMTH(d[:k]), naiveMTH(d[k:])
		return sha256.Sum256(append(append([]byte{1}, l[:]...), r[:]...))
	}
}

// naivePath is PATH of RFC 6962 section 2.1.1, word for word.
func naivePath(m int, d [][]byte) []Hash {
	n := len(d)
	if n <= 1 {
		return nil
	}
	k := 1
	for k*2 < n {
		k *= 2
	}
	if m < k {
		return append(naivePath(m, d[:k]), naiveMTH(d[k:]))
	}
	return append(naivePath(m-k, d[k:]), naiveMTH(d[:k]))
}

func cutAll(h Header, data []byte) (d [][]byte) {
	for i := range h.NumChunks() {
		d = append(d, chunk(h, data, i))
	}
	return d
}

// borderSizes are the sizes at and beside which the shape of the tree changes.
func borderSizes() (sizes []int) {
	for _, at := range []int{0, 1 << 10, 2 << 10, 15 << 10, 16 << 10, 17 << 10, 32 << 10, 48 << 10, 256 << 10, 4 << 20} {
		sizes = append(sizes, at, at+1)
		if at > 0 {
			sizes = append(sizes, at-1)
		}
	}
	return append(sizes, 100_000)
}
