package ops_test

import (
	"fmt"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"nt/tracker"
	"nt/tracker/bep"
	"nt/tracker/memory"
	"nt/tracker/ops"
	"nt/tracker/storetest"
)

func pages(t *testing.T, profiles bool) map[string]tracker.Page {
	t.Helper()
	now := storetest.Start()
	store, torrents := memory.New(memory.Config{}), memory.NewTorrents(memory.TorrentConfig{})
	logic, err := tracker.New(tracker.Config{Store: store, AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 7 {
		p := storetest.NewPeer(i, fmt.Sprintf("%d.1.1.1:7000", 11+i))
		req := tracker.AnnounceRequest{Peer: tracker.PeerInfo{ID: p.ID(), Port: 7000, Transports: []string{"http"}}, Time: now.Unix(),
			Items: tracker.Items{{Statement: p.State("page", "object", now)}}}
		if _, err := logic.Announce(now, p.Addr.Addr(), req); err != nil {
			t.Fatal(err)
		}
	}
	torrents.Announce(now, tracker.TorrentAnnounce{Addr: netip.MustParseAddrPort("11.1.1.1:1"), TTL: time.Hour}, nil)
	return ops.New(ops.Config{Tracker: func(now time.Time) tracker.Stats { return logic.Stats(now, storetest.Start()) }, Largest: store.Largest,
		Pace: tracker.NewPace(tracker.PaceConfig{Base: time.Hour, Most: time.Hour, PerSecond: 1}), Torrents: torrents.Stats, Top: torrents.Largest,
		BEP: new(bep.Counters), Memory: 256 << 20, Started: now, Profiles: profiles}).All()
}

func get(p tracker.Page, host, from string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "http://"+host+"/", nil)
	p(w, r, storetest.Start().Add(10*time.Second), netip.MustParseAddr(from))
	return w
}

func TestMetricsAreWellFormed(t *testing.T) {
	body := get(pages(t, false)["/metrics"], "tracker.example", "8.8.8.8").Body.String()
	line := regexp.MustCompile(`^nt_tracker_[a-z_]+(\{[a-z]+="[a-z_]+"\})? [0-9.e+]+$`)
	for l := range strings.Lines(body) {
		if l = strings.TrimSpace(l); !strings.HasPrefix(l, "# ") && !line.MatchString(l) {
			t.Errorf("%q is no sample", l)
		}
	}
	for _, want := range []string{"\nnt_tracker_holders 7\n", "\nnt_tracker_torrents 1\n", `nt_tracker_messages_total{type="announce"} 7`, "nt_tracker_memory_limit_bytes 268435456"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing in %s", want, body)
		}
	}
}

func TestStatusPage(t *testing.T) {
	w := get(pages(t, false)["/status"], "127.0.0.1:7070", "127.0.0.1")
	body := w.Body.String()
	for _, want := range []string{storetest.Key("page").String(), "of 256 MiB", "<b>0.7</b><span>announced", "7 holders, 6 statements"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing in %s", want, body)
		}
	}
	if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(body, "<script") || strings.Contains(body, "//") {
		t.Errorf("policy %q, or the page loads something", csp)
	}
}

func TestRow42_TheOperatorsPagesAreLocal(t *testing.T) {
	all := pages(t, true)
	if len(all) < 8 || pages(t, false)["/debug/pprof/heap"] != nil {
		t.Fatal("profiles are served without being asked for")
	}
	for path, page := range all {
		if path == "/metrics" || strings.HasSuffix(path, "/profile") || strings.HasSuffix(path, "/trace") {
			continue
		}
		for _, c := range []struct {
			host, from string
			status     int
		}{
			{"127.0.0.1:7070", "127.0.0.1", 200}, {"localhost:7070", "::1", 200}, {"[::1]:7070", "::1", 200},
			{"127.0.0.1:7070", "8.8.8.8", 403}, {"rebound.example:7070", "127.0.0.1", 403}, {"8.8.8.8", "127.0.0.1", 403},
		} {
			if w := get(page, c.host, c.from); w.Code != c.status {
				t.Errorf("%s by %s from %s: %d", path, c.host, c.from, w.Code)
			}
		}
	}
}
