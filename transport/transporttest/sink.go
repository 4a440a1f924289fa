package transporttest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"sync"

	"nt/chunker"
	"nt/chunker/nois"
)

// Sink is a transport.Sink in memory. It proves what it is given as a store
// does, and counts what it refuses.
type Sink struct {
	id   chunker.ObjectID
	keep bool // keep the chunks, not only which ones came

	// OnPut runs after a new chunk was taken, outside the lock. Set it before use.
	OnPut func(i int)
	// FailPut, if not nil, is what every Put returns: a store of its own trouble.
	FailPut error

	mu      sync.Mutex
	tree    *chunker.Tree // nil until Begin
	have    nois.Set
	chunks  map[int][]byte
	order   []int // chunks as they came, if they are kept
	refused int
	bytes   int64
}

// NewSink returns a Sink for one object that keeps every chunk.
func NewSink(id chunker.ObjectID) *Sink {
	return &Sink{id: id, keep: true, chunks: make(map[int][]byte)}
}

// NewDiscard returns a Sink that forgets every chunk once it has proved it.
func NewDiscard(id chunker.ObjectID) *Sink { return &Sink{id: id} }

// Begin takes the header.
func (s *Sink) Begin(h chunker.Header) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.ID() != s.id {
		s.refused++
		return fmt.Errorf("beginning %s: %w", s.id, chunker.ErrBadHeader)
	}
	if s.tree == nil {
		s.tree = chunker.NewTree(h)
	}
	return nil
}

// AddProof takes the proof of a MetaChunk.
func (s *Sink) AddProof(m int, p chunker.MetaProof) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tree == nil {
		return fmt.Errorf("proof of MetaChunk %d before the header", m)
	}
	err := s.tree.AddProof(m, p)
	if err != nil {
		s.refused++
	}
	return err
}

// Put takes chunk i.
func (s *Sink) Put(i int, data []byte) error {
	isNew, err := s.put(i, data)
	if isNew && s.OnPut != nil {
		s.OnPut(i)
	}
	return err
}

func (s *Sink) put(i int, data []byte) (isNew bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.FailPut != nil {
		return false, s.FailPut
	}
	if s.tree == nil {
		return false, fmt.Errorf("chunk %d before the header: %w", i, chunker.ErrNoProof)
	}
	if err := s.tree.VerifyChunk(i, data); err != nil {
		s.refused++
		return false, err
	}
	if !s.have.Add(uint32(i)) {
		return false, nil
	}
	s.bytes += int64(len(data))
	if s.keep {
		s.chunks[i] = bytes.Clone(data)
		s.order = append(s.order, i)
	}
	return true, nil
}

// Header returns the header once it is known.
func (s *Sink) Header() (chunker.Header, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tree == nil {
		return chunker.Header{}, false
	}
	return s.tree.Header(), true
}

// Have returns a copy of the chunks that came.
func (s *Sink) Have() *nois.Set {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.have.Clone()
}

// HasProof reports whether the proof of a MetaChunk is known.
func (s *Sink) HasProof(m int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tree != nil && s.tree.HasMeta(m)
}

// Bytes returns how many bytes of content came.
func (s *Sink) Bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

// Refused returns how many headers, proofs and chunks were wrong.
func (s *Sink) Refused() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// Order returns the chunks in the order in which they came.
func (s *Sink) Order() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]int(nil), s.order...)
}

// Complete reports whether everything is there.
func (s *Sink) Complete() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tree != nil && s.have.Full(uint32(s.tree.Header().NumChunks()))
}

// Check compares what came with c, chunk by chunk, and, once it is complete, the
// whole with the header's SHA-256.
func (s *Sink) Check(c *Content) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := c.Header()
	whole := sha256.New()
	for i := range h.NumChunks() {
		got, ok := s.chunks[i]
		if ok != s.have.Contains(uint32(i)) {
			return fmt.Errorf("chunk %d: kept is %v, the set says otherwise", i, ok)
		}
		if ok && !bytes.Equal(got, c.Chunk(i, nil)) {
			return fmt.Errorf("chunk %d is wrong", i)
		}
		whole.Write(got)
	}
	if s.have.Full(uint32(h.NumChunks())) && !bytes.Equal(whole.Sum(nil), h.SHA256[:]) {
		return fmt.Errorf("the whole content has the wrong SHA-256")
	}
	return nil
}
