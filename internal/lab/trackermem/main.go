// Command trackermem measures the memory of the tracker's stores, in a process of
// its own, without signatures and sockets: what an attacker would have to pay is
// left out.
//
//	trackermem -what growth    bytes a URL, a torrent and a peer at 10^4 to 10^6, and renewals a second on one core and on two
//	trackermem -what flood     5,000,000 fake URLs, then torrents, of one /16 under a cap; honest ones before and after
package main

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"nt/internal/resource"
	"nt/tracker"
	"nt/tracker/memory"
	"nt/transport"
)

func main() {
	what := flag.String("what", "growth", "growth or flood")
	fakes := flag.Int("fakes", 5_000_000, "fake URLs, and as many torrents")
	limit := flag.Int64("cap", 256<<20, "bytes")
	csvFile := flag.String("csv", "", "growth: write the table to FILE, too")
	svgFile := flag.String("svg", "", "growth: draw it into FILE")
	flag.Parse()
	switch *what {
	case "growth":
		if err := growth(*csvFile, *svgFile); err != nil {
			fmt.Fprintln(os.Stderr, "trackermem:", err)
			os.Exit(1)
		}
	case "flood":
		flood(*fakes, *limit)
	default:
		fmt.Fprintln(os.Stderr, "trackermem: -what is growth or flood")
		os.Exit(2)
	}
}

const ttl = 30 * time.Minute

// stores are those of a tracker with a cap, in the shares of modes/tracker.go.
type stores struct {
	urls     *memory.Store
	torrents *memory.Torrents
	now      time.Time
}

func newStores(limit int64) stores {
	usable := float64(limit - 40<<20)
	return stores{memory.New(memory.Config{Bytes: int64(usable * 0.45)}), memory.NewTorrents(memory.TorrentConfig{Bytes: int64(usable * 0.15)}), time.Now()}
}

// announceURL makes peer n announce URL number url.
func (s stores) announceURL(n, url int, addr netip.Addr) bool {
	var id transport.PeerID
	binary.BigEndian.PutUint64(id[:], uint64(n)+1)
	st := resource.Statement{Size: 1, Status: 200, ObservedAt: s.now.Unix(), Witness: resource.WitnessKey(id), Header: http.Header{"Content-Type": {"text/html"}}}
	binary.BigEndian.PutUint64(st.Key[:], uint64(url)*0x9e3779b97f4a7c15)
	p := tracker.Announcer{ID: id, Addr: netip.AddrPortFrom(addr, 7000), Transports: []string{"roulette"}, Said: s.now.Unix()}
	errs, err := s.urls.Announce(s.now, ttl, p, []resource.Statement{st})
	return err == nil && errs == nil
}

func (s stores) hasURL(url int) bool {
	var key resource.Key
	binary.BigEndian.PutUint64(key[:], uint64(url)*0x9e3779b97f4a7c15)
	found, err := s.urls.Lookup(s.now, key, 10, rand.New(rand.NewPCG(1, 1)))
	return err == nil && len(found.Holders) > 0
}

func (s stores) announceTorrent(torrent int, addr netip.Addr, port uint16) bool {
	a := tracker.TorrentAnnounce{TTL: ttl, Addr: netip.AddrPortFrom(addr, port)}
	binary.BigEndian.PutUint64(a.Hash[:], uint64(torrent)*0x9e3779b97f4a7c15)
	_, _, err := s.torrents.Announce(s.now, a, nil)
	return err == nil
}

func (s stores) hasTorrent(torrent int) bool {
	var h tracker.InfoHash
	binary.BigEndian.PutUint64(h[:], uint64(torrent)*0x9e3779b97f4a7c15)
	c := s.torrents.Scrape(s.now, h)
	return c.Leeches > 0
}

// somewhere is a public address in a /24 of its own, for each n of some millions.
func somewhere(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(70 + n%100), byte(n / 100), byte(n / 25_600), 1})
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// flood announces honest URLs and torrents, then fakes from 66.6.0.0/16, then honest
// ones again, and says what is found and how much memory the process took.
func flood(fakes int, limit int64) {
	debug.SetMemoryLimit(limit - 40<<20)
	s := newStores(limit)
	const honest, first = 1000, 1 << 40
	lost := 0
	check := func(ok bool) {
		if !ok {
			lost++
		}
	}
	for i := range honest {
		check(s.announceURL(first+i, first+i, somewhere(i)))
		check(s.announceTorrent(first+i, somewhere(i), 6881))
	}
	start, taken, peak := time.Now(), 0, int64(0)
	for i := range fakes {
		addr := netip.AddrFrom4([4]byte{66, 6, byte(i), byte(i >> 8)})
		if s.announceURL(i, i, addr) {
			taken++
		}
		s.announceTorrent(i, addr, uint16(1+i>>16))
		if i%100_000 == 0 {
			peak = max(peak, resident())
		}
	}
	took := time.Since(start)
	for i := range honest {
		check(s.announceURL(first+honest+i, first+honest+i, somewhere(honest+i)))
		check(s.announceTorrent(first+honest+i, somewhere(honest+i), 6881))
	}
	for i := range 2 * honest {
		check(s.hasURL(first + i))
		check(s.hasTorrent(first + i))
	}
	peak = max(peak, resident())
	u, t := s.urls.Stats(s.now), s.torrents.Stats(s.now)
	fmt.Printf("cap %d MiB; %d fake URLs (%d taken for a time) and %d fake torrents of one /16 in %.0f s\n", limit>>20, fakes, taken, fakes, took.Seconds())
	fmt.Printf("resident at most %d MiB; held %d URLs (%d evicted), %d torrents (%d evicted)\n", peak>>20, u.Keys, u.Evicted, t.Keys, t.Evicted)
	fmt.Printf("of %d honest URLs and torrents, half announced before and half after: %d refused or not found\n", 4*honest, lost)
}

// resident returns the process's resident memory in bytes; 0 where /proc does not say.
func resident() int64 {
	b, _ := os.ReadFile("/proc/self/statm")
	var size, pages int64
	if _, err := fmt.Sscan(string(b), &size, &pages); err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
