package disk

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
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

// below is the volume of everything below a directory. The directory is the
// user's own and closed to others, so there are no foreign links to fear.
type below struct{ dir string }

func (v below) at(name string) string { return filepath.Join(v.dir, name) }

func (v below) Open(name string, flag int) (file, error) {
	f, err := os.OpenFile(v.at(name), flag, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (v below) Mkdir(name string) error                 { return os.Mkdir(v.at(name), 0o700) }
func (v below) Rename(from, to string) error            { return os.Rename(v.at(from), v.at(to)) }
func (v below) Remove(name string) error                { return os.Remove(v.at(name)) }
func (v below) RemoveAll(name string) error             { return os.RemoveAll(v.at(name)) }
func (v below) Stat(name string) (fs.FileInfo, error)   { return os.Lstat(v.at(name)) }
func (v below) ReadDir(n string) ([]fs.DirEntry, error) { return os.ReadDir(v.at(n)) }
func (v below) Touch(name string, t time.Time) error    { return os.Chtimes(v.at(name), t, t) }

type osFile struct{ *os.File }

func (f osFile) Lock(exclusive, wait bool) (bool, error) { return flock(f.File, exclusive, wait) }
func (f osFile) Unlock() error                           { return funlock(f.File) }
