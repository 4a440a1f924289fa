package chunker

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
)

// Domain separation between leaves and nodes (RFC 6962 section 2.1), so that a
// node can never be passed off as a chunk.
const (
	leafPrefix = 0x00
	nodePrefix = 0x01
)

var (
	// ErrBadProof reports tree hashes that do not lead to the object's root.
	ErrBadProof = errors.New("chunker: proof does not lead to the object's root")
	// ErrBadChunk reports bytes that are not the chunk they claim to be.
	ErrBadChunk = errors.New("chunker: chunk does not match its hash")
	// ErrNoProof reports that the leaf of a chunk is not known yet: the proof
	// of its MetaChunk must be added first.
	ErrNoProof = errors.New("chunker: the chunk's hash is not known yet")
)

// LeafHash returns the leaf of a chunk: SHA-256(0x00 || chunk).
func LeafHash(chunk []byte) Hash { return newLeafHasher().sum(chunk) }

// leafHasher computes leaves one after the other without allocating for each.
type leafHasher struct {
	hash   hash.Hash
	prefix [1]byte
	out    Hash
}

func newLeafHasher() *leafHasher {
	return &leafHasher{hash: sha256.New(), prefix: [1]byte{leafPrefix}}
}

func (l *leafHasher) sum(chunk []byte) Hash {
	l.hash.Reset()
	l.hash.Write(l.prefix[:])
	l.hash.Write(chunk)
	l.hash.Sum(l.out[:0])
	return l.out
}

func nodeHash(l, r Hash) Hash {
	var b [1 + 2*HashSize]byte
	b[0] = nodePrefix
	copy(b[1:], l[:])
	copy(b[1+HashSize:], r[:])
	return sha256.Sum256(b[:])
}

// rootOf returns the root over hashes, pairing neighbours level by level and
// carrying an odd last one up unchanged: the shape of RFC 6962. It works on a
// copy; hashes must not be empty.
func rootOf(hashes []Hash) Hash {
	level := append(make([]Hash, 0, ChunksPerMeta), hashes...)
	for len(level) > 1 {
		level = pairUp(level, level[:0])
	}
	return level[0]
}

// pairUp appends the level above to dst, which may share memory with level.
func pairUp(level, dst []Hash) []Hash {
	n := len(level)
	for i := 0; i+1 < n; i += 2 {
		dst = append(dst, nodeHash(level[i], level[i+1]))
	}
	if n%2 == 1 {
		dst = append(dst, level[n-1])
	}
	return dst
}

// emptyRoot returns the root of the tree without leaves (RFC 6962 section 2.1).
func emptyRoot() Hash { return sha256.Sum256(nil) }

// Tree is the part of an object's hash tree that is known to be right: all of
// it at whoever cut the object, a growing part at a reader. Only hashes that
// lead to the header's root are ever in it. It is not safe for concurrent use.
type Tree struct {
	header Header
	leaves []Hash   // level 0; the zero Hash stands for unknown
	upper  [][]Hash // levels 4, 5, ... up to the root; upper[0] are the MetaChunk hashes
	known  int      // leaves that are known
}

// NewTree returns the tree of a reader who holds the header only. That header,
// of an object of one chunk, says its leaf too: it is the root.
func NewTree(h Header) *Tree {
	t := &Tree{header: h, leaves: make([]Hash, h.NumChunks())}
	for n := h.NumMetaChunks(); n > 0; n = (n + 1) / 2 {
		t.upper = append(t.upper, make([]Hash, n))
		if n == 1 {
			break
		}
	}
	if top := len(t.upper); top > 0 {
		t.upper[top-1][0] = h.Root
	}
	if len(t.leaves) == 1 && !h.Root.IsZero() {
		t.leaves[0], t.known = h.Root, 1
	}
	return t
}

// treeFromLeaves builds the whole tree and completes the header's root.
func treeFromLeaves(h Header, leaves []Hash) *Tree {
	h.Root = emptyRoot()
	t := NewTree(h)
	t.leaves, t.known = leaves, len(leaves)
	for m := range h.NumMetaChunks() {
		t.upper[0][m] = rootOf(t.metaLeaves(m))
	}
	for k := 1; k < len(t.upper); k++ {
		t.upper[k] = pairUp(t.upper[k-1], t.upper[k][:0])
	}
	if top := len(t.upper); top > 0 {
		t.header.Root = t.upper[top-1][0]
	}
	return t
}

// Header returns the header the tree belongs to.
func (t *Tree) Header() Header { return t.header }

// Complete reports whether every leaf is known.
func (t *Tree) Complete() bool { return t.known == len(t.leaves) }

// HasMeta reports whether the leaves of MetaChunk m are known.
func (t *Tree) HasMeta(m int) bool {
	return m >= 0 && m < t.header.NumMetaChunks() && !t.leaves[m*ChunksPerMeta].IsZero()
}

// Leaf returns the leaf of chunk i and whether it is known.
func (t *Tree) Leaf(i int) (Hash, bool) {
	if i < 0 || i >= len(t.leaves) {
		return Hash{}, false
	}
	return t.leaves[i], !t.leaves[i].IsZero()
}

// VerifyChunk checks that data is chunk i. It wraps ErrNoProof when the leaf is
// not known and ErrBadChunk when data is not the chunk.
func (t *Tree) VerifyChunk(i int, data []byte) error {
	leaf, ok := t.Leaf(i)
	if !ok {
		return fmt.Errorf("chunk %d: %w", i, ErrNoProof)
	}
	if len(data) != t.header.ChunkLen(i) || LeafHash(data) != leaf {
		return fmt.Errorf("chunk %d: %w", i, ErrBadChunk)
	}
	return nil
}

func (t *Tree) metaLeaves(m int) []Hash {
	lo := m * ChunksPerMeta
	return t.leaves[lo : lo+t.header.MetaLeaves(m)]
}
