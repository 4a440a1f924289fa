package memory

import (
	"hash/maphash"
	"math/rand/v2"
	"time"

	"nt/tracker"
)

// TorrentConfig bounds Torrents. Zero fields take the defaults.
type TorrentConfig struct {
	Bytes      int64  // estimated memory; default 64 MiB
	Shards     int    // default 64
	GroupShare int    // one /24 or /48 may fill 1/GroupShare of Bytes; default 32
	Seed       uint64 // of the choice of what to evict
}

// Torrents is the BitTorrent swarms; it implements tracker.TorrentStore. Nothing in it
// holds a pointer per peer or per torrent.
type Torrents struct {
	seed   maphash.Seed
	budget budget
	shards []*torrentShard
}

// NewTorrents returns an empty store.
func NewTorrents(cfg TorrentConfig) *Torrents {
	if cfg.Bytes <= 0 {
		cfg.Bytes = 64 << 20
	}
	if cfg.Shards <= 0 {
		cfg.Shards = 64
	}
	if cfg.GroupShare <= 0 {
		cfg.GroupShare = 32
	}
	t := &Torrents{seed: maphash.MakeSeed(), budget: budget{limit: cfg.Bytes}}
	for i := range cfg.Shards {
		t.shards = append(t.shards, newTorrentShard(cfg, &t.budget, t.seed, rand.New(rand.NewPCG(cfg.Seed, uint64(i)))))
	}
	introduce(t.shards)
	return t
}

func (t *Torrents) shard(hash tracker.InfoHash) (*torrentShard, uint64) {
	sum := maphash.Bytes(t.seed, hash[:])
	return t.shards[sum%uint64(len(t.shards))], sum
}

// Announce implements tracker.TorrentStore.
func (t *Torrents) Announce(now time.Time, a tracker.TorrentAnnounce, list []byte) (tracker.TorrentCounts, []byte, error) {
	s, sum := t.shard(a.Hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.announce(now.Unix(), sum, a, list)
}

// Scrape implements tracker.TorrentStore.
func (t *Torrents) Scrape(now time.Time, hash tracker.InfoHash) tracker.TorrentCounts {
	s, sum := t.shard(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now.Unix())
	if row, ok := s.findTorrent(sum, hash); ok {
		return s.torrents.at(row).counts()
	}
	return tracker.TorrentCounts{}
}

// Stats implements tracker.TorrentStore. It lets every shard expire what is due.
func (t *Torrents) Stats(now time.Time) tracker.StoreStats {
	out := tracker.StoreStats{Limit: t.budget.limit}
	for _, s := range t.shards {
		s.addStats(now.Unix(), &out)
	}
	return out
}
