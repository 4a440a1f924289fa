package memory

import (
	"math"

	"nt/tracker"
)

// draw implements keeper.
func (s *torrentShard) draw() uint32 {
	for range rowDraws {
		if s.torrents.next == 0 {
			return noRow
		}
		row := s.rnd.Uint32N(s.torrents.next)
		if s.torrents.at(row).size() > 0 {
			return row
		}
	}
	return noRow
}

// size implements keeper.
func (s *torrentShard) size(row uint32) int { return int(s.torrents.at(row).size()) }

// forget implements keeper.
func (s *torrentShard) forget(row uint32) {
	t := s.torrents.at(row)
	for n := t.size(); n > 0; n-- { // the last one takes the torrent along
		for f := range t.lists {
			if m := &t.lists[f]; m.n > 0 {
				s.removePeer(s.lists[f].row(m, m.n-1))
				break
			}
		}
	}
}

// burden implements keeper; few of the peers are looked at.
func (s *torrentShard) burden(row uint32) int64 {
	t := s.torrents.at(row)
	least := int64(math.MaxInt64)
	for f := range t.lists {
		m := &t.lists[f]
		for i := range min(m.n, 4) {
			least = min(least, s.weight(s.peers.at(s.lists[f].row(m, i)).group()))
		}
	}
	return least
}

func (s *torrentShard) addStats(now int64, out *tracker.StoreStats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	out.Keys += s.torrentAt.used
	out.Peers += s.peerAt.used
	out.Bytes += s.bytes
	out.Evicted += s.evicted
}
