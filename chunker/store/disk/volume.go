package disk

import (
	"io"
	"io/fs"
	"os"
	"time"
)

// volume is what the store asks of the file system below its directory. Names
// are relative to it. Tests put faults between.
type volume interface {
	Open(name string, flag int) (file, error)
	Mkdir(name string) error
	Rename(from, to string) error
	Remove(name string) error
	RemoveAll(name string) error
	ReadDir(name string) ([]fs.DirEntry, error)
	Stat(name string) (fs.FileInfo, error)
	Touch(name string, t time.Time) error
	Close() error
}

// file is an open file or directory.
type file interface {
	io.ReaderAt
	io.WriterAt
	Sync() error
	Stat() (fs.FileInfo, error)
	// Lock takes the lock, shared or exclusive, or reports that another has it.
	// With wait it waits instead.
	Lock(exclusive, wait bool) (bool, error)
	Unlock() error
	Close() error
}

// rooted is a volume that no symbolic link leads out of.
type rooted struct{ root *os.Root }

func openRooted(dir string) (rooted, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return rooted{}, err
	}
	root, err := os.OpenRoot(dir)
	return rooted{root}, err
}

func (v rooted) Open(name string, flag int) (file, error) {
	f, err := v.root.OpenFile(name, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (v rooted) Mkdir(name string) error           { return v.root.Mkdir(name, 0o700) }
func (v rooted) Rename(from, to string) error      { return v.root.Rename(from, to) }
func (v rooted) Remove(name string) error          { return v.root.Remove(name) }
func (v rooted) RemoveAll(name string) error       { return v.root.RemoveAll(name) }
func (v rooted) Close() error                      { return v.root.Close() }
func (v rooted) Touch(n string, t time.Time) error { return v.root.Chtimes(n, t, t) }

func (v rooted) Stat(name string) (fs.FileInfo, error) { return v.root.Lstat(name) }

func (v rooted) ReadDir(name string) ([]fs.DirEntry, error) {
	d, err := v.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.ReadDir(-1)
}

type osFile struct{ *os.File }

func (f osFile) Lock(exclusive, wait bool) (bool, error) { return flock(f.File, exclusive, wait) }
func (f osFile) Unlock() error                           { return funlock(f.File) }
