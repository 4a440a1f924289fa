package disk

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"

	"nt/chunker"
	"nt/chunker/store"
)

// found is one object as the scan sees it.
type found struct {
	info  store.Info
	known bool  // the header is good
	cost  int64 // what it is charged
}

// scan looks at every object's and spool's names and sizes, not at contents, and
// corrects what is thought to be in use. It tells foreign about names that have no
// business there. The caller holds the store's lock.
func (s *Store) scan(foreign func(name string)) ([]found, error) {
	var all []found
	shards, err := s.vol.ReadDir(objectsName)
	if err != nil {
		return nil, err
	}
	for _, shard := range shards {
		dir := path.Join(objectsName, shard.Name())
		names, err := s.vol.ReadDir(dir)
		if err != nil {
			tell(foreign, dir)
			continue
		}
		for _, n := range names {
			id, err := chunker.ParseObjectID(n.Name())
			if err != nil || !n.IsDir() || objectPath(id) != path.Join(dir, n.Name()) {
				tell(foreign, path.Join(dir, n.Name()))
				continue
			}
			all = append(all, s.lookAt(id, foreign))
		}
	}
	others, err := s.othersSpools(foreign)
	if err != nil {
		return nil, err
	}
	s.recount(all, others)
	return all, nil
}

func tell(foreign func(string), name string) {
	if foreign != nil {
		foreign(name)
	}
}

func (s *Store) reportForeign(name string) {
	s.opts.Log.Warn("the store's directory holds something that is not the store's; left alone", "name", name)
}

// lookAt returns how an object looks from outside. What is missing or damaged
// counts as nothing.
func (s *Store) lookAt(id chunker.ObjectID, foreign func(string)) found {
	dir := objectPath(id)
	f := found{info: store.Info{ID: id}}
	h, err := readHeader(s.vol, dir, id)
	if f.known = err == nil; !f.known {
		tell(foreign, path.Join(dir, headerName))
	}
	if st, err := s.vol.Stat(path.Join(dir, headerName)); err == nil {
		f.info.LastUsed = st.ModTime()
	}
	if st, err := s.vol.Stat(path.Join(dir, dataName)); err == nil {
		f.info.Have = allocated(st)
		done, err := exists(s.vol, path.Join(dir, doneName))
		if f.known && done && err == nil && st.Size() == h.Size {
			f.info.Have, f.info.Complete = h.Size, true
		}
	}
	if f.known {
		f.info.Have = min(f.info.Have, h.Size)
	}
	f.info.Size = h.Size
	f.cost = store.Cost(h) + f.info.Have
	return f
}

// othersSpools returns how many bytes are in spools of other processes.
func (s *Store) othersSpools(foreign func(string)) (int64, error) {
	names, err := s.vol.ReadDir(tmpName)
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, n := range names {
		dir := path.Join(tmpName, n.Name())
		switch {
		case s.ownSpool(dir) || strings.HasPrefix(n.Name(), trashPrefix):
		case !strings.HasPrefix(n.Name(), spoolPrefix):
			tell(foreign, dir)
		default:
			if st, err := s.vol.Stat(path.Join(dir, dataName)); err == nil {
				sum += st.Size()
			}
		}
	}
	return sum, nil
}

func (s *Store) ownSpool(dir string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sp := range s.spools {
		if sp.dir == dir {
			return true
		}
	}
	return false
}

// recount sets used: for what this process has open it knows better than the disk.
func (s *Store) recount(all []found, others int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used, s.lease = others, 0
	for sp := range s.spools {
		s.used += sp.charged
	}
	listed := make(map[chunker.ObjectID]bool, len(all))
	for i := range all {
		f := &all[i]
		listed[f.info.ID] = true
		if e := s.entries[f.info.ID]; e != nil {
			if e.lastUsed.After(f.info.LastUsed) {
				f.info.LastUsed = e.lastUsed
			}
			if e.keeper.charged > 0 || e.keeper.made {
				f.cost = e.keeper.charged
				f.info.Have, f.info.Complete = e.obj.Bytes(), e.obj.Complete()
			}
		}
		s.used += f.cost
	}
	for id, e := range s.entries {
		if !listed[id] { // its directory is about to be made
			s.used += e.keeper.charged
		}
	}
}

// sweep deletes what nobody alive holds in tmp. The caller holds the store's lock.
func (s *Store) sweep() error {
	names, err := s.vol.ReadDir(tmpName)
	if err != nil {
		return err
	}
	for _, n := range names {
		if !strings.HasPrefix(n.Name(), spoolPrefix) && !strings.HasPrefix(n.Name(), trashPrefix) {
			continue
		}
		if err := s.sweepOne(path.Join(tmpName, n.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) sweepOne(dir string) error {
	free, err := s.nobodyHolds(dir)
	if err == nil && free {
		err = s.vol.RemoveAll(dir)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// nobodyHolds reports whether no process has a lock on the directory. That stays
// so while the caller holds the store's lock.
func (s *Store) nobodyHolds(dir string) (bool, error) {
	d, err := s.vol.Open(dir, os.O_RDONLY)
	if err != nil {
		return false, err
	}
	free, err := d.Lock(true, false)
	return free, errors.Join(err, unlock(d))
}
