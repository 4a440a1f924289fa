package memory

import (
	"encoding/binary"
	"hash/maphash"
	"math/rand/v2"
	"net/netip"
	"time"

	"nt/tracker"
)

// Estimated memory of a row with its share of index, lists and slack, in bytes.
const (
	torrentCost  = 96
	torrentPeer4 = 112
	torrentPeer6 = 144
)

// torrentShard is a part of the torrents under one lock.
type torrentShard struct {
	core
	seed maphash.Seed

	torrents  slab[torrent]
	torrentAt index
	peers     slab[torrentPeer]
	peerAt    index
	lists     [2]blocks // IPv4, IPv6
	wheel     wheel
}

type torrent struct {
	hash      tracker.InfoHash
	owner     tracker.Group // whose announcement made it: pays for it
	lists     [2]members
	seeds     uint32
	completed uint32
}

// torrentPeer is one peer in one torrent.
type torrentPeer struct {
	addr     [18]byte // compact
	family   uint8    // 0 IPv4, 1 IPv6
	complete bool
	torrent  uint32
	pos      uint32 // place in the torrent's list
	expires  uint32 // Unix seconds
	link     link
}

func newTorrentShard(cfg TorrentConfig, budget *budget, seed maphash.Seed, rnd *rand.Rand) *torrentShard {
	n := int64(cfg.Shards)
	s := &torrentShard{core: core{rnd: rnd, budget: budget, groupLimit: max(cfg.Bytes/n/int64(cfg.GroupShare), 8*(torrentCost+torrentPeer6)),
		used: make(map[tracker.Group]int64)}, seed: seed}
	s.lists[0].addr, s.lists[1].addr = 6, 18
	s.wheel = newWheel(holderWheelWidth, maxTTL, func(row uint32) *link { return &s.peers.at(row).link })
	return s
}

func (t *torrent) size() uint32 { return t.lists[0].n + t.lists[1].n }

func (t *torrent) counts() tracker.TorrentCounts {
	return tracker.TorrentCounts{Seeds: t.seeds, Leeches: t.size() - t.seeds, Completed: t.completed}
}

func (p *torrentPeer) cost() int64 {
	if p.family == 1 {
		return torrentPeer6
	}
	return torrentPeer4
}

// group returns the peer's narrow group.
func (p *torrentPeer) group() tracker.Group {
	if p.family == 1 {
		return tracker.NarrowGroup(netip.AddrFrom16([16]byte(p.addr[:16])))
	}
	return tracker.NarrowGroup(netip.AddrFrom4([4]byte(p.addr[:4])))
}

// peerKey is what a peer is found by: its torrent's row and its compact address.
type peerKey [22]byte

func keyOf(torrent uint32, addr [18]byte) (k peerKey) {
	binary.LittleEndian.PutUint32(k[:], torrent)
	copy(k[4:], addr[:])
	return k
}

func compact(a netip.AddrPort) (addr [18]byte, family uint8) {
	if a.Addr().Is4() {
		ip := a.Addr().As4()
		copy(addr[:], ip[:])
		binary.BigEndian.PutUint16(addr[4:], a.Port())
		return addr, 0
	}
	ip := a.Addr().As16()
	copy(addr[:], ip[:])
	binary.BigEndian.PutUint16(addr[16:], a.Port())
	return addr, 1
}

func (s *torrentShard) findTorrent(sum uint64, hash tracker.InfoHash) (uint32, bool) {
	return s.torrentAt.find(sum, func(row uint32) bool { return s.torrents.at(row).hash == hash })
}

func (s *torrentShard) findPeer(sum uint64, torrent uint32, addr [18]byte, family uint8) (uint32, bool) {
	return s.peerAt.find(sum, func(row uint32) bool {
		p := s.peers.at(row)
		return p.torrent == torrent && p.addr == addr && p.family == family
	})
}

// expire visits what is due. Callers hold the lock.
func (s *torrentShard) expire(now int64) {
	s.wheel.advance(now, func(row uint32) {
		if p := s.peers.at(row); int64(p.expires) <= now {
			s.removePeer(row)
		} else {
			s.wheel.add(row, int64(p.expires))
		}
	})
}

