package memory

import (
	"hash/maphash"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"nt/internal/resource"
	"nt/tracker"
	"nt/transport"
)

// Estimated memory of a row with its share of maps, lists and allocator slack, in bytes.
const (
	swarmCost   = 320
	holderCost  = 88
	peerCost    = 264
	contentCost = 96
	keptCost    = 64
	reportCost  = 120
	outageCost  = 40

	holderWheelWidth = 15 // seconds
	maxTTL           = 4 * 3600
	swarmWheelWidth  = 3600
)

// shard is a part of the keys with everything known of them, under one lock.
type shard struct {
	core
	swarmQuota              int
	statementTTL, reportTTL int64 // seconds

	swarmOf  map[resource.Key]uint32
	swarms   slab[swarm]
	peerOf   map[peerName]uint32
	peers    slab[peer]
	holderOf map[uint64]uint32 // swarm row << 32 | peer row
	holders  slab[holder]
	reports  map[uint32]*report // by holder row

	holderWheel, swarmWheel wheel
	kept                    func(tracker.Kept) // may be nil

	lone       []uint32 // swarms with at most one holder: what is evicted first
	outages    outages
	statements int
}

// swarm is one key.
type swarm struct {
	key         resource.Key
	members     []uint32 // holder rows
	contents    []content
	byGroup     map[tracker.Group]int // holders per group, once there are more than the quota
	nextContent uint16
	lone        uint32 // place in shard.lone + 1
	firstOutage uint32
	touched     uint32        // last statement or announcement
	owner       tracker.Group // whose announcement made it: pays for it
	link        link
}

// peerName tells a peer's IPv4 and IPv6 selves apart, so that a peer with both
// does not overwrite itself.
type peerName struct {
	id transport.PeerID
	v6 bool
}

// peer is one announcer as this shard knows it. Its group never changes: a peer
// that moves to another group gets a new row.
type peer struct {
	name       peerName
	addr       netip.AddrPort
	transports []string
	group      tracker.Group
	refs       uint32 // holder rows that name it
	said       uint32 // time in its newest signed message
	life       uint16 // what holders of an earlier life announced is void
}

// holder is one peer's claim to one key.
type holder struct {
	peer, swarm, pos   uint32 // pos: place in swarm.members
	expires, announced uint32
	content            uint16 // id in swarm.contents
	life               uint16
	link               link
}

func newShard(cfg Config, budget *budget, seed maphash.Seed, rnd *rand.Rand) *shard {
	n := int64(cfg.Shards)
	s := &shard{
		core: core{rnd: rnd, budget: budget, groupLimit: max(cfg.Bytes/n/int64(cfg.GroupShare), swarmCost+holderCost+peerCost+2048), used: make(map[tracker.Group]int64)},
		kept: cfg.Kept, swarmQuota: cfg.SwarmQuota, statementTTL: int64(cfg.StatementTTL / time.Second), reportTTL: int64(cfg.ReportTTL / time.Second),
		swarmOf: make(map[resource.Key]uint32), peerOf: make(map[peerName]uint32), holderOf: make(map[uint64]uint32),
		reports: make(map[uint32]*report),
	}
	s.outages = newOutages(seed, max(int(cfg.Bytes/n/16/outageCost), 16)) // the other sixteenth
	s.holderWheel = newWheel(holderWheelWidth, maxTTL, func(row uint32) *link { return &s.holders.at(row).link })
	s.swarmWheel = newWheel(swarmWheelWidth, s.statementTTL+swarmWheelWidth, func(row uint32) *link { return &s.swarms.at(row).link })
	return s
}

func errStale() error {
	return &tracker.RefusedError{Reason: tracker.ReasonStale, Detail: "the peer said something newer before"}
}

func nameOf(id transport.PeerID, a netip.Addr) peerName { return peerName{id, a.Is6()} }

// expire visits what is due. Callers hold the lock.
func (s *shard) expire(now int64) {
	s.holderWheel.advance(now, func(row uint32) {
		if h := s.holders.at(row); int64(h.expires) <= now || !s.alive(h) {
			s.removeHolder(row)
		} else {
			s.holderWheel.add(row, int64(h.expires))
		}
	})
	s.swarmWheel.advance(now, func(row uint32) {
		sw := s.swarms.at(row)
		due := int64(sw.touched) + s.statementTTL
		switch {
		case len(sw.members) > 0:
			s.swarmWheel.add(row, now+s.statementTTL)
		case due <= now:
			s.removeSwarm(row)
		default:
			s.swarmWheel.add(row, due)
		}
	})
}

func (s *shard) alive(h *holder) bool { return h.life == s.peers.at(h.peer).life }

// checkSaid refuses a message that is older than one heard before, or as old
// but from elsewhere: a replay.
func (s *shard) checkSaid(p tracker.Announcer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	row, ok := s.peerOf[nameOf(p.ID, p.Addr.Addr())]
	if !ok {
		return nil
	}
	if old := s.peers.at(row); int64(old.said) > p.Said || int64(old.said) == p.Said && old.addr != p.Addr {
		return errStale()
	}
	return nil
}

func (s *shard) announce(now, ttl int64, p tracker.Announcer, st resource.Statement) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	group := tracker.NarrowGroup(p.Addr.Addr())
	row, known := s.swarmOf[st.Key]
	if err := s.admit(row, known, p, group, st); err != nil {
		return err
	}
	if !known {
		row = s.addSwarm(now, st.Key, group)
	}
	id, err := s.record(now, row, st, group, relays(p, st))
	if err != nil {
		s.settle(row)
		return err
	}
	s.hold(now, min(ttl, maxTTL), row, s.meet(p, group), id)
	return nil
}

