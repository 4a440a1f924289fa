package memory

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"nt/internal/resource"
	"nt/tracker"
	"nt/tracker/storetest"
)

type modelPeer struct {
	expires  int64
	complete bool
}

// TestTorrentsAgainstAModel compares the store with maps under any mix of
// announcements, departures and time.
func TestTorrentsAgainstAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := NewTorrents(TorrentConfig{Shards: 2, GroupShare: 1})
		model := map[tracker.InfoHash]map[netip.AddrPort]modelPeer{}
		now := storetest.Start()
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 20, 700}).Draw(t, "pause")) * time.Second)
			a := drawAnnounce(t)
			counts, list, err := s.Announce(now, a, nil)
			if err != nil {
				t.Fatal(err)
			}
			swarm := model[a.Hash]
			if swarm == nil {
				swarm = map[netip.AddrPort]modelPeer{}
				model[a.Hash] = swarm
			}
			// Rows are visited up to a slot later than they expire.
			if a.Stopped {
				delete(swarm, a.Addr)
			} else {
				swarm[a.Addr] = modelPeer{now.Add(a.TTL).Unix(), a.Complete}
			}
			checkCounts(t, now.Unix(), swarm, counts)
			checkList(t, a, swarm, now.Unix(), list)
			checkShards(t, s)
		}
		if st := s.Stats(now.Add(24 * time.Hour)); st.Keys != 0 || st.Peers != 0 || st.Bytes != 0 {
			t.Fatalf("a day later: %+v", st)
		}
	})
}

func drawAnnounce(t *rapid.T) tracker.TorrentAnnounce {
	a := tracker.TorrentAnnounce{TTL: time.Duration(rapid.SampledFrom([]int{60, 1800}).Draw(t, "ttl")) * time.Second,
		Complete: rapid.Bool().Draw(t, "complete"), Stopped: rapid.IntRange(0, 4).Draw(t, "stop") == 0,
		Want: rapid.IntRange(0, 12).Draw(t, "want"), Draw: rapid.Uint64().Draw(t, "draw")}
	a.Hash[0] = byte(rapid.IntRange(0, 2).Draw(t, "hash"))
	addr := netip.AddrFrom4([4]byte{1, 2, byte(rapid.IntRange(0, 5).Draw(t, "net")), 4})
	if rapid.Bool().Draw(t, "v6") {
		addr = netip.MustParseAddr("2001:db8::1")
	}
	a.Addr = netip.AddrPortFrom(addr, uint16(rapid.IntRange(1, 9).Draw(t, "port")))
	return a
}

func checkCounts(t *rapid.T, now int64, swarm map[netip.AddrPort]modelPeer, got tracker.TorrentCounts) {
	least, most := 0, 0
	for _, p := range swarm {
		if p.expires > now {
			least++
		}
		if p.expires+holderWheelWidth > now {
			most++
		}
	}
	if n := int(got.Seeds + got.Leeches); n < least || n > most {
		t.Fatalf("%d peers, want %d to %d", n, least, most)
	}
}

func checkList(t *rapid.T, a tracker.TorrentAnnounce, swarm map[netip.AddrPort]modelPeer, now int64, list []byte) {
	size := 6
	if a.Addr.Addr().Is6() {
		size = 18
	}
	if len(list)%size != 0 || len(list)/size > a.Want || (a.Complete || a.Stopped) && len(list) != 0 {
		t.Fatalf("a list of %d bytes for %+v", len(list), a)
	}
	seen := map[netip.AddrPort]bool{}
	for ; len(list) > 0; list = list[size:] {
		ip, _ := netip.AddrFromSlice(list[:size-2])
		p := netip.AddrPortFrom(ip, binary.BigEndian.Uint16(list[size-2:]))
		if m, ok := swarm[p]; !ok || p == a.Addr || seen[p] || m.expires+holderWheelWidth <= now {
			t.Fatalf("%v is in the list: %+v, seen before %v", p, m, seen[p])
		}
		seen[p] = true
	}
	if others := alive(swarm, a.Addr, now); !a.Complete && !a.Stopped && others <= a.Want && len(seen) < others {
		t.Fatalf("%d of %d others are named, %d wanted", len(seen), others, a.Want)
	}
}

