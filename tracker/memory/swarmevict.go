package memory

import (
	"math"

	"nt/tracker"
)

// draw implements keeper: lone keys first, if there are any.
func (s *shard) draw() uint32 {
	if len(s.lone) > 0 {
		return s.lone[s.rnd.IntN(len(s.lone))]
	}
	for range rowDraws {
		if s.swarms.next == 0 {
			return noRow
		}
		row := s.rnd.Uint32N(s.swarms.next)
		if len(s.swarms.at(row).members) > 0 {
			return row
		}
	}
	return noRow
}

// size implements keeper.
func (s *shard) size(row uint32) int { return len(s.swarms.at(row).members) }

// forget implements keeper.
func (s *shard) forget(row uint32) { s.removeSwarm(row) }

// burden implements keeper: a key is as worthy as the most modest of those who hold
// it or spoke for it. Few are looked at.
func (s *shard) burden(row uint32) int64 {
	sw := s.swarms.at(row)
	least := int64(math.MaxInt64)
	for _, m := range sw.members[:min(len(sw.members), 4)] {
		least = min(least, s.weight(s.peers.at(s.holders.at(m).peer).group))
	}
	if len(sw.members) > 0 {
		return least
	}
	least = s.groupLimit / 2 // nobody holds it
	for i := range sw.contents {
		for _, k := range sw.contents[i].kept {
			if k.from != 0 {
				least = min(least, s.weight(k.from))
			}
		}
	}
	return least
}

func (s *shard) addStats(now int64, out *tracker.StoreStats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	out.Keys += len(s.swarmOf)
	out.Peers += len(s.holderOf)
	out.Statements += s.statements
	out.Bytes += s.bytes + int64(len(s.outages.ring))*outageCost
	out.Limit += int64(s.outages.max) * outageCost
	out.Evicted += s.evicted
}
