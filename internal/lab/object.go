package lab

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"

	"nt/chunker"
	"nt/chunker/nois"
	"nt/transport"
)

// Original is the object that everybody wants.
type Original struct {
	Bytes []byte
	Tree  *chunker.Tree
}

// NewOriginal makes an object of size bytes from a seed.
func NewOriginal(seed uint64, size int64) (*Original, error) {
	o := &Original{Bytes: make([]byte, size)}
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	rand.NewChaCha8(key).Read(o.Bytes)
	tree, err := chunker.Build(bytes.NewReader(o.Bytes), size)
	o.Tree = tree
	return o, err
}

// ID returns the object's name.
func (o *Original) ID() chunker.ObjectID { return o.Tree.Header().ID() }

// copyOf is one node's copy, whole or growing: a transport.Sink, Object and Source. Every
// chunk and proof is checked as a store does; the bytes are not kept, for what
// is proved equals the original.
type copyOf struct {
	of     *Original
	poison bool // what it serves is wrong

	mu   sync.Mutex
	tree *chunker.Tree // nil until Begin
	have nois.Set
}

func (c *copyOf) fill() *copyOf {
	c.tree = c.of.Tree
	c.have.AddRange(nois.Interval{End: uint32(c.tree.Header().NumChunks())})
	return c
}

// Open implements transport.Source.
func (c *copyOf) Open(id chunker.ObjectID) (transport.Object, error) {
	if id != c.of.ID() {
		return nil, fmt.Errorf("opening %s: %w", id, transport.ErrNotFound)
	}
	return c, nil
}

// Close implements transport.Object.
func (c *copyOf) Close() error { return nil }

// Header implements transport.Sink and Object.
func (c *copyOf) Header() (chunker.Header, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tree == nil {
		return chunker.Header{}, false
	}
	return c.tree.Header(), true
}

// Begin implements transport.Sink.
func (c *copyOf) Begin(h chunker.Header) error {
	if h.ID() != c.of.ID() {
		return chunker.ErrBadHeader
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tree == nil {
		c.tree = chunker.NewTree(h)
	}
	return nil
}

// Have implements transport.Sink and Object.
func (c *copyOf) Have() *nois.Set {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.have.Clone()
}

// HasProof implements transport.Sink.
func (c *copyOf) HasProof(meta int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tree != nil && c.tree.HasMeta(meta)
}

// AddProof implements transport.Sink.
func (c *copyOf) AddProof(meta int, p chunker.MetaProof) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tree == nil {
		return chunker.ErrNoProof
	}
	return c.tree.AddProof(meta, p)
}

// MetaProof implements transport.Object.
func (c *copyOf) MetaProof(meta int) (chunker.MetaProof, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tree == nil {
		return chunker.MetaProof{}, chunker.ErrNoProof
	}
	return c.tree.MetaProof(meta)
}

// Put implements transport.Sink.
func (c *copyOf) Put(i int, data []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tree == nil {
		return chunker.ErrNoProof
	}
	if err := c.tree.VerifyChunk(i, data); err != nil {
		return err
	}
	c.have.Add(uint32(i))
	return nil
}

// ReadChunk implements transport.Object.
func (c *copyOf) ReadChunk(i int, buf []byte) ([]byte, error) {
	c.mu.Lock()
	ok := c.have.Contains(uint32(i))
	c.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("chunk %d: %w", i, transport.ErrNotFound)
	}
	h := c.of.Tree.Header()
	at := h.ChunkOffset(i)
	buf = append(buf[:0], c.of.Bytes[at:at+int64(h.ChunkLen(i))]...)
	if c.poison {
		buf[0] ^= 1
	}
	return buf, nil
}

func (c *copyOf) complete() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tree != nil && c.have.Full(uint32(c.tree.Header().NumChunks()))
}
