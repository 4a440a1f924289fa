package chunker

import (
	"fmt"
	"math/bits"
)

// maxLevels is more than the levels above the MetaChunk hashes of the largest object.
const maxLevels = 20

// MetaProof proves the 16 chunks of one MetaChunk at once: their leaf hashes
// and the audit path from the MetaChunk's hash to the root. Both lengths follow
// from the header and the MetaChunk's number, so the wire form needs no counts.
type MetaProof struct {
	Leaves []Hash
	Path   []Hash // from level 4 upwards; levels where the node has no sibling are left out. May end early: see Short
}

// MetaPathLen returns how many hashes MetaChunk m's audit path has.
func (h Header) MetaPathLen(m int) int { return h.metaPathBelow(m, maxLevels) }

// metaPathBelow returns how many of them are on the lowest so many levels above the MetaChunk hashes.
func (h Header) metaPathBelow(m, levels int) int {
	n, width := 0, h.NumMetaChunks()
	if m < 0 || m >= width {
		return 0
	}
	for ; width > 1 && levels > 0; width, m, levels = (width+1)/2, m/2, levels-1 {
		if m^1 < width {
			n++
		}
	}
	return n
}

// Short returns p, which proves MetaChunk m of the object h, without the part of its path that everybody knows who holds the proof
// of MetaChunk other: from where their ways to the root meet on, and the hash before.
func (p MetaProof) Short(h Header, m, other int) MetaProof {
	if m == other {
		return p
	}
	meet := bits.Len(uint(m ^ other)) // the level of the node that both are below
	return MetaProof{Leaves: p.Leaves, Path: p.Path[:min(h.metaPathBelow(m, meet-1), len(p.Path))]}
}

// MetaProofSize returns the length of MetaChunk m's proof on the wire, in bytes.
func (h Header) MetaProofSize(m int) int {
	return (h.MetaLeaves(m) + h.MetaPathLen(m)) * HashSize
}

// MetaProof returns the proof of MetaChunk m, or ErrNoProof if the tree does not hold it.
func (t *Tree) MetaProof(m int) (MetaProof, error) {
	if !t.HasMeta(m) {
		return MetaProof{}, fmt.Errorf("MetaChunk %d: %w", m, ErrNoProof)
	}
	p := MetaProof{Leaves: append([]Hash(nil), t.metaLeaves(m)...)}
	for _, level := range t.upper {
		if sib := m ^ 1; sib < len(level) {
			p.Path = append(p.Path, level[sib])
		}
		m /= 2
	}
	return p, nil
}

// AddProof checks p against the header's root, or the first hash on the way there that is known, and keeps what it proves. A proof
// of the wrong shape or with a wrong hash is refused with ErrBadProof, one that ends before any hash that is known with
// ErrNoProof. Both change nothing.
func (t *Tree) AddProof(m int, p MetaProof) error {
	h := t.header
	if m < 0 || m >= h.NumMetaChunks() || len(p.Leaves) != h.MetaLeaves(m) || len(p.Path) > h.MetaPathLen(m) {
		return fmt.Errorf("MetaChunk %d: %w: wrong shape", m, ErrBadProof)
	}
	for _, l := range p.Leaves {
		if l.IsZero() {
			return fmt.Errorf("MetaChunk %d: %w: empty leaf", m, ErrBadProof)
		}
	}
	var way [maxLevels]Hash
	top, err := t.climb(way[:], rootOf(p.Leaves), m, p.Path)
	if err != nil {
		return fmt.Errorf("MetaChunk %d: %w", m, err)
	}
	if !t.HasMeta(m) {
		t.known += copy(t.metaLeaves(m), p.Leaves)
		t.keep(way[:top], m, p.Path)
	}
	return nil
}

// climb goes from the MetaChunk hash up to where the path ends, and from there to the first node that is known, the root at the
// latest, which must be the one it arrives at. The nodes of the levels before go to way; top is how many they are. Of a
// node that is known, its sibling and all nodes and siblings above it are known.
func (t *Tree) climb(way []Hash, node Hash, m int, path []Hash) (top int, err error) {
	for k, level := range t.upper {
		if known := level[m]; len(path) == 0 && !known.IsZero() {
			if known != node {
				return 0, ErrBadProof
			}
			return k, nil
		}
		way[k] = node
		if sib := m ^ 1; sib < len(level) {
			if len(path) == 0 {
				return 0, ErrNoProof
			}
			if m%2 == 0 {
				node = nodeHash(node, path[0])
			} else {
				node = nodeHash(path[0], node)
			}
			path = path[1:]
		}
		m /= 2
	}
	return 0, ErrBadProof // not reached: the root is known
}

