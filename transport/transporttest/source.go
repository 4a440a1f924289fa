package transporttest

import (
	"fmt"
	"sync/atomic"

	"nt/chunker"
	"nt/chunker/nois"
	"nt/transport"
)

// Source serves the objects it lists, whole or in part.
type Source map[chunker.ObjectID]transport.Object

// Holding returns a Source that holds all of each content.
func Holding(contents ...*Content) Source {
	s := make(Source)
	for _, c := range contents {
		s[c.ID()] = NewObject(c, nil)
	}
	return s
}

// HoldingPart returns a Source that holds those intervals of c.
func HoldingPart(c *Content, ivs ...nois.Interval) Source {
	return Source{c.ID(): NewObject(c, nois.Of(ivs...))}
}

// Open returns the object or wraps transport.ErrNotFound.
func (s Source) Open(id chunker.ObjectID) (transport.Object, error) {
	obj, ok := s[id]
	if !ok {
		return nil, fmt.Errorf("opening %s: %w", id, transport.ErrNotFound)
	}
	return obj, nil
}

// Object is an object being served, with hooks that make it misbehave. The hooks
// are set before it is served and never after.
type Object struct {
	content *Content
	have    *nois.Set

	// OnRead runs before each chunk is read, e.g. to wait or to kill the node.
	OnRead func(i int)
	// Spoil changes what is sent of chunk i.
	Spoil func(i int, data []byte)
	// SpoilProof changes what is sent as the proof of MetaChunk m.
	SpoilProof func(m int, p *chunker.MetaProof)
	// SpoilHeader changes what is sent as the header.
	SpoilHeader func(h *chunker.Header)

	reads atomic.Int64
}

// NewObject returns c as an object of which have is there; nil stands for all of it.
func NewObject(c *Content, have *nois.Set) *Object {
	if have == nil {
		have = nois.Of(nois.Interval{End: uint32(c.Header().NumChunks())})
	}
	return &Object{content: c, have: have}
}

// Reads returns how many chunks have been read so far.
func (o *Object) Reads() int64 { return o.reads.Load() }

// Header returns the header.
func (o *Object) Header() (chunker.Header, bool) {
	h := o.content.Header()
	if o.SpoilHeader != nil {
		o.SpoilHeader(&h)
	}
	return h, true
}

// Have returns what is there.
func (o *Object) Have() *nois.Set { return o.have.Clone() }

// MetaProof returns the proof of MetaChunk m.
func (o *Object) MetaProof(m int) (chunker.MetaProof, error) {
	p, err := o.content.MetaProof(m)
	if err == nil && o.SpoilProof != nil {
		o.SpoilProof(m, &p)
	}
	return p, err
}

// ReadChunk returns chunk i in buf.
func (o *Object) ReadChunk(i int, buf []byte) ([]byte, error) {
	if i < 0 || !o.have.Contains(uint32(i)) {
		return nil, fmt.Errorf("chunk %d: %w", i, transport.ErrNotFound)
	}
	o.reads.Add(1)
	if o.OnRead != nil {
		o.OnRead(i)
	}
	data := o.content.Chunk(i, buf)
	if o.Spoil != nil {
		o.Spoil(i, data)
	}
	return data, nil
}

// Close does nothing: the object lives as long as the test.
func (o *Object) Close() error { return nil }
