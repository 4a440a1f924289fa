package modes

import (
	"context"
	"errors"
	"fmt"

	"nt/chunker"
	"nt/chunker/store"
	"nt/peer/cache"
	"nt/transport"
)

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