// keep remembers the nodes of a way that has led to one that is known, and their siblings.
func (t *Tree) keep(way []Hash, m int, path []Hash) {
	for k, node := range way {
		level := t.upper[k]
		level[m] = node
		if sib := m ^ 1; sib < len(level) {
			level[sib], path = path[0], path[1:]
		}
		m /= 2
	}
}

// AppendBinary appends the wire form: the leaves, then the path.
func (p MetaProof) AppendBinary(b []byte) []byte {
	for _, h := range p.Leaves {
		b = append(b, h[:]...)
	}
	for _, h := range p.Path {
		b = append(b, h[:]...)
	}
	return b
}

// ParseMetaProof reads the proof of MetaChunk m of the object h, which must be
// exactly h.MetaProofSize(m) bytes. It does not check the hashes; AddProof does.
func (h Header) ParseMetaProof(m int, b []byte) (MetaProof, error) {
	if want := h.MetaProofSize(m); want == 0 || len(b) != want {
		return MetaProof{}, fmt.Errorf("MetaChunk %d: %w: %d bytes, want %d", m, ErrBadProof, len(b), want)
	}
	return h.ParseShortProof(m, b)
}

// ParseShortProof is ParseMetaProof of a proof whose path may end early.
func (h Header) ParseShortProof(m int, b []byte) (MetaProof, error) {
	if least, most := h.MetaLeaves(m)*HashSize, h.MetaProofSize(m); most == 0 || len(b) < least || len(b) > most || len(b)%HashSize != 0 {
		return MetaProof{}, fmt.Errorf("MetaChunk %d: %w: %d bytes, want %d to %d", m, ErrBadProof, len(b), least, most)
	}
	hashes := make([]Hash, len(b)/HashSize)
	for i := range hashes {
		copy(hashes[i][:], b[i*HashSize:])
	}
	n := h.MetaLeaves(m)
	return MetaProof{Leaves: hashes[:n:n], Path: hashes[n:]}, nil
}

// ChunkProof is the audit path of a single chunk, from its leaf to the root
// (RFC 6962 section 2.1.1): what proves one chunk to somebody who holds nothing
// but the header.
type ChunkProof []Hash

// ChunkProof returns the audit path of chunk i, or ErrNoProof if the tree does not hold it.
func (t *Tree) ChunkProof(i int) (ChunkProof, error) {
	if t.header.ChunkLen(i) == 0 {
		return nil, fmt.Errorf("chunk %d: %w", i, ErrNoProof)
	}
	meta, err := t.MetaProof(MetaOf(i))
	if err != nil {
		return nil, err
	}
	var p ChunkProof
	level, j := meta.Leaves, i%ChunksPerMeta
	for len(level) > 1 {
		if sib := j ^ 1; sib < len(level) {
			p = append(p, level[sib])
		}
		level, j = pairUp(level, nil), j/2
	}
	return append(p, meta.Path...), nil
}

// VerifyChunk checks that data is chunk i of the object, by its audit path
// alone. It wraps ErrBadProof when the path has another length than the chunk's
// and ErrBadChunk when the two together do not lead to the root.
func (h Header) VerifyChunk(i int, data []byte, p ChunkProof) error {
	if n := h.ChunkLen(i); n == 0 || len(data) != n {
		return fmt.Errorf("chunk %d: %w: %d bytes", i, ErrBadChunk, len(data))
	}
	node := LeafHash(data)
	for width := h.NumChunks(); width > 1; width, i = (width+1)/2, i/2 {
		if i^1 >= width {
			continue
		}
		if len(p) == 0 {
			return fmt.Errorf("chunk proof is too short: %w", ErrBadProof)
		}
		if i%2 == 0 {
			node = nodeHash(node, p[0])
		} else {
			node = nodeHash(p[0], node)
		}
		p = p[1:]
	}
	if len(p) != 0 {
		return fmt.Errorf("chunk proof is too long: %w", ErrBadProof)
	}
	if node != h.Root {
		return fmt.Errorf("chunk proof: %w", ErrBadChunk)
	}
	return nil
}
