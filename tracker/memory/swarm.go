package memory

import (
	"hash/maphash"
	"math/rand/v2"

	"nt/internal/resource"
	"nt/tracker"
	"nt/transport"
)

func (s *shard) addSwarm(now int64, key resource.Key, owner tracker.Group) uint32 {
	row := s.swarms.add()
	*s.swarms.at(row) = swarm{key: key, owner: owner, touched: uint32(now), firstOutage: s.outages.take(key)}
	s.swarmOf[key] = row
	s.charge(owner, swarmCost)
	s.swarmWheel.add(row, now+s.statementTTL)
	s.settle(row)
	return row
}

// settle keeps the list of lone swarms right.
func (s *shard) settle(row uint32) {
	sw := s.swarms.at(row)
	lone := len(sw.members) <= 1
	switch {
	case lone && sw.lone == 0:
		s.lone = append(s.lone, row)
		sw.lone = uint32(len(s.lone))
	case !lone && sw.lone != 0:
		s.unlone(sw)
	}
}

func (s *shard) unlone(sw *swarm) {
	last := s.lone[len(s.lone)-1]
	s.lone[sw.lone-1] = last
	s.swarms.at(last).lone = sw.lone
	s.lone = s.lone[:len(s.lone)-1]
	sw.lone = 0
}

// removeSwarm forgets a key with everything in it, but not its outage.
func (s *shard) removeSwarm(row uint32) {
	sw := s.swarms.at(row)
	for len(sw.members) > 0 {
		s.removeHolder(sw.members[len(sw.members)-1])
	}
	for i := range sw.contents {
		s.dropContent(sw, &sw.contents[i])
	}
	if sw.firstOutage != 0 {
		s.outages.put(sw.key, sw.firstOutage)
	}
	if sw.lone != 0 {
		s.unlone(sw)
	}
	s.swarmWheel.remove(row)
	delete(s.swarmOf, sw.key)
	s.charge(sw.owner, -swarmCost)
	s.swarms.drop(row)
}

func (s *shard) lookup(now int64, key resource.Key, n int, rnd *rand.Rand) (tracker.Swarm, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	row, ok := s.swarmOf[key]
	if !ok {
		return tracker.Swarm{FirstOutage: s.outages.report(key, uint32(now), s.statementTTL)}, nil
	}
	sw := s.swarms.at(row)
	out := tracker.Swarm{Size: len(sw.members), FirstOutage: int64(sw.firstOutage)}
	if sw.firstOutage == 0 || int64(sw.firstOutage)+s.statementTTL < now {
		sw.firstOutage, out.FirstOutage = uint32(now), 0
	}
	out.Holders = s.sample(now, sw, n, rnd)
	out.Statements = sw.statements()
	return out, nil
}

// sample draws up to n distinct holders. It starts anywhere and goes on in steps
// of a random length without common divisor with the swarm's size: no set
// of what was drawn, and neighbours in order of arrival are not drawn together.
func (s *shard) sample(now int64, sw *swarm, n int, rnd *rand.Rand) []tracker.Holder {
	size := len(sw.members)
	if size == 0 || n <= 0 {
		return nil
	}
	at, step := rnd.IntN(size), 1
	if size > n {
		for step = 1 + rnd.IntN(size-1); gcd(step, size) != 1; step = 1 + rnd.IntN(size-1) {
		}
	}
	out := make([]tracker.Holder, 0, min(n, size))
	var dead []uint32
	for visited := 0; visited < min(size, 2*n) && len(out) < n; visited++ {
		row := sw.members[at]
		at = (at + step) % size
		if h, ok := s.view(now, sw, row); ok {
			out = append(out, h)
		} else {
			dead = append(dead, row)
		}
	}
	for _, row := range dead {
		s.removeHolder(row)
	}
	return out
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// view returns a claim as others may see it, if it still holds.
func (s *shard) view(now int64, sw *swarm, row uint32) (tracker.Holder, bool) {
	h := s.holders.at(row)
	c := sw.content(h.content)
	if int64(h.expires) <= now || c == nil || !s.alive(h) {
		return tracker.Holder{}, false
	}
	p := s.peers.at(h.peer)
	return tracker.Holder{
		ID: p.name.id, Addr: p.addr, Transports: p.transports, Object: c.object,
		Announced: int64(h.announced), Expires: int64(h.expires), Failures: s.failures(now, row),
	}, true
}

// report is what was said against one holder.
type report struct {
	groups [8]tracker.Group // beyond that more of them change nothing
	n      uint8
	last   uint32
}

func (s *shard) report(now int64, key resource.Key, id transport.PeerID, g tracker.Group) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	srow, ok := s.swarmOf[key]
	if !ok {
		return false
	}
	counted := false
	for _, v6 := range [...]bool{false, true} {
		if prow, ok := s.peerOf[peerName{id, v6}]; ok {
			if n, ok := s.holderOf[pair(srow, prow)]; ok {
				counted = s.blame(now, srow, n-1, g) || counted
			}
		}
	}
	return counted
}

// blame counts a report against a holder of the key srow. A first one costs
// memory, and is refused where there is none to be had.
func (s *shard) blame(now int64, srow, row uint32, g tracker.Group) bool {
	r := s.reports[row]
	if r == nil {
		if !makeRoom(s, reportCost, g, srow) {
			return false
		}
		r = &report{}
		s.reports[row] = r
		s.book(reportCost)
	}
	if int64(r.last)+s.reportTTL < now {
		r.n = 0
	}
	for _, seen := range r.groups[:r.n] {
		if seen == g {
			return false
		}
	}
	if int(r.n) == len(r.groups) {
		return false
	}
	r.groups[r.n] = g
	r.n++
	r.last = uint32(now)
	return true
}

func (s *shard) failures(now int64, row uint32) int {
	r := s.reports[row]
	if r == nil || int64(r.last)+s.reportTTL < now {
		return 0
	}
	return int(r.n)
}

func (s *shard) dropReport(row uint32) {
	if s.reports[row] != nil {
		delete(s.reports, row)
		s.book(-reportCost)
	}
}

// outages remembers first outages of keys that nobody holds, the latest ones
// only, in a fixed space: lookups are free for the asker.
type outages struct {
	seed maphash.Seed
	at   map[uint64]uint32
	ring []uint64
	max  int
	next int
}

func newOutages(seed maphash.Seed, n int) outages {
	return outages{seed: seed, at: make(map[uint64]uint32), max: n}
}

// report returns the first outage reported before, or 0 and remembers now.
func (o *outages) report(key resource.Key, now uint32, ttl int64) int64 {
	if t := o.at[maphash.Bytes(o.seed, key[:])]; t != 0 && int64(t)+ttl >= int64(now) {
		return int64(t)
	}
	o.put(key, now)
	return 0
}

func (o *outages) put(key resource.Key, t uint32) {
	h := maphash.Bytes(o.seed, key[:])
	if _, ok := o.at[h]; !ok {
		if len(o.ring) < o.max {
			o.ring = append(o.ring, h)
		} else {
			delete(o.at, o.ring[o.next])
			o.ring[o.next] = h
			o.next = (o.next + 1) % len(o.ring)
		}
	}
	o.at[h] = t
}

// take returns the outage of a key that has found a holder.
func (o *outages) take(key resource.Key) uint32 { return o.at[maphash.Bytes(o.seed, key[:])] }
