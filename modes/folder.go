package modes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"sync"
	"time"

	"nt/chunker"
	"nt/chunker/store"
	"nt/internal/resource"
	"nt/peer"
)

// maxFolderFiles is how many files of a folder are published.
const maxFolderFiles = 100_000

// folder is a directory that is published: its files over HTTP, and as objects
// of a store. Files whose name starts with a dot, and what links lead out, are not
// part of it. It is safe for concurrent use.
type folder struct {
	root  *os.Root
	store store.Store
	shelf *peer.Shelf
	log   *slog.Logger
	// hash makes an object of a file, or only its name.
	hash func(context.Context, *os.File) (chunker.Header, error)

	mu    sync.RWMutex
	files map[string]published // by slash-separated path
}

// published is one file as it was when its object was made.
type published struct {
	size     int64
	modified time.Time
	header   chunker.Header
	observed time.Time
}

// openFolder opens a directory; nothing is published before the first scan.
func openFolder(dir string, s store.Store, shelf *peer.Shelf, log *slog.Logger) (*folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the folder: %w", err)
	}
	f := &folder{root: root, store: s, shelf: shelf, log: log, files: map[string]published{}}
	f.hash = func(ctx context.Context, file *os.File) (chunker.Header, error) { return storeAll(ctx, f.store, file) }
	return f, nil
}

// scan makes objects of new and changed files and reports whether anything
// changed. A file that cannot be read is left out and logged.
func (f *folder) scan(ctx context.Context, now time.Time) (changed bool, err error) {
	seen := map[string]bool{}
	err = fs.WalkDir(f.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			f.log.Warn("not published", "file", name, "err", err)
			return nil
		case name != "." && d.Name()[0] == '.':
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		case len(seen) >= maxFolderFiles:
			return &fault{ExitUsage, fmt.Errorf("the folder has more than %d files", maxFolderFiles), ""}
		}
		seen[name] = true
		fresh, err := f.publish(ctx, name, now)
		if err != nil {
			f.log.Warn("not published", "file", name, "err", err)
		}
		changed = changed || fresh
		return nil
	})
	if err != nil {
		return changed, err
	}
	return f.forget(seen) || changed, nil
}

// forget drops files that are gone.
func (f *folder) forget(seen map[string]bool) (changed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.files)
	maps.DeleteFunc(f.files, func(name string, _ published) bool {
		if !seen[name] {
			f.shelf.Take("file " + name)
		}
		return !seen[name]
	})
	return len(f.files) != n
}

// publish makes the file's object, unless it is as it was.
func (f *folder) publish(ctx context.Context, name string, now time.Time) (fresh bool, err error) {
	file, err := f.root.Open(name)
	if err != nil {
		return false, err
	}
	defer file.Close()
	before, err := file.Stat()
	if err != nil {
		return false, err
	}
	if old, ok := f.get(name); ok && old.size == before.Size() && old.modified.Equal(before.ModTime()) {
		return false, nil
	}
	header, err := f.hash(ctx, file)
	if err != nil {
		return false, err
	}
	after, err := file.Stat()
	if err != nil {
		return false, err
	}
	if after.Size() != header.Size || !after.ModTime().Equal(before.ModTime()) {
		return false, errors.New("it changes while it is read")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.files[name] = published{size: header.Size, modified: after.ModTime(), header: header, observed: now}
	f.shelf.Put("file "+name, header.ID())
	return true, nil
}

// storeAll makes an object of everything r has.
func storeAll(ctx context.Context, s store.Store, r io.Reader) (chunker.Header, error) {
	spool, err := s.Spool(ctx)
	if err != nil {
		return chunker.Header{}, err
	}
	defer spool.Discard(nil)
	if _, err := io.Copy(spool, r); err != nil {
		return chunker.Header{}, err
	}
	return spool.Commit(ctx)
}

func (f *folder) get(name string) (published, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	p, ok := f.files[name]
	return p, ok
}

// offer is one URL of the folder and what is there.
type offer struct {
	url       resource.URL
	statement resource.Statement // not signed
}

// offers returns what the folder has below base, in the order of the files' names.
func (f *folder) offers(base *url.URL) []offer {
	f.mu.RLock()
	defer f.mu.RUnlock()
	var out []offer
	for _, name := range slices.Sorted(maps.Keys(f.files)) {
		p := f.files[name]
		paths := []string{name}
		if path.Base(name) == "index.html" {
			paths = append(paths, name[:len(name)-len("index.html")])
		}
		for _, p2 := range paths {
			u, err := resource.ParseURL(base.JoinPath("/").ResolveReference(&url.URL{Path: path.Join(base.Path, "/") + p2}).String())
			if err != nil {
				f.log.Warn("not announced", "file", name, "err", err)
				continue
			}
			out = append(out, offer{u, resource.Statement{
				Key: u.Key(), Object: p.header.ID(), Size: p.size, Status: http.StatusOK, Header: f.header(name, p), ObservedAt: p.observed.Unix(),
			}})
		}
	}
	return out
}

// close closes the directory.
func (f *folder) close() error { return f.root.Close() }
