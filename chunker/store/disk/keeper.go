package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"nt/chunker"
	"nt/chunker/store"
	"nt/chunker/store/internal/object"
)

// keeper keeps one object's bytes in its directory. Its files are open, and the
// directory locked, from Begin or resume until detach.
type keeper struct {
	store  *Store
	id     chunker.ObjectID
	header chunker.Header
	stride int64

	dir, data, proofs file
	left              stamp // how data looked at detach

	charged int64 // what the budget counts for the object; guarded by store.mu
	made    bool  // the directory is new: nothing but charged counts; guarded by store.mu
}

var _ object.Keeper = (*keeper)(nil)

// stamp is how a finished or partial object looked on the disk: if it looks the
// same later, what was known of it still holds.
type stamp struct {
	data fs.FileInfo
	done bool
}

func (a stamp) equal(b stamp) bool {
	return os.SameFile(a.data, b.data) && a.data.Size() == b.data.Size() &&
		a.data.ModTime().Equal(b.data.ModTime()) && a.done == b.done
}

// Begin opens the object's directory, made anew if need be.
func (k *keeper) Begin(h chunker.Header) (object.Kept, error) {
	if err := k.store.opts.CheckFits(h); err != nil {
		return object.Nothing, err
	}
	k.header, k.stride = h, proofStride(h)
	var kept object.Kept
	err := k.store.locked(func() (err error) {
		kept, err = k.attach()
		k.setMade(err == nil && kept == object.Nothing)
		return err
	})
	if err != nil || kept != object.Nothing { // what was found is counted already
		return kept, err
	}
	if err := k.Charge(store.Cost(h)); err != nil {
		k.setMade(false)
		return object.Nothing, errors.Join(err, k.closeFiles(), k.store.locked(k.unmake))
	}
	return object.Nothing, nil
}

func (k *keeper) setMade(made bool) {
	k.store.mu.Lock()
	defer k.store.mu.Unlock()
	k.made = made
}