func alive(swarm map[netip.AddrPort]modelPeer, asker netip.AddrPort, now int64) (n int) {
	for p, m := range swarm {
		if p != asker && m.expires > now && p.Addr().Is4() == asker.Addr().Is4() {
			n++
		}
	}
	return n
}

// checkShards compares the books with the tables.
func checkShards(t *rapid.T, s *Torrents) {
	for _, sh := range s.shards {
		booked := int64(0)
		seeds := map[uint32]uint32{}
		for row := range sh.peers.next {
			p := sh.peers.at(row)
			if p.expires == 0 {
				continue
			}
			booked += p.cost()
			tr := sh.torrents.at(p.torrent)
			addr, at := sh.lists[p.family].get(&tr.lists[p.family], p.pos)
			if at != row || string(addr) != string(p.addr[:len(addr)]) {
				t.Fatalf("peer %d is not at its place %d", row, p.pos)
			}
			if p.complete {
				seeds[p.torrent]++
			}
		}
		for row := range sh.torrents.next {
			if tr := sh.torrents.at(row); tr.size() > 0 {
				booked += torrentCost
				if tr.seeds != seeds[row] {
					t.Fatalf("torrent %d has %d seeds, counts %d", row, seeds[row], tr.seeds)
				}
			}
		}
		if booked != sh.bytes {
			t.Fatalf("%d bytes are booked for %d", sh.bytes, booked)
		}
	}
}

func torrentFlood(s *Torrents, from, n int, at time.Time) (taken int) {
	for i := range n {
		a := tracker.TorrentAnnounce{TTL: time.Hour, Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{66, 6, byte(i), byte(i >> 8)}), 6881)}
		binary.BigEndian.PutUint64(a.Hash[:], uint64(from+i)*0x9e3779b97f4a7c15)
		if _, _, err := s.Announce(at, a, nil); err == nil {
			taken++
		}
	}
	return taken
}

func TestRow9_FakeTorrentsOfOneNetworkPushOutOnlyThemselves(t *testing.T) {
	const limit = 1 << 20
	s, now := NewTorrents(TorrentConfig{Bytes: limit, Shards: 8}), storetest.Start()
	honest := func(i int) tracker.TorrentAnnounce {
		return tracker.TorrentAnnounce{Hash: tracker.InfoHash{1, byte(i)}, TTL: time.Hour, Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(11 + i), 1, 1, 1}), 6881)}
	}
	announce := func(i int) {
		if _, _, err := s.Announce(now, honest(i), nil); err != nil {
			t.Fatalf("honest %d: %v", i, err)
		}
	}
	for i := range 20 {
		announce(i)
	}
	torrentFlood(s, 0, 100_000, now)
	for i := range 20 {
		announce(20 + i)
	}
	torrentFlood(s, 100_000, 20_000, now)
	st := s.Stats(now)
	if st.Bytes > limit || st.Keys < 1000 || st.Evicted == 0 {
		t.Errorf("after the flood: %+v", st)
	}
	for i := range 40 {
		if c := s.Scrape(now, honest(i).Hash); c.Leeches != 1 {
			t.Errorf("honest %d is gone", i)
		}
	}
}

func TestRow9_BookedBytesOfTorrentsCoverTheHeap(t *testing.T) {
	for name, hash := range map[string]func(i int) int{
		"single announcers": func(i int) int { return i },
		"one swarm":         func(int) int { return 7 },
		"hundreds":          func(i int) int { return i % 500 },
	} {
		before := heap()
		s, now := NewTorrents(TorrentConfig{Bytes: 1 << 30, GroupShare: 1}), storetest.Start()
		for i := range 100_000 {
			a := tracker.TorrentAnnounce{TTL: time.Hour, Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(11 + i%100), byte(i / 100), byte(i / 25600), 1}), 6881)}
			binary.BigEndian.PutUint64(a.Hash[:], uint64(hash(i))*0x9e3779b97f4a7c15)
			s.Announce(now, a, nil)
		}
		real := heap() - before
		st := s.Stats(now)
		t.Logf("%s: %d torrents, %d peers: booked %d, heap %d (%.2f), %d bytes a peer", name, st.Keys, st.Peers, st.Bytes, real, float64(real)/float64(st.Bytes), real/int64(st.Peers))
		const empty = 8 << 20 // first pages of 64 shards
		if real > st.Bytes*9/8+empty {
			t.Errorf("%s: the heap holds %d bytes, only %d are booked", name, real, st.Bytes)
		}
		runtime.KeepAlive(s)
	}
}

