package transporttest

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"

	"nt/chunker"
)

// Content is an object whose bytes are computed when they are asked for, so
// that a large one takes no memory. It is safe for concurrent use.
type Content struct {
	seed uint64
	tree *chunker.Tree
}

// NewContent cuts size bytes, which depend on seed and size alone.
func NewContent(seed uint64, size int64) (*Content, error) {
	c := &Content{seed: seed}
	tree, err := chunker.Build(&contentReader{content: c, header: chunker.Header{Size: size}}, size)
	if err != nil {
		return nil, fmt.Errorf("cutting %d bytes of content: %w", size, err)
	}
	c.tree = tree
	return c, nil
}

// ID returns the object's name.
func (c *Content) ID() chunker.ObjectID { return c.tree.Header().ID() }

// Header returns the object's header.
func (c *Content) Header() chunker.Header { return c.tree.Header() }

// MetaProof returns the proof of a MetaChunk.
func (c *Content) MetaProof(m int) (chunker.MetaProof, error) { return c.tree.MetaProof(m) }

// Chunk computes chunk i into buf[:0].
func (c *Content) Chunk(i int, buf []byte) []byte { return c.fill(c.tree.Header(), i, buf) }

// Bytes returns the whole content; for small objects.
func (c *Content) Bytes() []byte {
	var all, buf []byte
	for i := range c.Header().NumChunks() {
		buf = c.Chunk(i, buf)
		all = append(all, buf...)
	}
	return all
}

func (c *Content) fill(h chunker.Header, i int, buf []byte) []byte {
	n := h.ChunkLen(i)
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], c.seed)
	binary.LittleEndian.PutUint64(key[8:], uint64(i))
	buf = buf[:n]
	rand.NewChaCha8(key).Read(buf) // never fails
	return buf
}

// contentReader reads a Content from its start.
type contentReader struct {
	content *Content
	header  chunker.Header // only its size counts
	next    int
	buf     []byte
	left    []byte
}

func (r *contentReader) Read(p []byte) (int, error) {
	if len(r.left) == 0 {
		if r.next == r.header.NumChunks() {
			return 0, io.EOF
		}
		r.buf = r.content.fill(r.header, r.next, r.buf)
		r.left = r.buf
		r.next++
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}
