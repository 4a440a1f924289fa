package memory

import (
	"hash/maphash"
	"math/rand/v2"
	"time"

	"nt/internal/resource"
	"nt/tracker"
	"nt/transport"
)

// Config bounds a Store. Zero fields take the defaults.
type Config struct {
	Bytes        int64         // estimated memory; default 256 MiB
	Shards       int           // default 64
	GroupShare   int           // one /24 or /48 may fill 1/GroupShare of Bytes; default 32
	SwarmQuota   int           // holders of one /24 or /48 per key; default 256
	StatementTTL time.Duration // how long statements outlive the last holder; default 7 days
	ReportTTL    time.Duration // how long a failure report weighs; default 1 hour
	Seed         uint64        // of the choice of what to evict
	// Kept hears of every statement that the store begins to keep, under a lock: it
	// must not wait and not call the store. May be nil.
	Kept func(tracker.Kept)
}

// Store is the swarm store in memory; it implements tracker.Store.
type Store struct {
	seed   maphash.Seed // unknown outside, so that nobody can aim at one shard
	budget budget
	shards []*shard
}

// New returns an empty Store.
func New(cfg Config) *Store {
	if cfg.Bytes <= 0 {
		cfg.Bytes = 256 << 20
	}
	if cfg.Shards <= 0 {
		cfg.Shards = 64
	}
	if cfg.GroupShare <= 0 {
		cfg.GroupShare = 32
	}
	if cfg.SwarmQuota <= 0 {
		cfg.SwarmQuota = 256
	}
	if cfg.StatementTTL <= 0 {
		cfg.StatementTTL = 7 * 24 * time.Hour
	}
	if cfg.ReportTTL <= 0 {
		cfg.ReportTTL = time.Hour
	}
	s := &Store{seed: maphash.MakeSeed(), budget: budget{limit: cfg.Bytes / 16 * 15}} // the rest is for outages
	for i := range cfg.Shards {
		s.shards = append(s.shards, newShard(cfg, &s.budget, s.seed, rand.New(rand.NewPCG(cfg.Seed, uint64(i)))))
	}
	introduce(s.shards)
	return s
}

func (s *Store) shard(key resource.Key) *shard { return s.shards[s.shardIndex(key)] }

func (s *Store) shardIndex(key resource.Key) int {
	return int(maphash.Bytes(s.seed, key[:]) % uint64(len(s.shards)))
}

// Announce implements tracker.Store.
func (s *Store) Announce(now time.Time, ttl time.Duration, p tracker.Announcer, items []resource.Statement) ([]error, error) {
	batches := make(map[int][]int)
	for i := range items {
		n := s.shardIndex(items[i].Key)
		batches[n] = append(batches[n], i)
	}
	for n := range batches {
		if err := s.shards[n].checkSaid(p); err != nil {
			return nil, err
		}
	}
	var errs []error
	for n, batch := range batches {
		for _, i := range batch {
			if err := s.shards[n].announce(now.Unix(), int64(ttl/time.Second), p, items[i]); err != nil {
				if errs == nil {
					errs = make([]error, len(items))
				}
				errs[i] = err
			}
		}
	}
	return errs, nil
}

// Keep implements tracker.Store.
func (s *Store) Keep(now time.Time, st resource.Statement) error {
	return s.shard(st.Key).keep(now.Unix(), st)
}

// Lookup implements tracker.Store.
func (s *Store) Lookup(now time.Time, key resource.Key, n int, rnd *rand.Rand) (tracker.Swarm, error) {
	return s.shard(key).lookup(now.Unix(), key, n, rnd)
}

// Report implements tracker.Store.
func (s *Store) Report(now time.Time, key resource.Key, peer transport.PeerID, group tracker.Group) (bool, error) {
	return s.shard(key).report(now.Unix(), key, peer, group), nil
}

// Leave implements tracker.Store.
func (s *Store) Leave(now time.Time, peer transport.PeerID, at int64) error {
	stale := false
	for _, sh := range s.shards {
		if err := sh.leave(peer, at); err != nil {
			stale = true
		}
	}
	if stale {
		return errStale()
	}
	return nil
}

// Stats implements tracker.Store. It lets every shard expire what is due.
func (s *Store) Stats(now time.Time) tracker.StoreStats {
	out := tracker.StoreStats{Limit: s.budget.limit}
	for _, sh := range s.shards {
		sh.addStats(now.Unix(), &out)
	}
	return out
}