// relays reports whether a peer brings the word of another.
func relays(p tracker.Announcer, st resource.Statement) bool {
	return st.Witness != resource.WitnessKey(p.ID)
}

// admit makes room for what an announcement adds, or says whose share is used
// up. A mere renewal adds nothing and always passes.
func (s *shard) admit(row uint32, known bool, p tracker.Announcer, group tracker.Group, st resource.Statement) error {
	need, keep := int64(swarmCost), noRow
	if known {
		need, keep = 0, row
	}
	if !known || !s.holds(row, p, group) {
		need += holderCost + peerCost
		if known && s.groupCount(row, group) >= s.swarmQuota {
			return &tracker.RefusedError{Reason: tracker.ReasonSwarmQuota, Detail: "your network holds its share of this key"}
		}
	}
	need += s.growth(row, known, group, st, relays(p, st))
	if need == 0 {
		return nil
	}
	if s.used[group]+need > s.groupLimit {
		return &tracker.RefusedError{Reason: tracker.ReasonQuota, Detail: "your network holds its share of the tracker"}
	}
	if !makeRoom(s, need, group, keep) {
		return &tracker.RefusedError{Reason: tracker.ReasonFull, Detail: "the tracker's memory is spent"}
	}
	return nil
}

// holds reports whether the peer's claim is a renewal. One that moved to another
// network makes a new one.
func (s *shard) holds(row uint32, p tracker.Announcer, group tracker.Group) bool {
	prow, ok := s.peerOf[nameOf(p.ID, p.Addr.Addr())]
	return ok && s.peers.at(prow).group == group && s.holderOf[pair(row, prow)] != 0
}

// meet returns the row of the announcing peer, brought up to date.
func (s *shard) meet(p tracker.Announcer, group tracker.Group) uint32 {
	name := nameOf(p.ID, p.Addr.Addr())
	row, ok := s.peerOf[name]
	if ok && s.peers.at(row).group != group {
		s.peers.at(row).life++ // it moved: the old address is void
		ok = false
	}
	if !ok {
		row = s.peers.add()
		*s.peers.at(row) = peer{name: name, group: group}
		s.peerOf[name] = row
		s.charge(group, peerCost)
	}
	known := s.peers.at(row)
	known.addr, known.said = p.Addr, uint32(p.Said)
	if !slices.Equal(known.transports, p.Transports) {
		known.transports = p.Transports
	}
	return row
}

// hold records or renews a claim.
func (s *shard) hold(now, ttl int64, srow, prow uint32, contentID uint16) {
	sw, p := s.swarms.at(srow), s.peers.at(prow)
	n, ok := s.holderOf[pair(srow, prow)]
	row := n - 1
	if !ok {
		row = s.holders.add()
		s.holderOf[pair(srow, prow)] = row + 1
		*s.holders.at(row) = holder{peer: prow, swarm: srow, pos: uint32(len(sw.members))}
		sw.members = append(sw.members, row)
		p.refs++
		s.charge(p.group, holderCost)
		s.countGroup(sw, p.group, +1)
		s.holderWheel.add(row, now+ttl)
		s.settle(srow)
	} else {
		sw.uncount(s.holders.at(row).content)
	}
	h := s.holders.at(row)
	h.expires, h.announced, h.content, h.life = uint32(now+ttl), uint32(now), contentID, p.life
	sw.count(contentID)
}

// removeHolder forgets a claim; the swarm stays until its statements are old.
func (s *shard) removeHolder(row uint32) {
	h := *s.holders.at(row)
	sw, p := s.swarms.at(h.swarm), s.peers.at(h.peer)
	last := len(sw.members) - 1
	moved := sw.members[last]
	sw.members[h.pos] = moved
	s.holders.at(moved).pos = h.pos
	sw.members = sw.members[:last]
	if last > 32 && cap(sw.members) > 4*last {
		sw.members = slices.Clone(sw.members) // a crowd that has gone
	}
	sw.uncount(h.content)
	s.countGroup(sw, p.group, -1)
	s.holderWheel.remove(row)
	delete(s.holderOf, pair(h.swarm, h.peer))
	s.dropReport(row)
	s.charge(p.group, -holderCost)
	s.holders.drop(row)
	s.settle(h.swarm)
	if p.refs--; p.refs == 0 {
		s.charge(p.group, -peerCost)
		if s.peerOf[p.name] == h.peer {
			delete(s.peerOf, p.name)
		}
		s.peers.drop(h.peer)
	}
}

func (s *shard) leave(id transport.PeerID, at int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for _, v6 := range [...]bool{false, true} {
		row, ok := s.peerOf[peerName{id, v6}]
		if !ok {
			continue
		}
		p := s.peers.at(row)
		if int64(p.said) > at {
			err = errStale()
			continue
		}
		p.life++
		p.said = uint32(at)
	}
	return err
}

// pair names a claim in holderOf.
func pair(swarm, peer uint32) uint64 { return uint64(swarm)<<32 | uint64(peer) }

// groupCount returns how many holders of the swarm are in the group, or 0 while
// the swarm is too small for it to matter.
func (s *shard) groupCount(row uint32, g tracker.Group) int {
	sw := s.swarms.at(row)
	if len(sw.members) < s.swarmQuota {
		return 0
	}
	if sw.byGroup == nil {
		sw.byGroup = make(map[tracker.Group]int)
		for _, m := range sw.members {
			sw.byGroup[s.peers.at(s.holders.at(m).peer).group]++
		}
	}
	return sw.byGroup[g]
}

func (s *shard) countGroup(sw *swarm, g tracker.Group, delta int) {
	if sw.byGroup == nil {
		return
	}
	if sw.byGroup[g] += delta; sw.byGroup[g] <= 0 {
		delete(sw.byGroup, g)
	}
}
