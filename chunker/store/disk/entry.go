package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sync"
	"time"

	"nt/chunker"
	"nt/chunker/store"
	"nt/chunker/store/internal/object"
	"nt/transport"
)

// touchEvery is how exact LastUsed on the disk is.
const touchEvery = time.Minute

// entry is an object that this process has open, or had open a moment ago: then
// only what is known of it is kept, so that opening it again does not hash it again.
type entry struct {
	id chunker.ObjectID

	opening  sync.Mutex // held while the files are opened or let go; before store.mu
	obj      *object.Object
	keeper   *keeper
	detached bool

	refs     int       // handles, and openings under way; guarded by store.mu
	lastUsed time.Time // guarded by store.mu
	touched  time.Time // what the disk says; guarded by store.mu
}

func (s *Store) open(id chunker.ObjectID, create bool) (*object.Handle, error) {
	e, err := s.hold(id)
	if err != nil {
		return nil, err
	}
	obj, err := s.openEntry(e, create)
	if err != nil {
		return nil, errors.Join(err, s.release(e))
	}
	s.touch(e)
	return object.NewHandle(obj, func() error {
		s.touch(e)
		return s.release(e)
	}), nil
}

// hold returns the entry of id, made anew if need be, with one reference more.
func (s *Store) hold(id chunker.ObjectID) (*entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	e := s.entries[id]
	if e == nil {
		e = &entry{id: id}
		s.renew(e)
		s.entries[id] = e
	}
	e.refs++
	s.idle.remove(e)
	return e, nil
}

// renew forgets all that is known of the object. The caller holds store.mu, and
// e.opening unless e is new.
func (s *Store) renew(e *entry) {
	e.keeper = &keeper{store: s, id: e.id}
	e.obj = object.New(e.id, e.keeper, s.opts.Log)
	e.detached = false
}

// openEntry makes sure that what the disk has of the object is open.
func (s *Store) openEntry(e *entry, create bool) (*object.Object, error) {
	e.opening.Lock()
	defer e.opening.Unlock()
	if e.detached {
		if err := s.resume(e); err != nil {
			return nil, err
		}
	}
	if _, begun := e.obj.Header(); begun {
		return e.obj, nil
	}
	h, err := readHeader(s.vol, objectPath(e.id), e.id)
	switch {
	case err == nil:
		if err := e.obj.Begin(h); err != nil {
			return nil, err
		}
	case errors.Is(err, chunker.ErrBadHeader) && !create:
		s.opts.Log.Warn("a stored header is damaged", "object", e.id.String())
		return nil, fmt.Errorf("object %s: %w: %w", e.id, transport.ErrNotFound, store.ErrCorrupt)
	case errors.Is(err, chunker.ErrBadHeader), errors.Is(err, fs.ErrNotExist) && create:
		// Begin will write the header.
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("object %s: %w", e.id, transport.ErrNotFound)
	default:
		return nil, fmt.Errorf("object %s: %w", e.id, err)
	}
	return e.obj, nil
}

// resume takes an idle object up again, or starts over if another process has
// changed, finished or evicted it.
func (s *Store) resume(e *entry) error {
	same, err := e.keeper.resume()
	if err != nil {
		return fmt.Errorf("opening object %s again: %w", e.id, err)
	}
	if same && e.keeper.left.done == e.obj.Complete() {
		e.detached = false
		e.keeper.Recovered(e.obj.Bytes())
		return nil
	}
	err = e.keeper.closeFiles()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.renew(e)
	return err
}

// release gives one reference back and lets go of the files with the last one.
func (s *Store) release(e *entry) error {
	e.opening.Lock()
	last := s.unref(e)
	var err error
	if last && !e.detached {
		err = s.letGo(e)
	}
	e.opening.Unlock()
	return errors.Join(err, s.closeIfUnused())
}

func (s *Store) unref(e *entry) (last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.refs--
	return e.refs == 0
}

// letGo makes the entry idle, or forgets it if there is nothing to know. The
// caller holds e.opening.
func (s *Store) letGo(e *entry) error {
	h, begun := e.obj.Header()
	var err error
	if begun {
		err = e.keeper.detach()
		e.detached = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e.keeper.charged, e.keeper.made = 0, false // from now on the scan counts it
	if e.refs > 0 {
		return err // somebody waits to open it
	}
	if !begun || err != nil || s.closed {
		delete(s.entries, e.id)
		return err
	}
	for _, old := range s.idle.add(e, h.NumChunks()) {
		delete(s.entries, old.id)
	}
	return nil
}

// touch notes that the object is in use now.
func (s *Store) touch(e *entry) {
	now := s.opts.Now()
	s.mu.Lock()
	e.lastUsed = now
	due := now.Sub(e.touched) >= touchEvery
	if due {
		e.touched = now
	}
	s.mu.Unlock()
	if _, begun := e.obj.Header(); !due || !begun {
		return
	}
	if err := s.vol.Touch(path.Join(objectPath(e.id), headerName), now); err != nil {
		s.opts.Log.Debug("the time of use was not kept", "object", e.id.String(), "error", err)
	}
}