// Every member of a large swarm is named sooner or later, and none much more often.
func TestTorrentSamplesAreFair(t *testing.T) {
	s, now := NewTorrents(TorrentConfig{GroupShare: 1}), storetest.Start()
	const peers, asks, want = 500, 4000, 50
	a := tracker.TorrentAnnounce{TTL: time.Hour, Want: want}
	named := map[string]int{}
	draw := uint64(1)
	for i := range peers + asks {
		draw = draw*6364136223846793005 + 1442695040888963407
		a.Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{9, 9, 9, 9}), uint16(i%peers+1))
		a.Draw = draw >> 7
		_, list, err := s.Announce(now, a, nil)
		if err != nil {
			t.Fatal(err)
		}
		for ; i >= peers && len(list) > 0; list = list[6:] {
			named[string(list[:6])]++
		}
	}
	mean := asks * want / peers
	for p, n := range named {
		if n < mean/2 || n > mean*2 {
			t.Errorf("%x was named %d times, the mean is %d", p, n, mean)
		}
	}
	if len(named) != peers {
		t.Errorf("%d of %d peers were named", len(named), peers)
	}
}

func BenchmarkTorrentRenewHot(b *testing.B) {
	s, now := NewTorrents(TorrentConfig{GroupShare: 1, Bytes: 1 << 30}), storetest.Start()
	a := tracker.TorrentAnnounce{TTL: time.Hour, Want: 50}
	buf := make([]byte, 0, 1500)
	announce := func(i int) {
		a.Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{9, byte(i >> 16), byte(i >> 8), byte(i)}), 6881)
		a.Draw = uint64(i) * 0x9e3779b97f4a7c15
		s.Announce(now, a, buf)
	}
	for i := range 10_000 {
		announce(i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		announce(i % 10_000)
	}
}

// BenchmarkCores renews announcements of 10,000 peers, half of them of one hot key:
// run it with -cpu 1,2.
func BenchmarkCores(b *testing.B) {
	now := storetest.Start()
	addr := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(11 + i%100), byte(i / 100), byte(i / 25600), 1}), 6881)
	}
	key := func(i int) int { return max(0, i%10_000-5000) }
	parallel := func(b *testing.B, announce func(i int)) {
		for i := range 10_000 {
			announce(i)
		}
		var next atomic.Int64
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for i := int(next.Add(7919)); pb.Next(); i++ {
				announce(i % 10_000)
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "announces/s")
	}
	b.Run("torrents", func(b *testing.B) {
		s := NewTorrents(TorrentConfig{GroupShare: 1})
		parallel(b, func(i int) {
			var buf [400]byte
			a := tracker.TorrentAnnounce{TTL: time.Hour, Want: 50, Addr: addr(i), Draw: uint64(i) * 0x9e3779b97f4a7c15}
			binary.BigEndian.PutUint64(a.Hash[:], uint64(key(i))*0x9e3779b97f4a7c15)
			s.Announce(now, a, buf[:0])
		})
	})
	b.Run("URLs", func(b *testing.B) {
		s := New(Config{GroupShare: 1})
		parallel(b, func(i int) {
			p, st := fake(i, addr(i).Addr(), now)
			_, k := fake(key(i), netip.Addr{}, now)
			st.Key, st.Object = k.Key, k.Object
			s.Announce(now, time.Hour, p, []resource.Statement{st})
		})
	})
}
