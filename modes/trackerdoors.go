package modes

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"nt/internal/safedial"
	"nt/tracker"
	"nt/tracker/bep"
	"nt/tracker/memory"
)

// newPace returns a Pace for a store that should hear so many announcements a second.
func newPace(perSecond int64, hold time.Duration, stats func(time.Time) tracker.StoreStats) *tracker.Pace {
	if hold == 0 {
		hold = tracker.DefaultTTL
	}
	return tracker.NewPace(tracker.PaceConfig{Base: hold, Most: tracker.DefaultMax, PerSecond: perSecond,
		Holders: func(now time.Time) int64 { return int64(stats(now).Peers) }})
}

// torrentList says which torrents are taken.
type torrentList struct {
	file   string // "" takes all
	listed atomic.Pointer[map[tracker.InfoHash]bool]
}

// newTorrentList reads --bittorrent; nil means none at all.
func newTorrentList(how string) (*torrentList, error) {
	switch how {
	case "off":
		return nil, nil
	case "open":
		return &torrentList{}, nil
	}
	l := &torrentList{file: how}
	return l, l.reload()
}

// maxListed bounds a list of torrents: 20 bytes each.
const maxListed = 1 << 20

// reload reads the file again; on an error the old list stays.
func (l *torrentList) reload() error {
	if l == nil || l.file == "" {
		return nil
	}
	f, err := os.Open(l.file)
	if err != nil {
		return &fault{ExitFile, fmt.Errorf("reading the list of torrents: %w", err), "--bittorrent takes open, off, or a file"}
	}
	defer f.Close()
	list := map[tracker.InfoHash]bool{}
	for lines, n := bufio.NewScanner(f), 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		b, err := hex.DecodeString(line)
		if err != nil || len(b) != len(tracker.InfoHash{}) || len(list) == maxListed {
			return &fault{ExitUsage, fmt.Errorf("%s, line %d: not an infohash of 40 hexadecimal digits, or more than %d of them", l.file, n, maxListed), ""}
		}
		list[tracker.InfoHash(b)] = true
	}
	l.listed.Store(&list)
	return nil
}

func (l *torrentList) has(h tracker.InfoHash) bool { return (*l.listed.Load())[h] }

// torrentDoor is the tracker for BitTorrent clients, or nobody behind the door.
type torrentDoor struct {
	*bep.Server
	swarms *memory.Torrents
}

func newTorrentDoor(o trackerOptions, secret tracker.Secret, token func() string) (*torrentDoor, error) {
	if o.torrents == nil {
		return &torrentDoor{}, nil
	}
	swarms := memory.NewTorrents(memory.TorrentConfig{Bytes: int64(float64(o.memory) * torrentShare)})
	cfg := bep.Config{Swarms: swarms, PublicAddr: safedial.PublicAddr, AllowPrivate: o.allowPrivate, Secret: secret, Token: token, Pace: newPace(50_000, o.hold, swarms.Stats)}
	if o.torrents.file != "" {
		cfg.Listed = o.torrents.has
	}
	s, err := bep.New(cfg)
	return &torrentDoor{s, swarms}, err
}

// Answer implements udp.Answerer.
func (d *torrentDoor) Answer(now time.Time, from netip.AddrPort, in, out []byte) []byte {
	if d.Server == nil {
		return out
	}
	return d.Server.Answer(now, from, in, out)
}

// pages are the HTTP side.
func (d *torrentDoor) pages() map[string]tracker.Page {
	if d.Server == nil {
		return map[string]tracker.Page{}
	}
	return map[string]tracker.Page{
		"/announce": d.ServeAnnounce,
		"/scrape": func(w http.ResponseWriter, r *http.Request, now time.Time, _ netip.Addr) {
			d.ServeScrape(w, r, now)
		},
	}
}
