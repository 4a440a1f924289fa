package disk

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"sync"

	"nt/chunker"
	"nt/chunker/store"
	"nt/transport"
)

// Store is a store.Store in a directory.
type Store struct {
	opts store.Options
	vol  volume

	structure sync.Mutex // with lock: what DIR/lock guards; held before mu
	lock      file

	mu      sync.Mutex // guards what follows and the entries' own fields
	entries map[chunker.ObjectID]*entry
	spools  map[*spooled]bool
	idle    idleList
	used    int64 // what all processes use: as scanned last, and what this one did since
	lease   int64 // how much this process may still grow before it must scan again
	closed  bool
}

var _ store.Store = (*Store)(nil)

// Open opens the store in dir, which is made if need be, and clears away what
// dead processes left in tmp.
func Open(dir string, o store.Options) (*Store, error) {
	err := os.MkdirAll(dir, 0o700)
	if err != nil {
		return nil, fmt.Errorf("opening the store: %w", diskError(err))
	}
	if dir, err = filepath.Abs(dir); err != nil { // a later chdir must not move the store
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	s, err := open(below{dir}, o)
	if err != nil {
		return nil, fmt.Errorf("opening the store in %s: %w", dir, err)
	}
	return s, nil
}

func open(v volume, o store.Options) (*Store, error) {
	s := &Store{opts: o.WithDefaults(), vol: v,
		entries: make(map[chunker.ObjectID]*entry), spools: make(map[*spooled]bool)}
	for _, name := range []string{objectsName, tmpName} {
		if _, err := mkdir(v, name); err != nil {
			return nil, diskError(err)
		}
	}
	var err error
	if s.lock, err = v.Open(lockName, os.O_RDWR|os.O_CREATE); err != nil {
		return nil, diskError(err)
	}
	err = s.locked(func() error {
		if err := s.sweep(); err != nil {
			return err
		}
		_, err := s.scan(s.reportForeign)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, s.lock.Close())
	}
	return s, nil
}

// locked runs fn while no other process makes, opens, commits or evicts objects.
func (s *Store) locked(fn func() error) error {
	s.structure.Lock()
	defer s.structure.Unlock()
	if _, err := s.lock.Lock(true, true); err != nil {
		return err
	}
	return errors.Join(fn(), s.lock.Unlock())
}

// Open is OpenObject as transport.Source wants it.
func (s *Store) Open(id chunker.ObjectID) (transport.Object, error) {
	o, err := s.OpenObject(id)
	if err != nil {
		return nil, err
	}
	return o, nil
}

// OpenObject opens an object that is there, whole or in part. One that is there
// in part, and was not open a moment ago, is hashed first.
func (s *Store) OpenObject(id chunker.ObjectID) (store.Object, error) {
	h, err := s.open(id, false)
	if err != nil {
		return nil, err
	}
	return h, nil
}

// Create opens an object for filling.
func (s *Store) Create(id chunker.ObjectID) (store.Object, error) {
	h, err := s.open(id, true)
	if err != nil {
		return nil, err
	}
	return h, nil
}

// Remove deletes an object that nobody has open, in any process.
func (s *Store) Remove(id chunker.ObjectID) error {
	if err := s.check(); err != nil {
		return err
	}
	var trash string
	err := s.locked(func() (err error) {
		ok, err := exists(s.vol, objectPath(id))
		if err == nil && !ok {
			err = fmt.Errorf("object %s: %w", id, transport.ErrNotFound)
		}
		if err == nil {
			trash, err = s.takeOut(id)
		}
		if err == nil && trash == "" {
			err = fmt.Errorf("object %s: %w", id, store.ErrInUse)
		}
		if err == nil {
			_, err = s.scan(nil)
		}
		return err
	})
	if trash != "" {
		err = errors.Join(err, s.vol.RemoveAll(trash))
	}
	return err
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
	if s.check() != nil {
		return nil
	}
	var found []found
	err := s.locked(func() (err error) {
		found, err = s.scan(nil)
		return err
	})
	if err != nil {
		s.opts.Log.Warn("the store's directory cannot be read", "error", err)
	}
	out := make([]store.Info, 0, len(found))
	for _, f := range found {
		if f.known {
			f.info.Pinned = s.opts.Pinned(f.info.ID)
			out = append(out, f.info)
		}
	}
	return out
}

// Usage returns the bytes in use by all processes, as far as this one knows, and
// the budget.
func (s *Store) Usage() (used, budget int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used, s.opts.Budget
}

func (s *Store) check() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return store.ErrClosed
	}
	return nil
}

// Close makes every later call fail. The directory stays open until the last
// object and spool is closed.
func (s *Store) Close() error {
	s.mu.Lock()
	was := s.closed
	s.closed = true
	s.mu.Unlock()
	if was {
		return nil
	}
	return s.closeIfUnused()
}

// closeIfUnused lets go of the directory once the store is closed and nothing of
// it is open.
func (s *Store) closeIfUnused() error {
	s.mu.Lock()
	unused := s.closed && len(s.spools) == 0
	for _, e := range s.entries {
		unused = unused && e.refs == 0
	}
	s.mu.Unlock()
	if !unused {
		return nil
	}
	s.structure.Lock()
	defer s.structure.Unlock()
	if s.lock == nil {
		return nil
	}
	err := s.lock.Close()
	s.lock = nil
	return err
}
