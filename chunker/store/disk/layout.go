package disk

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"
	"syscall"

	"nt/chunker"
	"nt/chunker/store"
)

// Names below the store's directory and below an object's.
const (
	lockName    = "lock"
	objectsName = "objects"
	tmpName     = "tmp"

	headerName = "header"
	dataName   = "data"
	proofsName = "proofs"
	doneName   = "done"

	partSuffix  = ".part" // of a file that is renamed when it is whole
	spoolPrefix = "spool-"
	trashPrefix = "trash-"
)

func shardPath(id chunker.ObjectID) string { return path.Join(objectsName, id.String()[:2]) }

func objectPath(id chunker.ObjectID) string { return path.Join(shardPath(id), id.String()) }

// tmpPath returns a name in tmp that nobody else has.
func tmpPath(prefix string) string { return path.Join(tmpName, prefix+rand.Text()) }

// proofStride is the length of every record of proofs, in bytes: the longest
// MetaProof the object has, which is that of its first MetaChunk.
func proofStride(h chunker.Header) int64 { return int64(h.MetaProofSize(0)) }

// readHeader reads the header of the object in dir. A damaged one is
// chunker.ErrBadHeader, a missing one fs.ErrNotExist.
func readHeader(v volume, dir string, id chunker.ObjectID) (chunker.Header, error) {
	f, err := v.Open(path.Join(dir, headerName), os.O_RDONLY)
	if err != nil {
		return chunker.Header{}, err
	}
	defer f.Close()
	var buf [chunker.HeaderSize + 1]byte
	n, err := f.ReadAt(buf[:], 0)
	if err != nil && err != io.EOF {
		return chunker.Header{}, err
	}
	return chunker.ParseHeaderFor(id, buf[:n])
}

// writeHeader writes the header by way of a temporary file. It is synced only when
// the object is complete: a header lost with the power costs the work on a partial object.
func writeHeader(v volume, dir string, h chunker.Header) error {
	name := path.Join(dir, headerName)
	f, err := v.Open(name+partSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(h.AppendBinary(nil), 0)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return v.Rename(name+partSuffix, name)
}

// syncName returns what makes a file, or the names in a directory, last.
func syncName(v volume, name string) func() error {
	return func() error {
		f, err := v.Open(name, os.O_RDONLY)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	}
}

// syncAll syncs several files at once: the file system then writes its journal
// once for all of them.
func syncAll(syncs ...func() error) error {
	errs := make([]error, len(syncs))
	var wg sync.WaitGroup
	for i, sync := range syncs {
		wg.Go(func() { errs[i] = sync() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// mkdir makes a directory unless it is there, and reports whether it did.
func mkdir(v volume, name string) (made bool, err error) {
	err = v.Mkdir(name)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	return err == nil, err
}

// exists reports whether the name is there.
func exists(v volume, name string) (bool, error) {
	_, err := v.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// closeAll closes what is not nil.
func closeAll(files ...file) error {
	var errs []error
	for _, f := range files {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// unlock gives up a lock and closes the file. Closing alone would leave the lock
// with a process that is just being forked.
func unlock(f file) error {
	if f == nil {
		return nil
	}
	return errors.Join(f.Unlock(), f.Close())
}

// diskError names a full disk by the store's own error.
func diskError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return errors.Join(store.ErrNoSpace, err)
	}
	return err
}
