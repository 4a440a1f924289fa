package tracker

import (
	"net/netip"
	"time"
)

// InfoHash names a BitTorrent torrent as trackers know it (BEP 3): 20 bytes, for
// version 2 the first 20 of its hash (BEP 52).
type InfoHash [20]byte

// TorrentAnnounce is one announcement of a BitTorrent client.
type TorrentAnnounce struct {
	Hash      InfoHash
	Addr      netip.AddrPort // seen address, unmapped; claimed port
	TTL       time.Duration  // how long it holds
	Complete  bool           // it has everything: it is counted as a seed and gets no list
	Completed bool           // it has just finished
	Stopped   bool           // it leaves
	Want      int            // peers it wants
	Draw      uint64         // random: where in the swarm the list begins
}

// TorrentCounts says how large a torrent's swarm is.
type TorrentCounts struct {
	Seeds, Leeches, Completed uint32
}

// TorrentStore keeps BitTorrent swarms. Implementations are safe for concurrent
// use. Refusals are *RefusedError.
type TorrentStore interface {
	// Announce records, renews or takes back a peer and appends up to a.Want
	// others to list, compact (BEP 23; 18 bytes each for IPv6, BEP 7), of the family of
	// a.Addr: 6 or 18 bytes each, never the asker.
	Announce(now time.Time, a TorrentAnnounce, list []byte) (TorrentCounts, []byte, error)
	// Scrape returns the counts of a torrent; one that nobody has is all zeros.
	Scrape(now time.Time, hash InfoHash) TorrentCounts
	// Stats returns what the store holds; a torrent is a key.
	Stats(now time.Time) StoreStats
}

// SwarmSize is one of the largest swarms of a store.
type SwarmSize struct {
	Name    string // key or infohash in hexadecimal
	Holders int
	Seeds   int // 0 for URLs, where every holder has everything
}
