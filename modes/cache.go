package modes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"nt/chunker"
	"nt/chunker/store"
	"nt/chunker/store/disk"
	"nt/internal/resource"
	"nt/peer/cache"
	"nt/transport"
)

// cacheCmd looks into and changes the cache, whether a peer is running on it or not.
type cacheCmd struct {
	Ls     cacheLsCmd     `cmd:"" help:"List what is there."`
	Show   cacheShowCmd   `cmd:"" help:"Say everything about the copies of one URL."`
	Verify cacheVerifyCmd `cmd:"" help:"Read everything and compare it with its hash."`
	Rm     cacheRmCmd     `cmd:"" help:"Remove copies."`
	Export cacheExportCmd `cmd:"" help:"Write copies to a tar archive."`
	Import cacheImportCmd `cmd:"" help:"Read copies from such an archive."`
}

// holdings is an open cache directory.
type holdings struct {
	dir   string
	cache *cache.Cache
	store store.Store
}

func (a *app) openHoldings() (*holdings, error) {
	dir, err := a.cachePath()
	if err != nil {
		return nil, err
	}
	h := &holdings{dir: dir}
	if h.cache, err = cache.Open(dir); err != nil {
		return nil, fileFault("opening the cache", err)
	}
	if h.store, err = disk.Open(dir, store.Options{Log: a.log}); err != nil {
		return nil, fileFault("opening the cache", err)
	}
	return h, nil
}

func (h *holdings) close() { h.store.Close() }

// entries returns the copies of the given URLs, of all without any, sorted by URL.
func (h *holdings) entries(urls []string) ([]cache.Entry, error) {
	var out []cache.Entry
	if len(urls) == 0 {
		for e, err := range h.cache.All() {
			if err == nil { // a damaged entry is no copy; verify counts those
				out = append(out, e)
			}
		}
	}
	for _, raw := range urls {
		u, err := resource.ParseURL(raw)
		if err != nil {
			return nil, usagef("", "%w", err)
		}
		found := h.cache.Get(u)
		if len(found) == 0 {
			return nil, &fault{ExitNoSource, fmt.Errorf("there is no copy of %s in %s", u, h.dir), ""}
		}
		out = append(out, found...)
	}
	slices.SortStableFunc(out, func(a, b cache.Entry) int { return strings.Compare(a.URL, b.URL) })
	return out, nil
}

// have returns how many of an object's bytes are there.
func (h *holdings) have(id chunker.ObjectID) int64 {
	obj, err := h.store.OpenObject(id)
	if err != nil {
		return 0
	}
	defer obj.Close()
	head, ok := obj.Header()
	if !ok {
		return 0
	}
	var n int64
	have := obj.Have()
	for i := range head.NumChunks() {
		if have.Contains(uint32(i)) {
			n += int64(head.ChunkLen(i))
		}
	}
	return n
}

// copyInfo is what nt cache ls and show print of one copy.
type copyInfo struct {
	URL        string              `json:"url"`
	Object     chunker.ObjectID    `json:"object"`
	Size       int64               `json:"size"`
	Have       int64               `json:"have"` // bytes that are there
	Trust      string              `json:"trust"`
	Witnesses  []string            `json:"witnesses"`
	ObservedAt string              `json:"observed_at"`
	Shared     bool                `json:"shared"`
	Header     map[string][]string `json:"header,omitempty"`
}

func (h *holdings) info(e cache.Entry) copyInfo {
	return copyInfo{
		URL: e.URL, Object: e.Object(), Size: e.Size(), Have: h.have(e.Object()), Trust: e.Level.String(),
		Witnesses: append([]string{}, e.Witnesses...), ObservedAt: e.ObservedAt().UTC().Format(time.RFC3339), Shared: e.Shared,
	}
}

// cacheLsCmd lists copies.
type cacheLsCmd struct {
	JSON bool `name:"json" help:"One JSON object per copy."`
}

