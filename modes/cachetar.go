package modes

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"nt/chunker/store"
	"nt/peer/cache"
	"nt/peer/trust"
)

// An archive holds, per copy, "N/entry.json" and then "N/content": the two parts
// that nt cache import needs in this order. Any tar shows what is in it.
const (
	entryPart   = "entry.json"
	contentPart = "content"
)

// cacheExportCmd writes an archive.
type cacheExportCmd struct {
	File string   `arg:"" help:"Archive to write; - is standard output."`
	URL  []string `arg:"" optional:"" help:"What to export; everything that is complete if nothing is named."`
}

// Run writes the archive whole or not at all.
func (c *cacheExportCmd) Run(a *app) error {
	h, err := a.openHoldings()
	if err != nil {
		return err
	}
	defer h.close()
	entries, err := h.entries(c.URL)
	if err != nil {
		return err
	}
	var out sink = &stream{w: a.stdout, name: "standard output"}
	if c.File != "-" {
		if out, err = openPath(c.File, offset{}); err != nil {
			return err
		}
	}
	if err = out.begin(0, ""); err == nil {
		err = h.export(a.ctx, out, entries, len(c.URL) > 0)
	}
	if err != nil {
		out.abort(false)
		return err
	}
	return out.commit()
}

// export writes the copies; one that is not complete is an error if it was asked
// for by name, and left out otherwise.
func (h *holdings) export(ctx context.Context, w io.Writer, entries []cache.Entry, strict bool) error {
	t := tar.NewWriter(w)
	n := 0
	for _, e := range entries {
		err := h.exportOne(ctx, t, n, e)
		if errors.Is(err, errIncomplete) {
			if strict {
				return &fault{ExitPartial, fmt.Errorf("the copy of %s is not complete", e.URL), "nt fetch it first"}
			}
			continue
		}
		if err != nil {
			return err
		}
		n++
	}
	return t.Close()
}

var errIncomplete = errors.New("not complete")

func (h *holdings) exportOne(ctx context.Context, t *tar.Writer, n int, e cache.Entry) error {
	obj, err := h.store.OpenObject(e.Object())
	if err != nil {
		return errIncomplete
	}
	defer obj.Close()
	if !obj.Complete() {
		return errIncomplete
	}
	b, err := cache.Encode(e)
	if err != nil {
		return err
	}
	for _, part := range []struct {
		name string
		size int64
	}{{entryPart, int64(len(b))}, {contentPart, e.Size()}} {
		if err := t.WriteHeader(&tar.Header{Name: fmt.Sprintf("%d/%s", n, part.name), Size: part.size, Mode: 0o600, ModTime: e.ObservedAt()}); err != nil {
			return err
		}
		if part.name == entryPart {
			_, err = t.Write(b)
		} else {
			_, err = io.Copy(t, store.NewReader(ctx, obj, 0))
		}
		if err != nil {
			return fmt.Errorf("exporting %s: %w", e.URL, err)
		}
	}
	return nil
}

// cacheImportCmd reads an archive.
type cacheImportCmd struct {
	File string `arg:"" help:"Archive to read; - is standard input."`
	Mine bool   `help:"The archive is my own: believe the trust levels in it."`
}

// Run takes every copy whose content is what its entry says. What somebody else
// saw stays unverified unless --mine.
func (c *cacheImportCmd) Run(a *app) error {
	h, err := a.openHoldings()
	if err != nil {
		return err
	}
	defer h.close()
	in := a.stdin
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return fileFault("opening the archive", err)
		}
		defer f.Close()
		in = f
	}
	n, err := h.importAll(a.ctx, in, c.Mine)
	if err != nil {
		return err
	}
	return a.println(fmt.Sprintf("%d copies imported", n))
}

func (h *holdings) importAll(ctx context.Context, r io.Reader, mine bool) (n int, err error) {
	t := tar.NewReader(r)
	for {
		head, err := t.Next()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, &fault{ExitIntegrity, fmt.Errorf("reading the archive: %w", err), ""}
		}
		if want := fmt.Sprintf("%d/%s", n, entryPart); head.Name != want || head.Size > cache.MaxEntryBytes {
			return n, &fault{ExitIntegrity, fmt.Errorf("the archive has %.100q where %q should be", head.Name, want), "only what nt cache export wrote can be imported"}
		}
		if err := h.importOne(ctx, t, n, mine); err != nil {
			return n, err
		}
		n++
	}
}

func (h *holdings) importOne(ctx context.Context, t *tar.Reader, n int, mine bool) error {
	b, err := io.ReadAll(io.LimitReader(t, cache.MaxEntryBytes+1))
	if err != nil {
		return fmt.Errorf("reading the archive: %w", err)
	}
	e, err := cache.Decode(b)
	if err != nil {
		return &fault{ExitIntegrity, fmt.Errorf("reading the archive: %w", err), ""}
	}
	head, err := t.Next()
	if want := fmt.Sprintf("%d/%s", n, contentPart); err != nil || head.Name != want || head.Size != e.Size() {
		return &fault{ExitIntegrity, fmt.Errorf("the archive has no content of %d bytes for %s", e.Size(), e.URL), ""}
	}
	object, err := storeAll(ctx, h.store, t)
	if err != nil {
		return fileFault("importing "+e.URL, err)
	}
	if object.ID() != e.Object() {
		return &fault{ExitIntegrity, fmt.Errorf("the content of %s in the archive is not what its entry says", e.URL), ""}
	}
	e.Shared = false // this node did not decide that
	if !mine {
		e.Level, e.Witnesses = trust.Unverified, nil
	}
	if err := h.cache.Put(e); err != nil {
		return fileFault("importing "+e.URL, err)
	}
	return nil
}
