package disk

import (
	"context"
	"errors"
	"os"
	"path"

	"nt/chunker"
	"nt/chunker/store"
	"nt/chunker/store/internal/spool"
)

// spooled is the bytes of one spool: a directory in tmp that becomes the object's.
type spooled struct {
	store     *Store
	dir       string // its name below the store's directory
	lock      file   // the directory, locked
	data      file
	size      int64
	committed bool  // the directory is an object's now
	charged   int64 // what the budget counts for it; guarded by store.mu
}

// Spool opens a spool.
func (s *Store) Spool(ctx context.Context) (store.Spool, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	b := &spooled{store: s, dir: tmpPath(spoolPrefix)}
	if err := s.locked(b.make); err != nil {
		return nil, errors.Join(diskError(err), b.Close())
	}
	return spool.New(ctx, b), nil
}

// make makes the directory. The caller holds the store's lock, so that nobody
// takes it for left over before it is locked.
func (b *spooled) make() (err error) {
	v := b.store.vol
	if err = v.Mkdir(b.dir); err != nil {
		return err
	}
	b.lock, err = v.Open(b.dir, os.O_RDONLY)
	if err == nil {
		_, err = b.lock.Lock(true, false)
	}
	if err == nil {
		b.data, err = v.Open(path.Join(b.dir, dataName), os.O_RDWR|os.O_CREATE)
	}
	if err != nil {
		return errors.Join(err, v.RemoveAll(b.dir))
	}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	b.store.spools[b] = true
	return nil
}

// Append writes p at the end.
func (b *spooled) Append(p []byte) error {
	n := int64(len(p))
	if err := b.store.charge(n, &b.charged); err != nil {
		return err
	}
	if _, err := b.data.WriteAt(p, b.size); err != nil {
		return errors.Join(diskError(err), b.store.charge(-n, &b.charged))
	}
	b.size += n
	return nil
}

// ReadAt reads what was appended.
func (b *spooled) ReadAt(p []byte, off int64) (int, error) { return b.data.ReadAt(p, off) }

// Keep completes the directory and renames it to the object's; if there is such an
// object already, its missing chunks are copied.
func (b *spooled) Keep(ctx context.Context, t *chunker.Tree) error {
	h := t.Header()
	if err := b.store.opts.CheckFits(h); err != nil {
		return err
	}
	if b.store.whole(h.ID()) { // the same bytes as before, as most are that come again: nothing to write
		return b.Drop()
	}
	if err := b.store.charge(store.Cost(h), &b.charged); err != nil {
		return err
	}
	if err := b.complete(t); err != nil {
		return diskError(err)
	}
	if err := b.store.locked(func() error { return b.moveIn(h.ID()) }); err != nil {
		return diskError(err)
	}
	obj, err := b.store.open(h.ID(), true)
	if err != nil {
		return err
	}
	defer obj.Close()
	if err := obj.Begin(h); err != nil {
		return err
	}
	if !obj.Complete() { // somebody had begun it
		if err := obj.Fill(ctx, t, b); err != nil {
			return err
		}
	}
	return b.Drop()
}

// whole reports whether the object is in the store, all of it.
func (s *Store) whole(id chunker.ObjectID) bool {
	obj, err := s.open(id, false)
	if err != nil {
		return false
	}
	defer obj.Close()
	return obj.Complete()
}

// complete writes beside data what makes it an object, and makes it last.
func (b *spooled) complete(t *chunker.Tree) error {
	v := b.store.vol
	err := b.writeProofs(t)
	if err == nil {
		err = writeHeader(v, b.dir, t.Header())
	}
	if err == nil {
		err = syncAll(b.data.Sync, syncName(v, path.Join(b.dir, headerName)), syncName(v, path.Join(b.dir, proofsName)))
	}
	if err == nil {
		err = writeDone(v, b.dir)
	}
	if err == nil {
		err = b.lock.Sync()
	}
	return err
}

// proofsBlock is about how many bytes of proofs are written at a time.
const proofsBlock = 256 << 10

func (b *spooled) writeProofs(t *chunker.Tree) (err error) {
	f, err := b.store.vol.Open(path.Join(b.dir, proofsName), os.O_WRONLY|os.O_CREATE)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h, stride := t.Header(), proofStride(t.Header())
	var buf []byte
	var off int64
	for m := range h.NumMetaChunks() {
		p, err := t.MetaProof(m)
		if err != nil {
			return err
		}
		record := len(buf)
		buf = p.AppendBinary(buf)
		buf = append(buf, make([]byte, stride-int64(len(buf)-record))...)
		if len(buf) >= proofsBlock || m == h.NumMetaChunks()-1 {
			if _, err := f.WriteAt(buf, off); err != nil {
				return err
			}
			off, buf = off+int64(len(buf)), buf[:0]
		}
	}
	return nil
}

// moveIn renames the directory to the object's unless there is one. The caller
// holds the store's lock.
func (b *spooled) moveIn(id chunker.ObjectID) error {
	v := b.store.vol
	if _, err := mkdir(v, shardPath(id)); err != nil {
		return err
	}
	there, err := exists(v, objectPath(id))
	if err != nil || there {
		return err
	}
	if err := v.Rename(b.dir, objectPath(id)); err != nil {
		return err
	}
	b.committed = true
	b.forget()
	return errors.Join(b.lock.Unlock(), syncName(v, shardPath(id))())
}

// forget leaves the counting to the object, whose bytes are the same.
func (b *spooled) forget() {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	b.charged = 0
}

// Drop deletes the bytes; who has them open still reads them.
func (b *spooled) Drop() error {
	if b.committed {
		return nil
	}
	b.store.mu.Lock()
	b.store.used -= b.charged
	b.charged = 0
	b.store.mu.Unlock()
	return b.store.vol.RemoveAll(b.dir)
}

// Close lets go of the files.
func (b *spooled) Close() error {
	err := errors.Join(closeAll(b.data), unlock(b.lock))
	b.store.mu.Lock()
	delete(b.store.spools, b)
	b.store.mu.Unlock()
	return errors.Join(err, b.store.closeIfUnused())
}