func (s *torrentShard) announce(now int64, sum uint64, a tracker.TorrentAnnounce, list []byte) (tracker.TorrentCounts, []byte, error) {
	s.expire(now)
	addr, family := compact(a.Addr)
	trow, known := s.findTorrent(sum, a.Hash)
	var prow uint32
	held := false
	if known {
		key := keyOf(trow, addr)
		prow, held = s.findPeer(maphash.Bytes(s.seed, key[:]), trow, addr, family)
	}
	if a.Stopped {
		return s.stop(trow, prow, known, held), list, nil
	}
	if !held {
		var err error
		if trow, prow, err = s.enter(now, sum, trow, known, a, addr, family); err != nil {
			return tracker.TorrentCounts{}, list, err
		}
	}
	s.renew(now, trow, prow, a)
	t := s.torrents.at(trow)
	if !a.Complete {
		list = s.sample(t, prow, a, list)
	}
	return t.counts(), list, nil
}

// stop takes a peer out and returns the counts without it.
func (s *torrentShard) stop(trow, prow uint32, known, held bool) tracker.TorrentCounts {
	if !known {
		return tracker.TorrentCounts{}
	}
	counts := s.torrents.at(trow).counts()
	if !held {
		return counts
	}
	if s.peers.at(prow).complete {
		counts.Seeds--
	} else {
		counts.Leeches--
	}
	s.removePeer(prow)
	return counts
}

func (s *torrentShard) renew(now int64, trow, prow uint32, a tracker.TorrentAnnounce) {
	p, t := s.peers.at(prow), s.torrents.at(trow)
	expires := uint32(now + min(int64(a.TTL/time.Second), maxTTL))
	if expires < p.expires { // the wheel only puts off by itself
		s.wheel.remove(prow)
		s.wheel.add(prow, int64(expires))
	}
	p.expires = expires
	if a.Complete != p.complete {
		p.complete = a.Complete
		if a.Complete {
			t.seeds++
		} else {
			t.seeds--
		}
	}
	if a.Completed {
		t.completed++
	}
}

// enter adds a peer, and its torrent if it is new, or says why not.
func (s *torrentShard) enter(now int64, sum uint64, trow uint32, known bool, a tracker.TorrentAnnounce, addr [18]byte, family uint8) (uint32, uint32, error) {
	p := torrentPeer{addr: addr, family: family}
	group, need, keep := p.group(), p.cost(), noRow
	if known {
		keep = trow
	} else {
		need += torrentCost
	}
	if s.used[group]+need > s.groupLimit {
		return 0, 0, &tracker.RefusedError{Reason: tracker.ReasonQuota, Detail: "your network holds its share of the tracker"}
	}
	if !makeRoom(s, need, group, keep) {
		return 0, 0, &tracker.RefusedError{Reason: tracker.ReasonFull, Detail: "the tracker's memory is spent"}
	}
	if !known {
		trow = s.torrents.add()
		*s.torrents.at(trow) = torrent{hash: a.Hash, owner: group}
		s.torrentAt.add(sum, trow)
		s.charge(group, torrentCost)
	}
	prow := s.peers.add()
	p.torrent = trow
	*s.peers.at(prow) = p
	key := keyOf(trow, addr)
	s.peerAt.add(maphash.Bytes(s.seed, key[:]), prow)
	s.charge(group, p.cost())
	s.wheel.add(prow, now+min(int64(a.TTL/time.Second), maxTTL))
	s.join(&s.torrents.at(trow).lists[family], prow)
	return trow, prow, nil
}

// join puts a peer at a random place of the list: lists handed out are runs of
// it, and peers that came together must not always be named together.
func (s *torrentShard) join(m *members, prow uint32) {
	p := s.peers.at(prow)
	b := &s.lists[p.family]
	b.push(m)
	last := m.n - 1
	p.pos = s.rnd.Uint32N(m.n)
	if p.pos != last {
		addr, row := b.get(m, p.pos)
		b.set(m, last, addr, row)
		s.peers.at(row).pos = last
	}
	b.set(m, p.pos, p.addr[:], prow)
}

func (s *torrentShard) removePeer(prow uint32) {
	p := *s.peers.at(prow)
	t := s.torrents.at(p.torrent)
	b, m := &s.lists[p.family], &t.lists[p.family]
	if last := m.n - 1; p.pos != last {
		addr, row := b.get(m, last)
		b.set(m, p.pos, addr, row)
		s.peers.at(row).pos = p.pos
	}
	b.pop(m)
	if p.complete {
		t.seeds--
	}
	s.wheel.remove(prow)
	key := keyOf(p.torrent, p.addr)
	s.peerAt.remove(maphash.Bytes(s.seed, key[:]), prow)
	s.charge(p.group(), -p.cost())
	s.peers.drop(prow)
	if t.size() == 0 {
		s.torrentAt.remove(maphash.Bytes(s.seed, t.hash[:]), p.torrent)
		s.charge(t.owner, -torrentCost)
		s.torrents.drop(p.torrent)
	}
}
