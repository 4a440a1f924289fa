package memory

import (
	"math"

	"nt/tracker"
)

// sampleRuns is of how many pieces of the swarm a list is made.
const sampleRuns = 4

// sample appends up to a.Want others of the asker's family. It copies runs that
// lie as far apart as they can, from a place the draw chooses.
func (s *torrentShard) sample(t *torrent, asker uint32, a tracker.TorrentAnnounce, list []byte) []byte {
	p := s.peers.at(asker)
	m, b := &t.lists[p.family], &s.lists[p.family]
	want := uint32(max(a.Want, 0))
	if m.n <= want+1 {
		return run(b, m, 0, m.n, p.pos, list)
	}
	if want == 0 {
		return list
	}
	full := len(list) + int(want)*b.addr
	want++ // the asker may be among them
	start := uint32(a.Draw % uint64(m.n))
	each := (want + sampleRuns - 1) / sampleRuns
	if each*sampleRuns > m.n {
		list = wrapped(b, m, start, want, p.pos, list)
		return list[:min(len(list), full)]
	}
	for i := uint32(0); i < sampleRuns && want > 0; i++ {
		n := min(each, want)
		list = wrapped(b, m, (start+i*(m.n/sampleRuns))%m.n, n, p.pos, list)
		want -= n
	}
	return list[:min(len(list), full)]
}

// wrapped copies n members from a place on, beginning anew at the end.
func wrapped(b *blocks, m *members, from, n, except uint32, list []byte) []byte {
	if from+n <= m.n {
		return run(b, m, from, from+n, except, list)
	}
	list = run(b, m, from, m.n, except, list)
	return run(b, m, 0, from+n-m.n, except, list)
}

// run copies the members from a place to another, but one.
func run(b *blocks, m *members, from, to, except uint32, list []byte) []byte {
	addrs := b.addrs(m)
	if except < from || except >= to {
		return append(list, addrs[int(from)*b.addr:int(to)*b.addr]...)
	}
	list = append(list, addrs[int(from)*b.addr:int(except)*b.addr]...)
	return append(list, addrs[int(except+1)*b.addr:int(to)*b.addr]...)
}

// makeRoom evicts torrents until need bytes are free, sparing the row keep; see
// shard.makeRoom for the rule.
func (s *torrentShard) makeRoom(need int64, asking tracker.Group, keep uint32) bool {
	weight := s.weight(asking)
	for !s.budget.fits(need) {
		if !s.giveUp(weight, keep) && !s.othersGiveUp(weight) {
			return false
		}
	}
	return true
}

func (s *torrentShard) giveUp(weight int64, keep uint32) bool {
	row, burden := s.heaviest(keep)
	if row == noRow || burden < weight {
		return false
	}
	s.evict(row)
	return true
}

// othersGiveUp evicts from another shard and never waits for one.
func (s *torrentShard) othersGiveUp(weight int64) bool {
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

func (s *torrentShard) evict(row uint32) {
	t := s.torrents.at(row)
	for n := t.size(); n > 0; n-- { // the last one takes the torrent along
		for f := range t.lists {
			if m := &t.lists[f]; m.n > 0 {
				s.removePeer(s.lists[f].row(m, m.n-1))
				break
			}
		}
	}
	s.evicted++
}

// heaviest draws torrents and returns the smallest, among equals the one whose
// first peers' groups use most.
func (s *torrentShard) heaviest(keep uint32) (row uint32, burden int64) {
	row, burden = noRow, -1
	size := uint32(math.MaxUint32)
	found := 0
	for range 64 {
		if s.torrents.next == 0 || found == evictDraws {
			break
		}
		r := s.rnd.Uint32N(s.torrents.next)
		t := s.torrents.at(r)
		n := t.size()
		if n == 0 || r == keep { // a free row
			continue
		}
		found++
		if b := s.burden(t); n < size || n == size && b > burden {
			row, burden, size = r, b, n
		}
	}
	return row, burden
}

// burden returns how much the least of the torrent's groups uses; few are looked at.
func (s *torrentShard) burden(t *torrent) int64 {
	least := int64(math.MaxInt64)
	for f := range t.lists {
		m := &t.lists[f]
		for i := range min(m.n, 4) {
			least = min(least, s.weight(s.peers.at(s.lists[f].row(m, i)).group()))
		}
	}
	return least
}

func (s *torrentShard) weight(g tracker.Group) int64 { return s.used[g] + s.used[g.Widen()]/16 }

// charge books memory on a network group and the wide one around it.
func (s *torrentShard) charge(g tracker.Group, bytes int64) {
	s.bytes += bytes
	s.budget.used.Add(bytes)
	for _, g := range [...]tracker.Group{g, g.Widen()} {
		if s.used[g] += bytes; s.used[g] == 0 {
			delete(s.used, g)
		}
	}
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
