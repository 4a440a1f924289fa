package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"nt/internal/resource"
)

// MaxVariants is how many variants of one URL are kept; the oldest go first.
const MaxVariants = 4

const (
	folder = "responses"
	suffix = ".json"
	// tempPrefix starts with a character no key has, so that a file left by a
	// crash is never taken for an entry.
	tempPrefix = ".tmp-"
)

// Cache is one directory of entries. It is safe for concurrent use by several
// goroutines and processes: what it remembers of a file counts only while the file is the same.
type Cache struct {
	dir  string
	read memory
}

// Open returns the cache below dir, which it creates, readable by the user alone
// (security row 31).
func Open(dir string) (*Cache, error) {
	c := &Cache{dir: filepath.Join(dir, folder)}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening the cache: %w", err)
	}
	return c, nil
}

// Put stores an entry in place of the one of the same URL and variant. The entry
// is whole on disk when Put returns, or the old one is as it was.
func (c *Cache) Put(e Entry) error {
	b, err := Encode(e)
	if err != nil {
		return err
	}
	path := c.path(e.Statement.Key, e.Encoding())
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("storing a cache entry: %w", err)
	}
	if err := writeFile(path, b); err != nil {
		return fmt.Errorf("storing a cache entry: %w", err)
	}
	c.trim(e.Statement.Key)
	return nil
}

// Get returns the entries of a URL, the newest observation first, none if there
// is none. Files that do not pass Decode are passed over.
func (c *Cache) Get(u resource.URL) []Entry {
	var out []Entry
	for _, path := range c.variants(u.Key()) {
		if e, err := c.read.load(path); err == nil && e.URL == u.String() {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b Entry) int { return int(b.Statement.ObservedAt - a.Statement.ObservedAt) })
	return out
}

// Remove forgets every variant of a URL and returns how many there were.
func (c *Cache) Remove(u resource.URL) (int, error) {
	n := 0
	for _, path := range c.variants(u.Key()) {
		switch err := os.Remove(path); {
		case err == nil:
			n++
		case !errors.Is(err, fs.ErrNotExist):
			return n, fmt.Errorf("removing a cache entry: %w", err)
		}
	}
	return n, nil
}

// RemoveEntry forgets one variant, if it is still the given one.
func (c *Cache) RemoveEntry(e Entry) error {
	path := c.path(e.Statement.Key, e.Encoding())
	if now, err := load(path); err != nil || now.Object() != e.Object() {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing a cache entry: %w", err)
	}
	return nil
}

// All yields every entry in no useful order, and an error per file that is no
// entry or cannot be read.
func (c *Cache) All() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		shards, err := os.ReadDir(c.dir)
		if err != nil {
			yield(Entry{}, fmt.Errorf("listing the cache: %w", err))
			return
		}
		for _, shard := range shards {
			names, err := os.ReadDir(filepath.Join(c.dir, shard.Name()))
			if err != nil {
				continue
			}
			for _, f := range names {
				if !strings.HasSuffix(f.Name(), suffix) || strings.HasPrefix(f.Name(), tempPrefix) {
					continue
				}
				e, err := load(filepath.Join(c.dir, shard.Name(), f.Name()))
				if errors.Is(err, fs.ErrNotExist) {
					continue // another process removed it
				}
				if !yield(e, err) {
					return
				}
			}
		}
	}
}

func (c *Cache) path(key resource.Key, encoding string) string {
	k := key.String()
	return filepath.Join(c.dir, k[:2], k+"-"+variantName(encoding)+suffix)
}

// variants returns the paths of a URL's entries.
func (c *Cache) variants(key resource.Key) []string {
	k := key.String()
	dir := filepath.Join(c.dir, k[:2])
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, f := range names { // sorted by name
		if strings.HasPrefix(f.Name(), k+"-") && strings.HasSuffix(f.Name(), suffix) {
			out = append(out, filepath.Join(dir, f.Name()))
		}
	}
	return out
}

// trim removes the oldest variants over MaxVariants, and damaged files with them.
func (c *Cache) trim(key resource.Key) {
	paths := c.variants(key)
	if len(paths) <= MaxVariants {
		return
	}
	seen := make(map[string]int64, len(paths))
	for _, p := range paths {
		if e, err := load(p); err == nil {
			seen[p] = e.StoredAt
		}
	}
	slices.SortFunc(paths, func(a, b string) int { return int(seen[b] - seen[a]) })
	for _, p := range paths[MaxVariants:] {
		os.Remove(p)
	}
}

// variantName turns a Content-Encoding into a piece of a file name.
func variantName(encoding string) string {
	if encoding == "" {
		return "identity"
	}
	for i := range len(encoding) {
		if c := encoding[i]; !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9') {
			sum := sha256.Sum256([]byte(encoding))
			return "x" + hex.EncodeToString(sum[:8])
		}
	}
	return encoding
}

func load(path string) (Entry, error) {
	f, err := os.Open(path)
	if err != nil {
		return Entry{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxEntryBytes+1))
	if err != nil {
		return Entry{}, err
	}
	e, err := Decode(b)
	if err != nil {
		return Entry{}, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return e, nil
}

// writeFile writes b under a temporary name, flushes it to the disk and renames it.
func writeFile(path string, b []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), tempPrefix+"*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}
