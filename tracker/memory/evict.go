package memory

import (
	"math"

	"nt/tracker"
)

const (
	noRow = uint32(math.MaxUint32)
	// evictDraws is how many keys are drawn to find the one to give up: whoever
	// fills the tracker owns nearly all of them.
	evictDraws = 8
)

// makeRoom evicts keys until need bytes are free, sparing the row keep: from
// this shard, and where that has none to give up from another. It returns false rather
// than evict a key of a group that uses less than the asking group does: a
// flood only pushes out itself (security row 9).
func (s *shard) makeRoom(need int64, asking tracker.Group, keep uint32) bool {
	weight := s.weight(asking)
	for !s.budget.fits(need) {
		if !s.giveUp(weight, keep) && !s.othersGiveUp(weight) {
			return false
		}
	}
	return true
}

// giveUp evicts one key whose groups use at least so much.
func (s *shard) giveUp(weight int64, keep uint32) bool {
	row, burden := s.heaviest(keep)
	if row == noRow || burden < weight {
		return false
	}
	s.removeSwarm(row)
	s.evicted++
	return true
}

// othersGiveUp evicts from another shard. It never waits for one: two shards
// that waited for each other would wait for ever.
func (s *shard) othersGiveUp(weight int64) bool {
	for range min(foreignDraws, len(s.all)) {
		o := s.all[s.rnd.IntN(len(s.all))]
		if o == s || !o.mu.TryLock() {
			continue
		}
		done := o.giveUp(weight, noRow)
		o.mu.Unlock()
		if done {
			return true
		}
	}
	return false
}

// heaviest draws keys, lone ones if there are any, and returns the one whose
// groups use most of the tracker.
func (s *shard) heaviest(keep uint32) (row uint32, burden int64) {
	row, burden = noRow, -1
	members := math.MaxInt
	for range evictDraws {
		r := s.drawSwarm()
		if r == noRow || r == keep {
			continue
		}
		n, b := len(s.swarms.at(r).members), s.burden(r)
		if n <= 1 {
			n = 1
		}
		if n < members || n == members && b > burden {
			row, burden, members = r, b, n
		}
	}
	return row, burden
}

func (s *shard) drawSwarm() uint32 {
	if len(s.lone) > 0 {
		return s.lone[s.rnd.IntN(len(s.lone))]
	}
	for range 32 { // rows that are free are drawn again
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

// weight says how much of the tracker a group takes. The wide group counts too,
// for a flood spreads over all of its network, but less: its neighbours there
// are not to blame.
func (s *shard) weight(g tracker.Group) int64 { return s.used[g] + s.used[g.Widen()]/16 }

// burden returns how much the least of the key's groups uses: a key is as worthy
// as the most modest of those who hold it or spoke for it. Few are looked at.
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
