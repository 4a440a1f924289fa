package memory

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"nt/internal/resource"
	"nt/tracker"
	"nt/tracker/storetest"
)

// check verifies that a shard's tables agree with one another and with its books.
func (s *shard) check() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	used := map[tracker.Group]int64{}
	var bytes int64
	book := func(g tracker.Group, n int64) {
		bytes += n
		if g != 0 {
			used[g] += n
			used[g.Widen()] += n
		}
	}
	refs, members, statements, lone, reported := map[uint32]uint32{}, 0, 0, 0, 0
	for key, row := range s.swarmOf {
		sw := s.swarms.at(row)
		book(sw.owner, swarmCost)
		counts := map[uint16]uint32{}
		for pos, m := range sw.members {
			h := s.holders.at(m)
			if int(h.pos) != pos || h.swarm != row || s.holderOf[pair(row, h.peer)] != m+1 || h.link.slot == 0 {
				return fmt.Errorf("holder %d of %s is out of place: %+v", m, key, *h)
			}
			counts[h.content]++
			if s.reports[m] != nil {
				reported++
			}
			refs[h.peer]++
			members++
			book(s.peers.at(h.peer).group, holderCost)
		}
		for _, c := range sw.contents {
			if c.holders != counts[c.id] {
				return fmt.Errorf("content %d has %d holders, %d are booked", c.id, counts[c.id], c.holders)
			}
			book(sw.owner, contentCost)
			for _, k := range c.kept {
				statements++
				book(k.from, keptCost+int64(len(k.raw)))
			}
		}
		if len(sw.contents) > maxContents {
			return fmt.Errorf("%d contents", len(sw.contents))
		}
		if (len(sw.members) <= 1) != (sw.lone != 0) || sw.lone != 0 && s.lone[sw.lone-1] != row {
			return fmt.Errorf("%d members, place %d among the lone", len(sw.members), sw.lone)
		}
		if sw.lone != 0 {
			lone++
		}
	}
	for row, n := range refs {
		if s.peers.at(row).refs != n {
			return fmt.Errorf("peer %d has %d holdings, %d are booked", row, n, s.peers.at(row).refs)
		}
		book(s.peers.at(row).group, peerCost)
	}
	book(0, int64(reported)*reportCost)
	if members != len(s.holderOf) || lone != len(s.lone) || statements != s.statements || bytes != s.bytes || len(used) != len(s.used) {
		return fmt.Errorf("booked %d holders, %d lone, %d statements, %d bytes, %d groups; there are %d, %d, %d, %d, %d",
			len(s.holderOf), len(s.lone), s.statements, s.bytes, len(s.used), members, lone, statements, bytes, len(used))
	}
	for g, n := range used {
		if s.used[g] != n {
			return fmt.Errorf("group %x uses %d bytes, %d are booked", g, n, s.used[g])
		}
	}
	if s.bytes > s.budget.limit {
		return fmt.Errorf("%d bytes are over the limit of %d", s.bytes, s.budget.limit)
	}
	return nil
}

func TestBooksStayRight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, now := New(Config{Bytes: 20_000, Shards: 1, GroupShare: 2, SwarmQuota: 3}), storetest.Start()
		rnd := rand.New(rand.NewPCG(1, 1))
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			n := rapid.IntRange(0, 9).Draw(t, "peer")
			p := storetest.NewPeer(n, fmt.Sprintf("%d.1.%d.1:7000", 11+n%4, rapid.IntRange(0, 1).Draw(t, "net")))
			key := fmt.Sprint(rapid.IntRange(0, 12).Draw(t, "key"))
			switch rapid.IntRange(0, 6).Draw(t, "what") {
			case 0, 1, 2:
				st := p.State(key, fmt.Sprint(rapid.IntRange(0, 11).Draw(t, "object")), now)
				s.Announce(now, storetest.TTL, p.Announcer(now), []resource.Statement{st})
			case 3:
				s.Lookup(now, storetest.Key(key), 3, rnd)
			case 4:
				s.Report(now, storetest.Key(key), p.ID(), tracker.Group(n+1))
			case 5:
				if rapid.Bool().Draw(t, "notary") {
					s.Keep(now, p.State(key, "seen", now))
				} else {
					s.Leave(now, p.ID(), now.Unix())
				}
			case 6:
				now = now.Add(time.Duration(rapid.SampledFrom([]int{1, 40, 1000, 2000, 700_000}).Draw(t, "pause")) * time.Second)
			}
			if err := s.shards[0].check(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestN15_ManyAtOnce(t *testing.T) {
	s, now := New(Config{Bytes: 1 << 20, Shards: 4}), storetest.Start()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(g), 1))
			for i := range 300 {
				at := now.Add(time.Duration(i) * time.Second)
				p := storetest.NewPeer(rnd.IntN(40), fmt.Sprintf("%d.1.1.1:7000", 11+rnd.IntN(40)))
				key := fmt.Sprint(rnd.IntN(50))
				switch rnd.IntN(5) {
				case 0, 1:
					s.Announce(at, storetest.TTL, p.Announcer(at), []resource.Statement{{Key: storetest.Key(key), Witness: resource.WitnessKey(p.ID())}})
				case 2:
					s.Lookup(at, storetest.Key(key), 10, rnd)
				case 3:
					s.Report(at, storetest.Key(key), p.ID(), tracker.Group(g+1))
				case 4:
					s.Leave(at, p.ID(), at.Unix())
					s.Stats(at)
				}
			}
		})
	}
	wg.Wait()
	for _, sh := range s.shards {
		if err := sh.check(); err != nil {
			t.Error(err)
		}
	}
}
