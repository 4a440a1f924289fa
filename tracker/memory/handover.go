package memory

import (
	"time"

	"nt/internal/resource"
	"nt/tracker"
)

// GiveAway forgets every key for which away holds and calls give for each of its
// holders, with the time it has left and a statement of the version it holds: as if it
// announced itself. It calls give without a lock.
func (s *Store) GiveAway(now time.Time, away func(resource.Key) bool, give func(tracker.Announcer, time.Duration, resource.Statement)) {
	for _, sh := range s.shards {
		for _, g := range sh.giveAway(now.Unix(), away) {
			give(g.p, g.ttl, g.st)
		}
	}
}

type gift struct {
	p   tracker.Announcer
	ttl time.Duration
	st  resource.Statement
}

func (s *shard) giveAway(now int64, away func(resource.Key) bool) (gifts []gift) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	for row := range s.swarms.next {
		sw := s.swarms.at(row)
		if at, ok := s.swarmOf[sw.key]; !ok || at != row || !away(sw.key) {
			continue
		}
		for _, m := range sw.members {
			if g, ok := s.gift(now, sw, m); ok {
				gifts = append(gifts, g)
			}
		}
		s.removeSwarm(row)
	}
	return gifts
}

func (s *shard) gift(now int64, sw *swarm, row uint32) (gift, bool) {
	h := s.holders.at(row)
	c := sw.content(h.content)
	if c == nil || len(c.kept) == 0 || int64(h.expires) <= now || !s.alive(h) {
		return gift{}, false
	}
	p := s.peers.at(h.peer)
	st, _ := decodeStatement(sw.key, c.object, c.kept[0].raw) // it was checked when it came
	return gift{
		tracker.Announcer{ID: p.name.id, Addr: p.addr, Transports: p.transports, Said: int64(p.said)},
		time.Duration(int64(h.expires)-now) * time.Second,
		st,
	}, true
}

// Knows reports whether anything is held of the key.
func (s *Store) Knows(key resource.Key) bool {
	sh := s.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	_, ok := sh.swarmOf[key]
	return ok
}

// Restore adds a statement that was kept elsewhere before, with what was known of
// the key's first outage (0 is nothing).
func (s *Store) Restore(now time.Time, k tracker.Kept, firstOutage int64) bool {
	st := k.Statement
	rec := fileRecord{Key: st.Key, Object: st.Object, From: uint64(k.From), Observed: st.ObservedAt, Logged: uint32(k.LoggedAt),
		Touched: uint32(now.Unix()), FirstOutage: uint32(firstOutage), Relayed: k.Relayed}
	return s.shard(st.Key).restore(now.Unix(), rec, encodeStatement(st))
}
