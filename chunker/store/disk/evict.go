package disk

import (
	"errors"
	"fmt"
	"slices"

	"nt/chunker"
	"nt/chunker/store"
)

// leaseShare is which part of the budget a process may grow before it looks again
// at what the others did. So n processes stay within budget*(1 + n/leaseShare), and one
// alone within the budget.
const leaseShare = 64

// charge counts n more bytes in use, and in *whose as well, evicting what nobody
// uses if there is no room. A negative n never fails.
func (s *Store) charge(n int64, whose *int64) error {
	if s.take(n, whose) {
		return nil
	}
	var trash []string
	err := s.locked(func() (err error) {
		trash, err = s.reclaim(n, whose)
		return err
	})
	for _, t := range trash { // outside the lock: deleting much takes long
		err = errors.Join(err, s.vol.RemoveAll(t))
	}
	return err
}

// take counts n bytes if the lease covers them.
func (s *Store) take(n int64, whose *int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > 0 && s.opts.Budget > 0 {
		if n > s.lease {
			return false
		}
		s.lease -= n
	}
	s.used += n
	*whose += n
	return true
}

// uncount takes n bytes that were freed off what is in use.
func (s *Store) uncount(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= n
}

// reclaim scans, evicts until there is room for a new lease, and takes n out of
// it. It returns the directories to be deleted. The caller holds the store's lock.
func (s *Store) reclaim(n int64, whose *int64) (trash []string, err error) {
	if s.take(n, whose) { // another goroutine has renewed the lease meanwhile
		return nil, nil
	}
	all, err := s.scan(nil)
	if err != nil {
		return nil, err
	}
	step := max(n, s.opts.Budget/leaseShare)
	if s.room() < step {
		trash, err = s.evict(all, step)
	}
	s.grant(step)
	if err == nil && !s.take(n, whose) {
		used, budget := s.Usage()
		err = fmt.Errorf("%d bytes more, %d of %d in use: %w", n, used, budget, store.ErrBudget)
	}
	return trash, err
}

func (s *Store) room() int64 {
	used, budget := s.Usage()
	return budget - used
}

func (s *Store) grant(step int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lease = max(0, min(step, s.opts.Budget-s.used))
}

// evict takes out the least recently used objects that nobody holds or pins, until
// there is room.
func (s *Store) evict(all []found, room int64) (trash []string, err error) {
	slices.SortFunc(all, func(a, b found) int { return a.info.LastUsed.Compare(b.info.LastUsed) })
	for _, f := range all {
		if s.room() >= room {
			break
		}
		if s.opts.Pinned(f.info.ID) {
			continue
		}
		t, err := s.takeOut(f.info.ID)
		if err != nil {
			return trash, fmt.Errorf("evicting %s: %w", f.info.ID, err)
		}
		if t == "" {
			continue
		}
		trash = append(trash, t)
		s.uncount(f.cost)
		s.opts.Log.Debug("evicted", "object", f.info.ID.String(), "bytes", f.cost)
	}
	return trash, nil
}

// takeOut moves an object that nobody holds out of objects and returns where it
// is now, or "" if somebody holds it. The caller holds the store's lock.
func (s *Store) takeOut(id chunker.ObjectID) (trash string, err error) {
	s.mu.Lock()
	e := s.entries[id]
	held := e != nil && e.refs > 0
	s.mu.Unlock()
	if held {
		return "", nil
	}
	free, err := s.nobodyHolds(objectPath(id))
	if err != nil || !free {
		return "", err
	}
	trash = tmpPath(trashPrefix)
	if err := s.vol.Rename(objectPath(id), trash); err != nil {
		return "", err
	}
	return trash, nil
}
