package peer

import (
	"errors"
	"fmt"
	"time"

	"nt/chunker"
	"nt/chunker/store"
	"nt/internal/resource"
	"nt/transport"
)

// Bytes in use are asked for again so often, so far apart.
const (
	removeTries = 40
	removeWait  = 25 * time.Millisecond
)

// Forget removes every copy of a resource, its bytes unless another resource has the
// same, and takes back its announcement. It returns how many copies there were.
// Bytes that a reader has open right now stay until they are evicted, and are served to
// nobody.
func (n *Node) Forget(u resource.URL) (int, error) {
	if n.cfg.Cache == nil {
		return 0, nil
	}
	entries := n.cfg.Cache.Get(u)
	if _, err := n.cfg.Cache.Remove(u); err != nil {
		return 0, fmt.Errorf("forgetting: %w", err)
	}
	n.said.unshare(u.Key())
	errs := []error{n.cfg.Cache.RemoveIntegrity(u)}
	for _, e := range entries {
		n.cfg.Shelf.Take(nameOf(e))
		if n.named(e.Object()) {
			continue
		}
		err := n.remove(e.Object())
		if err != nil && !errors.Is(err, transport.ErrNotFound) && !errors.Is(err, store.ErrInUse) {
			errs = append(errs, fmt.Errorf("forgetting the bytes: %w", err))
		}
	}
	if n.ann != nil && len(entries) > 0 {
		n.ann.retract()
	}
	return len(entries), errors.Join(errs...)
}

// remove deletes bytes from the store, and waits a little for who is just done with them.
func (n *Node) remove(id chunker.ObjectID) error {
	for try := 0; ; try++ {
		err := n.cfg.Store.Remove(id)
		if !errors.Is(err, store.ErrInUse) || try == removeTries {
			return err
		}
		select {
		case <-time.After(removeWait):
		case <-n.ctx.Done():
			return err
		}
	}
}

// named reports whether a resource in the cache has the object.
func (n *Node) named(id chunker.ObjectID) bool {
	for e, err := range n.cfg.Cache.All() {
		if err == nil && e.Object() == id {
			return true
		}
	}
	return false
}
