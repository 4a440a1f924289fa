package cache

import (
	"io/fs"
	"os"
	"sync"
)

// maxRemembered bounds the entries that are kept decoded.
const maxRemembered = 256

// memory keeps what was decoded of files lately: to read an entry anew is mostly to check its
// signature. Files are replaced by rename, never changed. The zero value is ready.
type memory struct {
	mu sync.Mutex
	m  map[string]remembered
}

type remembered struct {
	file  fs.FileInfo
	entry Entry
}

// load is the function load for a file that may be as it was.
func (m *memory) load(path string) (Entry, error) {
	now, err := os.Stat(path)
	if err != nil {
		return Entry{}, err
	}
	m.mu.Lock()
	was, ok := m.m[path]
	m.mu.Unlock()
	if ok && os.SameFile(was.file, now) && was.file.ModTime().Equal(now.ModTime()) && was.file.Size() == now.Size() {
		return was.entry, nil
	}
	e, err := load(path)
	if err != nil {
		return e, err
	}
	// If the file was replaced since Stat, the next look finds another file than this one.
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.m) >= maxRemembered || m.m == nil {
		m.m = make(map[string]remembered)
	}
	m.m[path] = remembered{now, e}
	return e, nil
}
