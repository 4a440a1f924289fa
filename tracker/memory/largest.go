package memory

import (
	"cmp"
	"encoding/hex"
	"slices"

	"nt/tracker"
)

// Largest returns the n keys with the most holders, the largest first. It walks the
// table, shard by shard: for people, not for requests.
func (s *Store) Largest(n int) []tracker.SwarmSize {
	var top []tracker.SwarmSize
	for _, sh := range s.shards {
		sh.mu.Lock()
		for row := range sh.swarms.next {
			if sw := sh.swarms.at(row); len(sw.members) > 0 {
				top = insert(top, n, len(sw.members), func() tracker.SwarmSize { return tracker.SwarmSize{Name: sw.key.String(), Holders: len(sw.members)} })
			}
		}
		sh.mu.Unlock()
	}
	return top
}

// Largest returns the n torrents with the most peers, the largest first.
func (t *Torrents) Largest(n int) []tracker.SwarmSize {
	var top []tracker.SwarmSize
	for _, s := range t.shards {
		s.mu.Lock()
		for row := range s.torrents.next {
			if tr := s.torrents.at(row); tr.size() > 0 {
				top = insert(top, n, int(tr.size()), func() tracker.SwarmSize {
					return tracker.SwarmSize{Name: hex.EncodeToString(tr.hash[:]), Holders: int(tr.size()), Seeds: int(tr.seeds)}
				})
			}
		}
		s.mu.Unlock()
	}
	return top
}

// insert puts what has so many holders into a list of the n largest, if it belongs there.
func insert(top []tracker.SwarmSize, n, holders int, what func() tracker.SwarmSize) []tracker.SwarmSize {
	if n <= 0 || len(top) == n && holders <= top[n-1].Holders {
		return top
	}
	at, _ := slices.BinarySearchFunc(top, holders, func(s tracker.SwarmSize, h int) int { return cmp.Compare(h, s.Holders) })
	top = slices.Insert(top, at, what())
	return top[:min(len(top), n)]
}
