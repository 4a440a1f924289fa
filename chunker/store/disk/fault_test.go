package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"nt/chunker/store"
	"nt/chunker/store/storetest"
)

// faulty is a volume whose n-th operation fails, and every later one too if it
// stays broken. A failing write writes half.
type faulty struct {
	volume
	mu    sync.Mutex
	left  int
	stays bool
	fault error
	hit   bool
}

func (v *faulty) fail(op, name string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.left--
	if v.left == 0 || v.left < 0 && v.stays {
		v.hit = true
		return &fs.PathError{Op: op, Path: name, Err: v.fault}
	}
	return nil
}

func (v *faulty) Open(name string, flag int) (file, error) {
	if err := v.fail("open", name); err != nil {
		return nil, err
	}
	f, err := v.volume.Open(name, flag)
	if err != nil {
		return nil, err
	}
	return &faultyFile{f, v, name}, nil
}

func (v *faulty) Mkdir(name string) error {
	return errors.Join(v.fail("mkdir", name), v.volume.Mkdir(name))
}

func (v *faulty) Rename(from, to string) error {
	if err := v.fail("rename", from); err != nil {
		return err
	}
	return v.volume.Rename(from, to)
}

func (v *faulty) Remove(name string) error {
	if err := v.fail("remove", name); err != nil {
		return err
	}
	return v.volume.Remove(name)
}

func (v *faulty) RemoveAll(name string) error {
	if err := v.fail("removeall", name); err != nil {
		return err
	}
	return v.volume.RemoveAll(name)
}

func (v *faulty) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := v.fail("readdir", name); err != nil {
		return nil, err
	}
	return v.volume.ReadDir(name)
}

func (v *faulty) Stat(name string) (fs.FileInfo, error) {
	if err := v.fail("stat", name); err != nil {
		return nil, err
	}
	return v.volume.Stat(name)
}

func (v *faulty) Touch(name string, t time.Time) error {
	return errors.Join(v.fail("touch", name), v.volume.Touch(name, t))
}

type faultyFile struct {
	file
	v    *faulty
	name string
}

func (f *faultyFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.v.fail("read", f.name); err != nil {
		return 0, err
	}
	return f.file.ReadAt(p, off)
}

func (f *faultyFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.v.fail("write", f.name); err != nil {
		n, _ := f.file.WriteAt(p[:len(p)/2], off)
		return n, err
	}
	return f.file.WriteAt(p, off)
}

func (f *faultyFile) Sync() error {
	return errors.Join(f.v.fail("sync", f.name), f.file.Sync())
}

func (f *faultyFile) Stat() (fs.FileInfo, error) {
	if err := f.v.fail("fstat", f.name); err != nil {
		return nil, err
	}
	return f.file.Stat()
}

func (f *faultyFile) Lock(exclusive, wait bool) (bool, error) {
	if err := f.v.fail("lock", f.name); err != nil {
		return false, err
	}
	return f.file.Lock(exclusive, wait)
}

func (f *faultyFile) Close() error {
	return errors.Join(f.v.fail("close", f.name), f.file.Close())
}

// faultSize is the size of the story's objects: small, for a story of few operations.
const faultSize = 2<<10 + 1

// story is a little of everything a store does; it goes on after errors.
func story(s *Store, c [4]storetest.Content) error {
	err := fill(s, c[0], c[0].NumChunks())
	err = errors.Join(err, fill(s, c[1], 1))
	err = errors.Join(err, commitOne(s, c[2]))
	err = errors.Join(err, commitOne(s, c[1])) // over a partial one
	for range s.List() {
	}
	err = errors.Join(err, fill(s, c[3], c[3].NumChunks())) // evicts
	err = errors.Join(err, fill(s, c[3], 1), s.Remove(c[3].ID))
	return err
}

func fill(s store.Store, c storetest.Content, n int) error {
	obj, err := s.Create(c.ID)
	if err != nil {
		return err
	}
	err = obj.Begin(c.Header)
	for m := 0; m < c.NumMetaChunks() && err == nil; m++ {
		p, _ := c.Tree.MetaProof(m)
		err = obj.AddProof(m, p)
	}
	for i := 0; i < n && err == nil; i++ {
		if err = obj.Put(i, c.Chunk(i)); err == nil {
			_, err = obj.ReadChunk(i, nil)
		}
	}
	return errors.Join(err, obj.Close())
}

func commitOne(s store.Store, c storetest.Content) error {
	sp, err := s.Spool(context.Background())
	if err != nil {
		return err
	}
	_, err = sp.Write(c.Bytes[:c.Size/2])
	if err == nil {
		_, err = sp.Write(c.Bytes[c.Size/2:])
	}
	if err == nil {
		_, err = sp.Commit(context.Background())
	}
	return errors.Join(err, sp.Discard(err))
}

func TestRow45_EveryOperationFailsOnce(t *testing.T) {
	t.Parallel()
	var c [4]storetest.Content
	for i := range c {
		c[i] = storetest.Make(t, uint64(i), faultSize)
	}
	dir := memoryDir(t)
	for _, f := range []struct {
		fault error
		stays bool
		step  int // every how many operations
	}{{syscall.EIO, false, 1}, {syscall.ENOSPC, true, 5}} {
		t.Run(fmt.Sprintf("%v,stays=%v", f.fault, f.stays), func(t *testing.T) {
			n := 1
			for ; failNth(t, filepath.Join(dir, fmt.Sprint(n, f.stays)), c, &faulty{left: n, stays: f.stays, fault: f.fault}); n += f.step {
			}
			if n < 100 {
				t.Errorf("the story has only %d operations", n)
			}
			t.Logf("about %d operations", n-1)
		})
	}
}

// failNth plays the story with one fault, then looks at what is left, without.
func failNth(t *testing.T, dir string, c [4]storetest.Content, v *faulty) (hit bool) {
	t.Helper()
	n := v.left
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	v.volume = below{dir}
	o := store.Options{Budget: 3*(faultSize+store.Cost(c[0].Header)) + faultSize/2}
	s, err := open(v, o)
	if err == nil {
		err = errors.Join(story(s, c), s.Close())
	}
	if v.hit && v.stays && err == nil {
		t.Errorf("operation %d and all after it failed, and nobody was told", n)
	}
	if err != nil && !errors.Is(err, v.fault) {
		t.Errorf("operation %d failed with %v and the story with %v", n, v.fault, err)
	}
	after := openStore(t, dir, o)
	for _, one := range c {
		if damaged, _ := readAll(t, after, one); damaged > 0 {
			t.Errorf("operation %d: %d chunks counted as there and were not", n, damaged)
		}
	}
	left, err := os.ReadDir(filepath.Join(dir, tmpName))
	if err != nil || len(left) > 0 {
		t.Errorf("operation %d left %v in tmp: %v", n, left, err)
	}
	if err := errors.Join(fill(after, c[0], c[0].NumChunks()), commitOne(after, c[1])); err != nil {
		t.Errorf("operation %d: the store was not usable afterwards: %v", n, err)
	}
	closeStore(t, after)
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
	return v.hit
}

// memoryDir returns a directory in memory where there is one: these tests sync
// thousands of times, and it is not the disk that is tested.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "store")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
