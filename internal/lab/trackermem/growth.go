package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"nt/internal/lab"
	"nt/tracker/memory"
)

// kinds are what grows.
var kinds = []string{"URLs with one holder", "one URL", "torrents with one peer", "one torrent"}

// grown is one row of the table.
type grown struct {
	n             int
	of            string
	heap, booked  int64      // bytes each
	renewed       [2]float64 // announcements a second on one core and on two
	keys, holders int
}

// growth fills stores of their own with 10^4 to 10^6 announcements, and renews them.
func growth(csvFile, svgFile string) error {
	var rows []grown
	fmt.Println("| announcements | of | bytes each, heap | bytes each, booked | renewed/s, 1 core | 2 cores |\n|---|---|---|---|---|---|")
	for _, of := range kinds {
		for _, n := range []int{10_000, 100_000, 1_000_000} {
			r := grow(n, of)
			rows = append(rows, r)
			fmt.Printf("| %d | %s | %d | %d | %.0f | %.0f |\n", r.n, r.of, r.heap, r.booked, r.renewed[0], r.renewed[1])
		}
	}
	return errors.Join(writeCSV(csvFile, rows), writeSVG(svgFile, rows))
}

func grow(n int, of string) grown {
	s := stores{memory.New(memory.Config{Bytes: 4 << 30, GroupShare: 1}), memory.NewTorrents(memory.TorrentConfig{Bytes: 4 << 30, GroupShare: 1}), time.Now()}
	announce := func(i int) {
		key := i
		if strings.HasPrefix(of, "one") {
			key = 7
		}
		if strings.Contains(of, "URL") {
			s.announceURL(i, key, somewhere(i))
		} else {
			s.announceTorrent(key, somewhere(i), 6881)
		}
	}
	before := heap()
	for i := range n {
		announce(i)
	}
	used := heap() - before
	st := s.urls.Stats(s.now)
	if strings.Contains(of, "torrent") {
		st = s.torrents.Stats(s.now)
	}
	holders := int64(max(st.Peers, 1))
	r := grown{n: n, of: of, heap: used / holders, booked: st.Bytes / holders, keys: st.Keys, holders: st.Peers}
	for cores := range r.renewed {
		r.renewed[cores] = renew(n, cores+1, announce)
	}
	runtime.KeepAlive(s)
	return r
}

// renewals is how many announcements are timed; of more they are every so manieth.
const renewals = 200_000

// renew announces everything again on so many cores, and returns announcements a second.
func renew(n, cores int, announce func(i int)) float64 {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
	each, step := renewals/cores, max(1, n/renewals)
	start := time.Now()
	var work sync.WaitGroup
	for c := range cores {
		work.Go(func() {
			for i := range each {
				announce((c*each + i) * step % n)
			}
		})
	}
	work.Wait()
	return float64(each*cores) / time.Since(start).Seconds()
}

func writeCSV(file string, rows []grown) error {
	if file == "" {
		return nil
	}
	var b strings.Builder
	b.WriteString("announcements,of,keys,holders,heap_bytes_each,booked_bytes_each,renewed_per_s_1_core,renewed_per_s_2_cores\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "%d,%s,%d,%d,%d,%d,%.0f,%.0f\n", r.n, r.of, r.keys, r.holders, r.heap, r.booked, r.renewed[0], r.renewed[1])
	}
	return os.WriteFile(file, []byte(b.String()), 0o644)
}

func writeSVG(file string, rows []grown) error {
	if file == "" {
		return nil
	}
	p := lab.Plot{Title: "Memory of the tracker's stores", XLabel: "announcements (10^4, 10^5, 10^6)", YLabel: "bytes of heap each"}
	for _, of := range kinds {
		s := lab.Series{Name: of}
		for _, r := range rows {
			if r.of == of {
				s.X, s.Y = append(s.X, float64(r.n)), append(s.Y, float64(r.heap))
			}
		}
		p.Series = append(p.Series, s)
	}
	return os.WriteFile(file, p.SVG(), 0o644)
}
