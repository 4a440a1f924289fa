package modes

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"nt/chunker"
	"nt/chunker/store"
	"nt/chunker/store/disk"
	"nt/internal/resource"
	"nt/peer/cache"
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
