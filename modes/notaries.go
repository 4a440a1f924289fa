package modes

import (
	"context"
	"maps"
	"sync"

	"nt/internal/resource"
	"nt/peer"
	"nt/tracker/client"
)

// notaries knows the keys of the trackers that are notaries (design section 7). A key
// that the address does not pin is asked for together with the first lookup, not
// before: while origins answer, no tracker hears of this node.
type notaries struct {
	peer.Locator
	clients []*client.Client

	mu   sync.Mutex
	keys map[resource.WitnessKey]string // name of the tracker by its key
}

func newNotaries(l peer.Locator, clients []*client.Client) *notaries {
	n := &notaries{Locator: l, clients: clients, keys: map[resource.WitnessKey]string{}}
	for _, c := range clients {
		if key, ok := c.Pinned(); ok {
			n.keys[key] = c.Name()
		}
	}
	return n
}

// Lookup asks the trackers, and beside that those without a pinned key who they are.
func (n *notaries) Lookup(ctx context.Context, key resource.Key) (peer.Found, error) {
	var wg sync.WaitGroup
	for _, c := range n.clients {
		wg.Go(func() { n.learn(ctx, c) })
	}
	found, err := n.Locator.Lookup(ctx, key)
	wg.Wait()
	return found, err
}

// learn asks one tracker for its key; one that does not answer vouches for nothing.
func (n *notaries) learn(ctx context.Context, c *client.Client) {
	if _, pinned := c.Pinned(); pinned {
		return
	}
	key, err := c.Notary(ctx)
	if err != nil || key == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.keys[*key] = c.Name()
}

// known returns the keys learnt so far.
func (n *notaries) known() map[resource.WitnessKey]string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.keys)
}
