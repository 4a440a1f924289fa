package swarm

import (
	"errors"

	"nt/chunker"
	"nt/plugins/roulette"
	"nt/transport"
)

// filling is the content of an object that is being fetched. What can be read
// back is offered to others at once; a sink that cannot be read only takes.
type filling struct {
	transport.Sink
	back transport.Object // nil if the sink cannot be read
}

func newFilling(s transport.Sink) filling {
	back, _ := s.(transport.Object)
	return filling{s, back}
}

// MetaProof implements roulette.Content.
func (f filling) MetaProof(meta int) (chunker.MetaProof, error) {
	if f.back == nil {
		return chunker.MetaProof{}, chunker.ErrNoProof
	}
	return f.back.MetaProof(meta)
}

func (f filling) readChunk(i int, buf []byte) ([]byte, error) {
	if f.back == nil {
		return nil, transport.ErrNotFound
	}
	return f.back.ReadChunk(i, buf)
}

func (filling) close() {}

// holding is the content of an object that is only served.
type holding struct{ transport.Object }

var errReadOnly = errors.New("swarm: the object is only served")

// Begin implements roulette.Content.
func (holding) Begin(chunker.Header) error { return errReadOnly }

// AddProof implements roulette.Content.
func (holding) AddProof(int, chunker.MetaProof) error { return errReadOnly }

// Put implements roulette.Content.
func (holding) Put(int, []byte) error { return errReadOnly }

// HasProof implements roulette.Content.
func (h holding) HasProof(meta int) bool {
	_, err := h.MetaProof(meta)
	return err == nil
}

func (h holding) readChunk(i int, buf []byte) ([]byte, error) { return h.ReadChunk(i, buf) }
func (h holding) close()                                      { h.Close() }

// content is what a swarm needs of an object.
type content interface {
	roulette.Content
	readChunk(i int, buf []byte) ([]byte, error)
	close()
}

// blocks reads blocks of chunks and remembers the last few chunks, because a
// store hashes the whole chunk on every read and a large chunk is up to 64 blocks.
type blocks struct {
	from   content
	recent [4]struct {
		chunk int // plus one; 0 is empty
		data  []byte
	}
	next int
}

// read returns n bytes from the block's start; the slice is good until the next read.
func (b *blocks) read(chunk, block, n int) ([]byte, error) {
	data, err := b.chunk(chunk)
	if err != nil {
		return nil, err
	}
	lo := block * roulette.BlockSize
	if lo+n > len(data) {
		return nil, transport.ErrNotFound
	}
	return data[lo : lo+n], nil
}

func (b *blocks) chunk(chunk int) ([]byte, error) {
	for i := range b.recent {
		if b.recent[i].chunk == chunk+1 {
			return b.recent[i].data, nil
		}
	}
	r := &b.recent[b.next]
	b.next = (b.next + 1) % len(b.recent)
	r.chunk = 0
	data, err := b.from.readChunk(chunk, r.data)
	if err != nil {
		return nil, err
	}
	r.chunk, r.data = chunk+1, data
	return data, nil
}
