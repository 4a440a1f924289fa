package tracker

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"nt/chunker"
	"nt/internal/resource"
	"nt/transport"
)

// Store keeps the swarms. Implementations are safe for concurrent use and pass
// storetest. Refusals are *RefusedError; any other error means the store could
// not do its work.
type Store interface {
	// Announce records p as a holder of every item until now+ttl, with the
	// item's statement. One whose witness is not p is relayed: it is kept as the
	// witness's word and is no vote of anybody's group. errs[i] is the refusal of items[i]; a nil errs means
	// that all were taken. It refuses the whole batch with ReasonStale when p
	// said something newer before.
	Announce(now time.Time, ttl time.Duration, p Announcer, items []resource.Statement) (errs []error, err error)
	// Keep records a statement whose witness is not a holder: the notary's own.
	Keep(now time.Time, st resource.Statement) error
	// Lookup returns up to n holders of the key, drawn at random, and what
	// is known of it. It records the first outage of the key. It never returns
	// a holder that has left or expired.
	Lookup(now time.Time, key resource.Key, n int, rnd *rand.Rand) (Swarm, error)
	// Report counts a failure of a holder, once per network group, and says
	// whether it counted.
	Report(now time.Time, key resource.Key, peer transport.PeerID, group Group) (bool, error)
	// Leave forgets every holding of the peer announced before at. It refuses
	// with ReasonStale when the peer said something newer before.
	Leave(now time.Time, peer transport.PeerID, at int64) error
	// Stats returns what the store holds.
	Stats(now time.Time) StoreStats
}

// Announcer is a peer that announces, as the tracker saw it.
type Announcer struct {
	ID         transport.PeerID
	Addr       netip.AddrPort // seen, not claimed
	Transports []string
	Said       int64 // the time in its signed message, Unix seconds
}

// Swarm is what a store knows of one key.
type Swarm struct {
	Holders     []Holder
	Statements  []Kept
	FirstOutage int64 // Unix seconds; 0 if this lookup is the first
	Size        int   // holders there are, expired ones possibly counted
}

// Holder is one member of a swarm.
type Holder struct {
	ID         transport.PeerID
	Addr       netip.AddrPort
	Transports []string
	Object     chunker.ObjectID
	Announced  int64 // Unix seconds
	Expires    int64 // Unix seconds
	Failures   int   // distinct network groups that reported it lately
}

// Kept is a statement in a store.
type Kept struct {
	Statement resource.Statement
	LoggedAt  int64
	From      Group // network group of who brought it; 0 for the tracker's own notary
	Relayed   bool  // who brought it is not the witness: no vote for a group
}

// StoreStats are a store's gauges.
type StoreStats struct {
	Keys       int   `json:"keys"`
	Peers      int   `json:"peers"` // holdings: a peer counts once per key
	Statements int   `json:"statements"`
	Bytes      int64 `json:"bytes"` // estimated memory in use
	Limit      int64 `json:"bytes_limit"`
	Evicted    int64 `json:"evicted"` // keys given up for lack of memory
}
