package modes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"

	"nt/internal/resource"
	"nt/peer"
	"nt/tracker/client"
)

// notaries knows the keys of the trackers that are notaries (design section 7). A key
// that the address does not pin is asked for together with the first lookup, not
// before: while origins answer, no tracker hears of this node. The first answer is
// remembered (docs/adr/0005): another one later makes the tracker no notary.
type notaries struct {
	peer.Locator
	clients []*client.Client
	memory  notaryMemory
	log     *slog.Logger

	mu      sync.Mutex
	keys    map[resource.WitnessKey]string // name of the tracker by its key
	changed map[string]error               // by name of the tracker
}

func newNotaries(l peer.Locator, clients []*client.Client, memory notaryMemory, log *slog.Logger) *notaries {
	n := &notaries{Locator: l, clients: clients, memory: memory, log: log,
		keys: map[resource.WitnessKey]string{}, changed: map[string]error{}}
	for _, c := range clients {
		if key, ok := c.Pinned(); ok {
			n.keys[key] = c.Name()
			if err := memory.replace(c.Name(), key); err != nil {
				log.Warn("the notary's key is not remembered", "tracker", c.Name(), "err", err)
			}
		}
	}
	return n
}

// Lookup asks the trackers, and then those without a pinned key who they are, unless that came
// with the answer.
func (n *notaries) Lookup(ctx context.Context, key resource.Key) (peer.Found, error) {
	found, err := n.Locator.Lookup(ctx, key)
	var wg sync.WaitGroup
	for _, c := range n.clients {
		wg.Go(func() { n.learn(ctx, c) })
	}
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
	err = n.memory.check(c.Name(), *key)
	var other *changedKeyError
	n.mu.Lock()
	defer n.mu.Unlock()
	if errors.As(err, &other) {
		if n.changed[c.Name()] == nil {
			n.log.Error("not a notary any more", "tracker", c.Name(), "err", err)
		}
		n.changed[c.Name()] = err
		return
	}
	if err != nil { // our own disk's fault, which no stranger can cause
		n.log.Warn("the notary's key is not remembered", "tracker", c.Name(), "err", err)
	}
	n.keys[*key] = c.Name()
	delete(n.changed, c.Name())
}

// known returns the keys learnt so far.
func (n *notaries) known() map[resource.WitnessKey]string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.keys)
}

// impostors says which trackers show another key than the first time; nil if none does.
func (n *notaries) impostors() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var errs []error
	for _, err := range n.changed {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// changedKeyError is a tracker that shows another notary key than it did at first.
type changedKeyError struct {
	tracker string
	was, is resource.WitnessKey
}

func (e *changedKeyError) Error() string {
	return fmt.Sprintf("tracker %s was the notary %s and says now that it is %s", e.tracker, e.was, e.is)
}
