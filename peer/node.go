package peer

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"nt/chunker/store"
	"nt/internal/resource"
	"nt/peer/cache"
	"nt/peer/origin"
	"nt/peer/publisher"
	"nt/peer/trust"
	"nt/transport"
)

// Defaults of a Config.
const (
	// DefaultPatience is how long the origin may take to begin its answer before
	// a copy is looked for beside it.
	DefaultPatience = 3 * time.Second
	// DefaultStallTimeout is how long a body may pause before a copy is looked for.
	DefaultStallTimeout = 10 * time.Second
)

// Config is what a Node is made of.
type Config struct {
	Store  store.Store
	Cache  *cache.Cache
	Origin *origin.Client
	// Locator may be nil: then there are no peers.
	Locator Locator
	// Transports are tried in this order.
	Transports []transport.Transport
	Trust      trust.Policy
	// Notaries returns more of Trust.Notaries, learnt while the node runs, as a map
	// of the caller's own; nil is none.
	Notaries func() map[resource.WitnessKey]string
	Identity ed25519.PrivateKey
	// Gossip reaches peers to compare what notaries said; nil compares what is at hand.
	Gossip Gossip
	// Publishers remembers what sites say about themselves; nil learns nothing.
	Publishers *publisher.Store
	// Sharing says what is announced.
	Sharing Sharing
	// Shelf is what the transports serve from; nil if they serve nothing.
	Shelf *Shelf
	// ServeFresh answers from the own cache, without asking the origin, what HTTP's rules
	// call fresh (RFC 9111 section 4.2). The origin then does not see every reader.
	ServeFresh bool
	// Patience and StallTimeout: 0 is the default.
	Patience, StallTimeout time.Duration
	// SlowRate is the rate in bytes per second below which an origin's body, over the
	// stall timeout, counts as sick: peers then help. 0 is the default, less is never.
	SlowRate int64
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Rand returns a number in [0, 1); nil is math/rand/v2.
	Rand func() float64
	// Log may be nil.
	Log *slog.Logger
}

// Node answers "where from?" for the readers of one machine. It is safe for
// concurrent use. Close it.
type Node struct {
	cfg        Config
	ctx        context.Context // ends with Close
	end        context.CancelCauseFunc
	flights    flights
	fetches    fetches
	outages    outages
	asking     askedSites // for ranges
	neighbours neighbours
	sites      sites
	rechecks   rechecks
	said       said
	ann        *announcer     // nil when nothing is shared
	filling    gauge          // bodies that may yet be stored
	work       sync.WaitGroup // every goroutine
}

// NewNode returns a running node: it announces what the cache holds and may be
// shared (N10).
func NewNode(cfg Config) *Node {
	if cfg.Patience == 0 {
		cfg.Patience = DefaultPatience
	}
	if cfg.StallTimeout == 0 {
		cfg.StallTimeout = DefaultStallTimeout
	}
	if cfg.SlowRate == 0 {
		cfg.SlowRate = DefaultSlowRate
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Float64
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Shelf == nil {
		cfg.Shelf = NewShelf(cfg.Store)
	}
	n := &Node{cfg: cfg}
	n.ctx, n.end = context.WithCancelCause(context.Background())
	if cfg.Cache != nil {
		n.said.liars = cfg.Cache.Liars()
	}
	if cfg.Locator != nil && cfg.Sharing.Enabled {
		n.ann = newAnnouncer(cfg)
		n.ann.recalled = n.mention
		n.work.Go(func() { n.ann.run(n.ctx) })
	}
	return n
}

// Settle waits until the bodies that were read so far are stored,
// remembered and found fit to share or not, or ctx ends.
func (n *Node) Settle(ctx context.Context) error { return n.filling.wait(ctx) }

// Close ends everything under way, takes back what was announced, and waits for
// both. Bodies that are still open end with an error. It does not close what the
// Config holds.
func (n *Node) Close() error {
	n.end(ErrClosed)
	n.work.Wait()
	return nil
}
