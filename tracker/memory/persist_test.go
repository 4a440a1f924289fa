package memory

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"nt/internal/resource"
	"nt/tracker"
	"nt/tracker/storetest"
)

func statementsOf(t *testing.T, s *Store, key string, at time.Time) []tracker.Kept {
	t.Helper()
	sw, err := s.Lookup(at, storetest.Key(key), 10, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(sw.Statements, func(a, b tracker.Kept) int { return bytes.Compare(a.Statement.Signature[:], b.Statement.Signature[:]) })
	return sw.Statements
}

func TestRow14_StatementsSurviveARestart(t *testing.T) {
	old, now := New(Config{}), storetest.Start()
	for i := range 200 {
		honest(t, old, i, fmt.Sprintf("%d.%d.1.1:7000", 11+i%50, i), fmt.Sprint("page", i%40), now.Add(time.Duration(i)*time.Second))
	}
	own := storetest.NewPeer(999, "9.9.9.9:1").State("page1", "object", now)
	if err := old.Keep(now, own); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	statementsOf(t, old, "page3", now) // an outage, remembered
	var file bytes.Buffer
	if err := old.WriteStatements(&file); err != nil {
		t.Fatal(err)
	}
	s := New(Config{})
	n, err := s.ReadStatements(now, bytes.NewReader(file.Bytes()))
	if want := old.Stats(now).Statements; err != nil || n != want || s.Stats(now).Statements != want {
		t.Fatalf("%d statements, want %d: %v", n, want, err)
	}
	for i := range 40 {
		key := fmt.Sprint("page", i)
		if diff := gocmp.Diff(statementsOf(t, old, key, now), statementsOf(t, s, key, now)); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
	if sw, _ := s.Lookup(now.Add(time.Minute), storetest.Key("page3"), 1, rand.New(rand.NewPCG(1, 1))); sw.FirstOutage != now.Unix() {
		t.Errorf("the first outage is %d", sw.FirstOutage)
	}
	// The same witnesses announce again: nothing is counted twice.
	honest(t, s, 0, "11.0.1.1:7000", "page0", now)
	if a, b := len(statementsOf(t, old, "page0", now)), len(statementsOf(t, s, "page0", now)); a != b {
		t.Errorf("%d statements, want %d", b, a)
	}
	if n, err := New(Config{}).ReadStatements(now.Add(8*24*time.Hour), bytes.NewReader(file.Bytes())); n != 0 || err != nil {
		t.Errorf("a week later: %d, %v", n, err)
	}
}

func TestDamagedStatementsAreRefused(t *testing.T) {
	s, now := New(Config{Shards: 1}), storetest.Start()
	honest(t, s, 1, "11.1.1.1:7000", "page", now)
	var file bytes.Buffer
	if err := s.WriteStatements(&file); err != nil {
		t.Fatal(err)
	}
	for i := range file.Len() {
		bad := slices.Clone(file.Bytes())
		bad[i] ^= 1
		for name, b := range map[string][]byte{"flipped": bad, "cut": bad[:i]} {
			if n, err := New(Config{Shards: 1}).ReadStatements(now, bytes.NewReader(b)); n != 0 || err == nil {
				t.Fatalf("byte %d %s: %d statements, %v", i, name, n, err)
			}
		}
	}
}

func TestLargestSwarmsAreListed(t *testing.T) {
	s, tr, now := New(Config{}), NewTorrents(TorrentConfig{}), storetest.Start()
	for i := range 10 {
		for j := range i {
			p := storetest.NewPeer(j, fmt.Sprintf("%d.1.1.1:7000", 11+j))
			s.Announce(now, storetest.TTL, p.Announcer(now), []resource.Statement{p.State(fmt.Sprint("page", i), "object", now)})
			tr.Announce(now, tracker.TorrentAnnounce{Hash: tracker.InfoHash{byte(i)}, Addr: p.Addr, TTL: time.Hour, Complete: j == 0}, nil)
		}
	}
	for name, top := range map[string][]tracker.SwarmSize{"URLs": s.Largest(3), "torrents": tr.Largest(3)} {
		if len(top) != 3 || top[0].Holders != 9 || top[1].Holders != 8 || top[2].Holders != 7 {
			t.Errorf("%s: %+v", name, top)
		}
	}
	if top := tr.Largest(1); top[0].Seeds != 1 || top[0].Name[:4] != "0900" {
		t.Errorf("the largest torrent: %+v", top)
	}
}
