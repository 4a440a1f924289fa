package memory

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"pgregory.net/rapid"

	"nt/internal/resource"
	"nt/tracker"
	"nt/tracker/storetest"
	"nt/transport"
)

// fake is an announcement by peer n of key n; no store checks signatures.
func fake(n int, addr netip.Addr, at time.Time) (tracker.Announcer, resource.Statement) {
	var id transport.PeerID
	binary.BigEndian.PutUint64(id[:], uint64(n)+1)
	st := resource.Statement{Size: 1, Status: 200, ObservedAt: at.Unix(), Witness: resource.WitnessKey(id),
		Header: map[string][]string{"Content-Type": {"text/html"}, "Etag": {fmt.Sprint(n)}}}
	binary.BigEndian.PutUint64(st.Key[:], uint64(n)*0x9e3779b97f4a7c15)
	st.Object[0] = byte(n)
	return tracker.Announcer{ID: id, Addr: netip.AddrPortFrom(addr, 7000), Transports: []string{"http"}, Said: at.Unix()}, st
}

func flood(s *Store, from, n int, at time.Time) (taken int) {
	for i := range n {
		p, st := fake(from+i, netip.AddrFrom4([4]byte{66, 6, byte(i), byte(i >> 8)}), at)
		if errs, err := s.Announce(at, storetest.TTL, p, []resource.Statement{st}); err == nil && errs == nil {
			taken++
		}
	}
	return taken
}