// Run prints a line per copy.
func (c *cacheLsCmd) Run(a *app) error {
	h, err := a.openHoldings()
	if err != nil {
		return err
	}
	defer h.close()
	entries, err := h.entries(nil)
	if err != nil {
		return err
	}
	for _, e := range entries {
		i := h.info(e)
		if c.JSON {
			err = a.printJSON(i)
		} else {
			err = a.println(fmt.Sprintf("%s %11d %3d%% %-12s %s", i.ObservedAt, i.Size, 100*i.Have/max(i.Size, 1), i.Trust, printable(i.URL)))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// cacheShowCmd shows the copies of one URL.
type cacheShowCmd struct {
	URL string `arg:""`
}

// Run prints one JSON object per copy.
func (c *cacheShowCmd) Run(a *app) error {
	h, err := a.openHoldings()
	if err != nil {
		return err
	}
	defer h.close()
	entries, err := h.entries([]string{c.URL})
	if err != nil {
		return err
	}
	for _, e := range entries {
		i := h.info(e)
		i.Header = e.Header()
		if err := a.printJSON(i); err != nil {
			return err
		}
	}
	return nil
}

// cacheVerifyCmd checks everything.
type cacheVerifyCmd struct{}

// Run reads every object; what is damaged is dropped by the store, and counts as an
// integrity error.
func (c *cacheVerifyCmd) Run(a *app) error {
	h, err := a.openHoldings()
	if err != nil {
		return err
	}
	defer h.close()
	objects, bad := 0, 0
	for info := range h.store.List() {
		if a.ctx.Err() != nil {
			return signalCause(a)
		}
		objects++
		if err := h.verify(info.ID); err != nil {
			bad++
			fmt.Fprintf(a.stderr, "nt: damaged: %s: %s\n", info.ID, printable(err.Error()))
		}
	}
	for _, err := range h.cache.All() {
		if err != nil {
			bad++
			fmt.Fprintf(a.stderr, "nt: damaged: %s\n", printable(err.Error()))
		}
	}
	if bad > 0 {
		return &fault{ExitIntegrity, fmt.Errorf("%d of %d objects and entries are damaged", bad, objects), "damaged chunks have been dropped; they are fetched again when needed"}
	}
	return a.println(fmt.Sprintf("%d objects are what they should be", objects))
}

// verify reads every chunk that is there.
func (h *holdings) verify(id chunker.ObjectID) error {
	obj, err := h.store.OpenObject(id)
	if errors.Is(err, transport.ErrNotFound) {
		return nil // removed meanwhile
	}
	if err != nil {
		return err
	}
	defer obj.Close()
	head, ok := obj.Header()
	if !ok {
		return nil
	}
	have := obj.Have()
	buf := make([]byte, 0, chunker.MaxChunkSize)
	for i := range head.NumChunks() {
		if !have.Contains(uint32(i)) {
			continue
		}
		if _, err := obj.ReadChunk(i, buf); err != nil {
			return err
		}
	}
	return nil
}

// cacheRmCmd removes copies.
type cacheRmCmd struct {
	URL []string `arg:"" optional:""`
	All bool     `help:"Remove everything."`
}

// Run removes copies, and their content unless another URL has the same.
func (c *cacheRmCmd) Run(a *app) error {
	if c.All == (len(c.URL) > 0) {
		return usagef("", "name URLs, or --all")
	}
	h, err := a.openHoldings()
	if err != nil {
		return err
	}
	defer h.close()
	gone, err := h.entries(c.URL)
	if err != nil {
		return err
	}
	for _, e := range gone {
		if err := h.cache.RemoveEntry(e); err != nil {
			return fileFault("removing a copy", err)
		}
	}
	return h.sweep(a, gone, c.All)
}

// sweep removes the objects of removed copies that nobody refers to any more; with
// all, every object.
func (h *holdings) sweep(a *app, gone []cache.Entry, all bool) error {
	needed := map[chunker.ObjectID]bool{}
	left, err := h.entries(nil)
	if err != nil {
		return err
	}
	for _, e := range left {
		needed[e.Object()] = true
	}
	var ids []chunker.ObjectID
	for _, e := range gone {
		ids = append(ids, e.Object())
	}
	if all {
		for info := range h.store.List() {
			ids = append(ids, info.ID)
		}
	}
	for _, id := range ids {
		if needed[id] {
			continue
		}
		switch err := h.store.Remove(id); {
		case errors.Is(err, store.ErrInUse):
			fmt.Fprintf(a.stderr, "nt: note: %s is in use and stays until it is evicted\n", id)
		case err != nil && !errors.Is(err, transport.ErrNotFound):
			return fileFault("removing content", err)
		}
	}
	return nil
}

// signalCause is the error of a command that was told to stop.
func signalCause(a *app) error { return fmt.Errorf("stopped: %w", context.Cause(a.ctx)) }
