// Package memory keeps objects in memory: the store of tests, of nodes without
// a disk and of browsers. It owns where the bytes are and who is evicted.
//
// It re-hashes on every read like every store: memory is rarely wrong, but code
// that shares a slice may be.
package memory

import (
	"fmt"
	"iter"
	"sync"
	"time"

	"nt/chunker"
	"nt/chunker/store"
	"nt/chunker/store/internal/object"
	"nt/transport"
)

// Store is a store.Store in memory.
type Store struct {
	opts store.Options

	mu      sync.Mutex // guards what follows and the entries' own fields
	entries map[chunker.ObjectID]*entry
	used    int64
	ticks   uint64 // counts openings and closings: the order of eviction
	closed  bool
}

var _ store.Store = (*Store)(nil)

// entry is one object of the index.
type entry struct {
	obj      *object.Object
	keeper   *keeper
	refs     int // open handles
	lastUsed time.Time
	tick     uint64
}

// New returns an empty store.
func New(o store.Options) *Store {
	return &Store{opts: o.WithDefaults(), entries: make(map[chunker.ObjectID]*entry)}
}

// Open is OpenObject as transport.Source wants it.
func (s *Store) Open(id chunker.ObjectID) (transport.Object, error) {
	o, err := s.OpenObject(id)
	if err != nil {
		return nil, err
	}
	return o, nil
}

// OpenObject opens an object that is there, whole or in part.
func (s *Store) OpenObject(id chunker.ObjectID) (store.Object, error) {
	h, _, err := s.open(id, false)
	if err != nil {
		return nil, err
	}
	return h, nil
}

// Create opens an object for filling.
func (s *Store) Create(id chunker.ObjectID) (store.Object, error) {
	h, _, err := s.open(id, true)
	if err != nil {
		return nil, err
	}
	return h, nil
}

func (s *Store) open(id chunker.ObjectID, create bool) (*object.Handle, *keeper, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, store.ErrClosed
	}
	e := s.entries[id]
	if e == nil && create {
		e = s.add(id)
	}
	if e == nil || !create && !e.begun() {
		return nil, nil, fmt.Errorf("object %s: %w", id, transport.ErrNotFound)
	}
	e.refs++
	s.touch(e)
	return object.NewHandle(e.obj, func() error { s.release(id, e); return nil }), e.keeper, nil
}

func (s *Store) add(id chunker.ObjectID) *entry {
	k := &keeper{store: s}
	e := &entry{obj: object.New(id, k, s.opts.Log), keeper: k}
	s.entries[id] = e
	return e
}

func (s *Store) touch(e *entry) {
	s.ticks++
	e.tick, e.lastUsed = s.ticks, s.opts.Now()
}

func (s *Store) release(id chunker.ObjectID, e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.refs--
	s.touch(e)
	if e.refs == 0 && !e.begun() {
		delete(s.entries, id)
	}
}

func (e *entry) begun() bool {
	_, begun := e.obj.Header()
	return begun
}

// Remove deletes an object that nobody has open.
func (s *Store) Remove(id chunker.ObjectID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[id]
	switch {
	case s.closed:
		return store.ErrClosed
	case e == nil:
		return fmt.Errorf("object %s: %w", id, transport.ErrNotFound)
	case e.refs > 0:
		return fmt.Errorf("object %s: %w", id, store.ErrInUse)
	}
	s.drop(id, e)
	return nil
}

func (s *Store) drop(id chunker.ObjectID, e *entry) {
	delete(s.entries, id)
	s.used -= e.keeper.charged
}

// List names every object.
func (s *Store) List() iter.Seq[store.Info] {
	return func(yield func(store.Info) bool) {
		for _, i := range s.infos() {
			if !yield(i) {
				return
			}
		}
	}
}

func (s *Store) infos() []store.Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]store.Info, 0, len(s.entries))
	for id, e := range s.entries {
		h, begun := e.obj.Header()
		if !begun {
			continue
		}
		out = append(out, store.Info{ID: id, Size: h.Size, Have: e.obj.Bytes(), Complete: e.obj.Complete(),
			LastUsed: e.lastUsed, Pinned: s.opts.Pinned(id)})
	}
	return out
}

// Usage returns the bytes in use and the budget.
func (s *Store) Usage() (used, budget int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used, s.opts.Budget
}

// Close makes every later call fail.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// grow makes room for n more bytes, evicting what nobody uses if it must.
func (s *Store) grow(n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opts.Budget > 0 && n > 0 {
		for s.used+n > s.opts.Budget {
			if !s.evictOne() {
				return fmt.Errorf("%d bytes more, %d of %d in use: %w", n, s.used, s.opts.Budget, store.ErrBudget)
			}
		}
	}
	s.used += n
	return nil
}

func (s *Store) evictOne() bool {
	var victim *entry
	var name chunker.ObjectID
	for id, e := range s.entries {
		if e.refs == 0 && (victim == nil || e.tick < victim.tick) && !s.opts.Pinned(id) {
			victim, name = e, id
		}
	}
	if victim == nil {
		return false
	}
	s.drop(name, victim)
	s.opts.Log.Debug("evicted", "object", name.String(), "bytes", victim.keeper.charged)
	return true
}

func (s *Store) shrink(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= n
}