func found(t *testing.T, s *Store, key string, at time.Time) int {
	t.Helper()
	sw, err := s.Lookup(at, storetest.Key(key), 10, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	return len(sw.Holders)
}

func honest(t *testing.T, s *Store, n int, addr, key string, at time.Time) {
	t.Helper()
	p := storetest.NewPeer(n, addr)
	errs, err := s.Announce(at, storetest.TTL, p.Announcer(at), []resource.Statement{p.State(key, "object", at)})
	if err != nil || errs != nil {
		t.Fatalf("the honest announcement of %s: %v %v", key, errs, err)
	}
}

// Scaled down from 5,000,000 fakes and 256 MiB by the same factor of 100.
func TestRow9_FakeURLsOfOneNetworkPushOutOnlyThemselves(t *testing.T) {
	const limit = 256 << 20 / 100
	s, now := New(Config{Bytes: limit, Shards: 8}), storetest.Start()
	for i := range 20 { // single announcers, each from a network of its own
		honest(t, s, i, fmt.Sprintf("%d.1.1.1:7000", 11+i), fmt.Sprint("before", i), now)
	}
	taken := flood(s, 0, 50_000, now)
	st := s.Stats(now)
	if st.Bytes > limit+limit/8 || st.Keys < 1000 || st.Evicted == 0 && taken == 50_000 {
		t.Errorf("after the flood: %+v, %d taken", st, taken)
	}
	for i := range 20 {
		honest(t, s, i, fmt.Sprintf("%d.1.1.1:7000", 11+i), fmt.Sprint("after", i), now)
		for _, key := range []string{fmt.Sprint("before", i), fmt.Sprint("after", i)} {
			if found(t, s, key, now) != 1 {
				t.Errorf("%s is gone", key)
			}
		}
	}
	flood(s, 50_000, 10_000, now)
	for i := range 20 {
		if found(t, s, fmt.Sprint("after", i), now) != 1 {
			t.Errorf("after%d is gone after a second flood", i)
		}
	}
	st = s.Stats(now.Add(8 * 24 * time.Hour))
	if st.Keys != 0 || st.Peers != 0 || st.Statements != 0 {
		t.Errorf("a week later: %+v", st)
	}
	var left int64
	for _, sh := range s.shards {
		left += sh.bytes
		if len(sh.used) != 0 || len(sh.peerOf) != 0 || len(sh.holderOf) != 0 || len(sh.lone) != 0 {
			t.Errorf("a shard still has %d groups, %d peers", len(sh.used), len(sh.peerOf))
		}
	}
	if left != 0 {
		t.Errorf("%d bytes are booked for nothing", left)
	}
}

func TestRow9_ANetworkFillsItsShareOnly(t *testing.T) {
	s, now := New(Config{Bytes: 64 << 20, Shards: 1, GroupShare: 32}), storetest.Start()
	refused := 0
	for i := range 10_000 {
		p, st := fake(i, netip.AddrFrom4([4]byte{66, 6, 6, byte(i)}), now)
		if errs, _ := s.Announce(now, storetest.TTL, p, []resource.Statement{st}); errs != nil {
			refused++
		}
	}
	if st := s.Stats(now); st.Bytes > 64<<20/32+(1<<16) || refused == 0 {
		t.Errorf("one /24 holds %d bytes, %d refused", st.Bytes, refused)
	}
	honest(t, s, 1, "66.6.7.1:7000", "next door", now)
	// Renewing what is held passes even at the limit.
	p, st := fake(0, netip.AddrFrom4([4]byte{66, 6, 6, 0}), now)
	if errs, err := s.Announce(now, storetest.TTL, p, []resource.Statement{st}); err != nil || errs != nil {
		t.Errorf("renewing: %v %v", errs, err)
	}
}

func TestRow9_GrowingStatementsAreBooked(t *testing.T) {
	s, now := New(Config{Bytes: 1 << 20, Shards: 1, GroupShare: 4}), storetest.Start()
	big := make([]byte, 8000)
	for i := range big {
		big[i] = 'a'
	}
	for i := range 200 {
		p, st := fake(i, netip.AddrFrom4([4]byte{66, 6, 6, 6}), now)
		s.Announce(now, storetest.TTL, p, []resource.Statement{st})
		st.ObservedAt++
		st.Signature[0]++
		st.Header = map[string][]string{"Content-Type": {"text/html"}, "Link": {string(big)}}
		s.Announce(now, storetest.TTL, p, []resource.Statement{st})
	}
	if st := s.Stats(now); st.Bytes > 1<<20/4+9000 {
		t.Errorf("one network holds %d bytes of %d", st.Bytes, 1<<20/4)
	}
}

func TestSwarmQuotaPerNetwork(t *testing.T) {
	s, now := New(Config{SwarmQuota: 10}), storetest.Start()
	taken := 0
	for i := range 50 {
		p := storetest.NewPeer(i, fmt.Sprintf("66.6.6.%d:7000", i))
		errs, _ := s.Announce(now, storetest.TTL, p.Announcer(now), []resource.Statement{p.State("a", "object", now)})
		if errs == nil {
			taken++
		}
	}
	honest(t, s, 100, "66.6.7.1:7000", "a", now)
	if taken != 10 {
		t.Errorf("%d of one /24 were taken, want 10", taken)
	}
}

// The booked bytes must be an honest estimate, or the cap is none.
func TestRow9_BookedBytesCoverTheHeap(t *testing.T) {
	for name, keys := range map[string]func(i int) int{
		"single announcers": func(i int) int { return i },
		"one swarm":         func(int) int { return 7 },
		"hundreds of keys":  func(i int) int { return i % 500 },
	} {
		before := heap()
		s, now := New(Config{Bytes: 1 << 30, GroupShare: 1}), storetest.Start()
		for i := range 20_000 {
			p, st := fake(i, netip.AddrFrom4([4]byte{byte(11 + i%100), byte(i / 100), byte(i / 25600), 1}), now)
			_, k := fake(keys(i), netip.Addr{}, now)
			st.Key, st.Object = k.Key, k.Object
			s.Announce(now, storetest.TTL, p, []resource.Statement{st})
		}
		real := heap() - before
		st := s.Stats(now)
		t.Logf("%s: %d keys, %d holders: booked %d, heap %d (%.2f), %d bytes a holder", name, st.Keys, st.Peers, st.Bytes, real, float64(real)/float64(st.Bytes), real/int64(st.Peers))
		const empty = 8 << 20 // first pages of 64 shards
		if real > st.Bytes*5/4+empty {
			t.Errorf("%s: the heap holds %d bytes, only %d are booked", name, real, st.Bytes)
		}
		runtime.KeepAlive(s)
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestWheelVisitsEverythingOnceAndInTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		links := make([]link, 100)
		due := map[uint32]int64{}
		w := newWheel(int64(rapid.IntRange(1, 20).Draw(t, "width")), 500, func(row uint32) *link { return &links[row] })
		now := int64(rapid.IntRange(1000, 100_000).Draw(t, "start"))
		w.advance(now, func(uint32) { t.Fatal("an empty wheel has a row") })
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			row := uint32(rapid.IntRange(0, 99).Draw(t, "row"))
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				if _, in := due[row]; !in {
					due[row] = now + int64(rapid.IntRange(1, 500).Draw(t, "ttl"))
					w.add(row, due[row])
				}
			case 1:
				w.remove(row)
				delete(due, row)
			case 2:
				if _, in := due[row]; in { // put off without moving
					due[row] = now + int64(rapid.IntRange(1, 500).Draw(t, "ttl"))
				}
			case 3:
				now += int64(rapid.SampledFrom([]int{0, 1, 5, 60, 400, 3000}).Draw(t, "pause"))
				w.advance(now, func(row uint32) {
					at, in := due[row]
					if !in {
						t.Fatalf("row %d is visited but not in", row)
					}
					if at <= now {
						delete(due, row)
					} else {
						w.add(row, at)
					}
				})
			}
		}
		now += 10_000
		for range 2 {
			w.advance(now, func(row uint32) { delete(due, row) })
			now += 1000
		}
		if len(due) != 0 {
			t.Fatalf("rows never visited: %v", due)
		}
	})
}

func TestClockJumpsDoNoHarm(t *testing.T) {
	s, now := New(Config{}), storetest.Start()
	honest(t, s, 1, "11.1.1.1:7000", "a", now)
	if n := found(t, s, "a", now.AddDate(-10, 0, 0)); n != 1 {
		t.Errorf("ten years back: %d holders", n)
	}
	if n := found(t, s, "a", now.AddDate(10, 0, 0)); n != 0 {
		t.Errorf("ten years on: %d holders", n)
	}
	honest(t, s, 1, "11.1.1.1:7000", "b", now.AddDate(10, 0, 1))
	if st := s.Stats(now.AddDate(10, 0, 1)); st.Keys != 1 || st.Peers != 1 {
		t.Errorf("stats: %+v", st)
	}
}