// unmake deletes a directory for which there was no room, unless somebody else
// has it open by now. The caller holds the store's lock.
func (k *keeper) unmake() error {
	dir := objectPath(k.id)
	free, err := k.store.nobodyHolds(dir)
	if err == nil && free {
		err = k.store.vol.RemoveAll(dir)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// attach makes or takes over the directory. The caller holds the store's lock.
func (k *keeper) attach() (object.Kept, error) {
	v, dir := k.store.vol, objectPath(k.id)
	if _, err := mkdir(v, shardPath(k.id)); err != nil {
		return object.Nothing, diskError(err)
	}
	made, err := mkdir(v, dir)
	if err != nil {
		return object.Nothing, diskError(err)
	}
	kept, err := k.takeOver(dir)
	if err == nil {
		return kept, nil
	}
	err = errors.Join(diskError(err), k.closeFiles())
	if made {
		err = errors.Join(err, v.RemoveAll(dir))
	}
	return object.Nothing, err
}

func (k *keeper) takeOver(dir string) (object.Kept, error) {
	v := k.store.vol
	if err := k.lockDir(dir); err != nil {
		return object.Nothing, err
	}
	_, err := readHeader(v, dir, k.id)
	fresh := errors.Is(err, fs.ErrNotExist)
	if fresh || errors.Is(err, chunker.ErrBadHeader) {
		err = writeHeader(v, dir, k.header)
	}
	if err != nil {
		return object.Nothing, err
	}
	if err := k.openFiles(dir, os.O_RDWR|os.O_CREATE); err != nil {
		return object.Nothing, err
	}
	now, err := k.look()
	switch {
	case err != nil:
		return object.Nothing, err
	case now.done && now.data.Size() == k.header.Size:
		return object.All, nil
	case fresh && now.data.Size() == 0:
		return object.Nothing, nil
	}
	return object.Some, nil
}

// lockDir opens the directory and locks it against eviction.
func (k *keeper) lockDir(dir string) (err error) {
	if k.dir, err = k.store.vol.Open(dir, os.O_RDONLY); err != nil {
		return err
	}
	ok, err := k.dir.Lock(false, false)
	if err == nil && !ok {
		err = fmt.Errorf("%s: %w", dir, store.ErrInUse)
	}
	return err
}

func (k *keeper) openFiles(dir string, flag int) (err error) {
	v := k.store.vol
	if k.data, err = v.Open(path.Join(dir, dataName), flag); err != nil {
		return err
	}
	k.proofs, err = v.Open(path.Join(dir, proofsName), flag)
	return err
}

// look returns the object's stamp of now.
func (k *keeper) look() (s stamp, err error) {
	if s.data, err = k.data.Stat(); err != nil {
		return s, err
	}
	s.done, err = exists(k.store.vol, path.Join(objectPath(k.id), doneName))
	return s, err
}

// detach lets go of the files and of the lock.
func (k *keeper) detach() error {
	var err error
	if k.left, err = k.look(); err != nil {
		k.left = stamp{}
	}
	return errors.Join(err, k.closeFiles())
}

// resume takes the files up again and reports whether they are as detach left them.
func (k *keeper) resume() (same bool, err error) {
	if k.left.data == nil {
		return false, nil
	}
	err = k.store.locked(func() error {
		dir := objectPath(k.id)
		if err := k.lockDir(dir); err != nil {
			return err
		}
		if err := k.openFiles(dir, os.O_RDWR); err != nil {
			return err
		}
		now, err := k.look()
		same = err == nil && now.equal(k.left)
		return err
	})
	if same {
		return true, nil
	}
	err = errors.Join(err, k.closeFiles())
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return false, err
}

func (k *keeper) closeFiles() error {
	err := errors.Join(closeAll(k.data, k.proofs), unlock(k.dir))
	k.data, k.proofs, k.dir = nil, nil, nil
	return err
}

// Charge counts n more bytes for the object.
func (k *keeper) Charge(n int64) error { return k.store.charge(n, &k.charged) }

// Recovered sets what the budget counts for an object that was found.
func (k *keeper) Recovered(n int64) {
	k.store.mu.Lock()
	defer k.store.mu.Unlock()
	k.charged = store.Cost(k.header) + n
}

// WriteChunk writes a proved chunk to its place.
func (k *keeper) WriteChunk(i int, data []byte) error {
	_, err := k.data.WriteAt(data, k.header.ChunkOffset(i))
	return diskError(err)
}

// ReadChunks reads what is in the places of chunk i and those after it.
func (k *keeper) ReadChunks(i int, buf []byte) error {
	_, err := k.data.ReadAt(buf, k.header.ChunkOffset(i))
	return err
}

// SaveProof writes record m.
func (k *keeper) SaveProof(m int, p chunker.MetaProof) error {
	_, err := k.proofs.WriteAt(p.AppendBinary(nil), int64(m)*k.stride)
	return diskError(err)
}

// LoadProof reads record m.
func (k *keeper) LoadProof(m int) (chunker.MetaProof, error) {
	buf := make([]byte, k.header.MetaProofSize(m))
	if _, err := k.proofs.ReadAt(buf, int64(m)*k.stride); err != nil {
		return chunker.MetaProof{}, err
	}
	return k.header.ParseMetaProof(m, buf)
}

// Finish makes everything last and then says so.
func (k *keeper) Finish() error {
	dir := objectPath(k.id)
	err := syncAll(k.data.Sync, k.proofs.Sync, syncName(k.store.vol, path.Join(dir, headerName)))
	if err != nil {
		return diskError(err)
	}
	if err := writeDone(k.store.vol, dir); err != nil {
		return diskError(err)
	}
	return k.dir.Sync()
}

func writeDone(v volume, dir string) error {
	f, err := v.Open(path.Join(dir, doneName), os.O_WRONLY|os.O_CREATE)
	if err != nil {
		return err
	}
	return f.Close()
}

// Reopen takes done away.
func (k *keeper) Reopen() error {
	err := k.store.vol.Remove(path.Join(objectPath(k.id), doneName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
