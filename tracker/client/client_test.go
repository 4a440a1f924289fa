package client

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"nt/internal/resource"
	"nt/tracker"
	"nt/tracker/memory"
	"nt/tracker/storetest"
)

type notary struct{ key resource.WitnessKey }

func (n notary) Key() resource.WitnessKey                        { return n.key }
func (notary) Offer(time.Time, resource.URL, resource.Statement) {}
func (notary) Counters() map[string]int64                        { return map[string]int64{"offered": 3} }
func (n notary) address(srv *httptest.Server) string {
	return srv.Listener.Addr().String() + "#" + n.key.String()
}

// serve starts a real tracker; hook sees every request first and may answer it.
func serve(t *testing.T, n tracker.Notary, hook func(http.ResponseWriter, *http.Request) bool) *httptest.Server {
	t.Helper()
	tr, err := tracker.New(tracker.Config{Store: memory.New(memory.Config{}), AllowPrivate: true, Notary: n})
	if err != nil {
		t.Fatal(err)
	}
	api := tracker.NewAPI(tr, tracker.APIConfig{Burst: 10_000})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hook == nil || !hook(w, r) {
			api.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	return srv
}

func open(t *testing.T, cfg Config) *Client {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func peerKey() ed25519.PrivateKey { return storetest.NewPeer(1, "1.1.1.1:1").Key }

func items(n, etag int) []tracker.Item {
	p := storetest.NewPeer(1, "1.1.1.1:1")
	var out []tracker.Item
	for i := range n {
		st := p.State(fmt.Sprint("key", i), "object", time.Now())
		st.Header.Set("Etag", strings.Repeat("x", etag))
		out = append(out, tracker.Item{Statement: st.Sign(p.Key)})
	}
	return out
}

func TestN10_N9_N12_AnnounceLookupReportLeave(t *testing.T) {
	n := notary{resource.WitnessKey{7}}
	srv := serve(t, n, nil)
	ctx := context.Background()
	server := open(t, Config{Addr: n.address(srv), Key: peerKey(), Port: 7000, Transports: []string{"http", "roulette"}})
	reader := open(t, Config{Addr: "http://" + srv.Listener.Addr().String() + "/"})
	its := items(40, 1)
	got, err := server.Announce(ctx, its)
	if err != nil || got.TTL < 15*time.Minute || got.TTL > 30*time.Minute || len(got.Refused) != 0 {
		t.Fatalf("announced %+v, %v", got, err)
	}
	var keys []resource.Key
	for _, it := range its {
		keys = append(keys, it.Statement.Key)
	}
	res, err := reader.Lookup(ctx, append(keys, storetest.Key("nobody")), 5) // more than fit into one message
	if err != nil || len(res) != 41 {
		t.Fatalf("%d results, %v", len(res), err)
	}
	for i, r := range res[:40] {
		if len(r.Peers) != 1 || r.Peers[0].Addr != "127.0.0.1:7000" || len(r.Statements) != 1 || r.Key != keys[i] {
			t.Fatalf("result %d: %+v", i, r)
		}
	}
	if len(res[40].Peers) != 0 {
		t.Error("a key nobody announced has holders")
	}
	for i, want := range []bool{true, false} {
		if counted, err := reader.Report(ctx, res[0].Peers[0].Ticket, "dead"); counted != want || err != nil {
			t.Errorf("report %d: %v, %v", i, counted, err)
		}
	}
	if _, err := reader.Report(ctx, "forged", "dead"); err == nil || !strings.Contains(err.Error(), "bad_ticket") {
		t.Errorf("a forged ticket: %v", err)
	}
	if err := server.Leave(ctx); err != nil {
		t.Error(err)
	}
	if res, err = reader.Lookup(ctx, keys[:1], 5); err != nil || len(res[0].Peers) != 0 {
		t.Errorf("after leaving: %+v, %v", res, err)
	}
	st, err := reader.Stats(ctx)
	if err != nil || st.Items != 40 || st.Notary["offered"] != 3 || st.Leaves != 1 {
		t.Errorf("stats %+v, %v", st, err)
	}
	if _, err := reader.Announce(ctx, its); err == nil {
		t.Error("a reader without a key announced")
	}
}

func TestBigAnnouncementsAreCut(t *testing.T) {
	var sizes []int
	srv := serve(t, nil, func(_ http.ResponseWriter, r *http.Request) bool {
		sizes = append(sizes, int(r.ContentLength))
		return false
	})
	c := open(t, Config{Addr: srv.URL, Key: peerKey(), Port: 7000, Transports: []string{"http"}, Tries: 1})
	its := append(items(300, 1), items(200, 7000)...)
	its[299].Statement.Size++ // one of them is forged: its place in the whole list is reported
	got, err := c.Announce(context.Background(), its)
	if err != nil || len(got.Refused) != 1 || got.Refused[299] != tracker.ReasonStatement {
		t.Fatalf("announced %+v, %v", got, err)
	}
	for _, n := range sizes {
		if n > tracker.MaxAnnounceBytes {
			t.Errorf("a message of %d bytes", n)
		}
	}
	if len(sizes) < 3 {
		t.Errorf("%d messages", len(sizes))
	}
}

func TestPinnedKey(t *testing.T) {
	n, other := notary{resource.WitnessKey{7}}, notary{resource.WitnessKey{8}}
	srv := serve(t, n, nil)
	ctx := context.Background()
	c := open(t, Config{Addr: n.address(srv)})
	if info, err := c.Info(ctx); err != nil || info.Notary == nil || *info.Notary != n.key {
		t.Errorf("info %+v, %v", info, err)
	}
	if pin, ok := c.Pinned(); !ok || pin != n.key {
		t.Error("the pinned key is not told")
	}
	if _, err := open(t, Config{Addr: other.address(srv)}).Notary(ctx); !errors.Is(err, ErrPinnedKey) {
		t.Errorf("another key: %v", err)
	}
	plain := serve(t, nil, nil)
	if _, err := open(t, Config{Addr: n.address(plain)}).Info(ctx); !errors.Is(err, ErrPinnedKey) {
		t.Errorf("no notary where one is pinned: %v", err)
	}
	if key, err := open(t, Config{Addr: plain.URL}).Notary(ctx); key != nil || err != nil {
		t.Errorf("a tracker that is no notary: %v, %v", key, err)
	}
}

func TestAddresses(t *testing.T) {
	key := strings.Repeat("ab", 32)
	for addr, want := range map[string]string{
		"127.0.0.1:7070": "http://127.0.0.1:7070", "tracker.example.org": "http://tracker.example.org", "https://t.example.org#" + key: "https://t.example.org",
		"[::1]:7070": "http://[::1]:7070", "http://a:1/": "http://a:1",
		"": "", "ftp://a": "", "a:1#zz": "", "http://token@a": "http://token@a", "token@a:1": "http://token@a:1", "http://user:password@a": "", "http://a/path": "", "http://a?q": "", "a:1#": "", "a b": "", "http://": "",
	} {
		c, err := New(Config{Addr: addr})
		if (err == nil) != (want != "") || err == nil && c.base.String() != want {
			t.Errorf("%q: %v, want %q", addr, err, want)
		}
	}
}

func TestRetriesOnlyWhatMayPass(t *testing.T) {
	for status, want := range map[int]int64{200: 1, 400: 1, 403: 1, 500: 1, 429: 3, 502: 3, 503: 3} {
		var tries atomic.Int64
		srv := serve(t, nil, func(w http.ResponseWriter, _ *http.Request) bool {
			tries.Add(1)
			w.WriteHeader(status)
			fmt.Fprint(w, `{"version":1,"notary":null,"ttl":1,"time":1}`)
			return true
		})
		_, err := open(t, Config{Addr: srv.URL}).Info(context.Background())
		var refused *Error
		if tries.Load() != want || (err == nil) != (status == 200) || err != nil && (!errors.As(err, &refused) || refused.Status != status) {
			t.Errorf("%d: %d tries, %v", status, tries.Load(), err)
		}
	}
}

func TestRetryEndsWithTheContext(t *testing.T) {
	srv := serve(t, nil, func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Retry-After", "3000")
		w.WriteHeader(503)
		return true
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, err := open(t, Config{Addr: srv.URL, Tries: 100}).Info(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("%v; it should see that waiting is useless", err)
	}
}

func TestRow40_AnswersAreNotBelieved(t *testing.T) {
	key := storetest.Key("a")
	good := tracker.PeerEntry{ID: storetest.NewPeer(1, "1.1.1.1:1").ID(), Addr: "1.2.3.4:7000", Transports: []string{"http"}, Ticket: "t"}
	st := storetest.NewPeer(1, "1.1.1.1:1").State("a", "object", time.Now())
	forged, foreign := st, storetest.NewPeer(1, "1.1.1.1:1").State("b", "object", time.Now())
	forged.Size++
	ill := func(change func(*tracker.PeerEntry)) tracker.PeerEntry {
		p := good
		change(&p)
		return p
	}
	mixed, _ := json.Marshal(tracker.LookupResponse{Results: tracker.Results{{
		Key: key,
		Peers: tracker.Peers{
			ill(func(p *tracker.PeerEntry) { p.Addr = "nowhere" }), ill(func(p *tracker.PeerEntry) { p.Addr = "1.2.3.4:0" }),
			ill(func(p *tracker.PeerEntry) { p.Addr = "0.0.0.0:1" }), ill(func(p *tracker.PeerEntry) { p.Addr = "[fe80::1%eth0]:1" }),
			ill(func(p *tracker.PeerEntry) { p.Ticket = strings.Repeat("x", 300) }), ill(func(p *tracker.PeerEntry) { p.ID = [32]byte{} }),
			ill(func(p *tracker.PeerEntry) { p.Transports = make([]string, 9) }), good,
		},
		Statements: tracker.LoggedList{{Statement: forged, LoggedAt: 1}, {Statement: foreign, LoggedAt: 1}, {Statement: st}, {Statement: st, LoggedAt: 5, Group: "g"}},
	}}})
	for name, c := range map[string]struct {
		body string
		ok   bool
	}{
		"mixed":         {string(mixed), true},
		"no result":     {`{"results":[]}`, false},
		"another key":   {strings.Replace(string(mixed), key.String(), storetest.Key("b").String(), 1), false},
		"unknown field": {`{"results":[],"x":1}`, false},
		"no JSON":       {`<html>`, false},
		"endless":       {strings.Repeat(" ", MaxResponseBytes+2), false},
		"51 peers":      {`{"results":[{"peers":[` + strings.Repeat("{},", 50) + `{}]}]}`, false},
		"redirect":      {"", false},
	} {
		tries := 0
		srv := serve(t, nil, func(w http.ResponseWriter, r *http.Request) bool {
			tries++
			if name == "redirect" {
				http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
				return true
			}
			bytes.NewBufferString(c.body).WriteTo(w)
			return true
		})
		res, err := open(t, Config{Addr: srv.URL}).Lookup(context.Background(), []resource.Key{key}, 5)
		if (err == nil) != c.ok || tries != 1 {
			t.Errorf("%s: %v after %d tries", name, err, tries)
		}
		if c.ok && (len(res[0].Peers) != 1 || len(res[0].Statements) != 1 || res[0].Statements[0].Group != "g") {
			t.Errorf("%s: %+v", name, res)
		}
	}
}

func FuzzLookupAnswer(f *testing.F) {
	key := storetest.Key("a")
	f.Add([]byte(`{"results":[{"key":"` + key.String() + `","peers":[{"id":"` + strings.Repeat("11", 32) + `","addr":"1.2.3.4:5","transports":["http"],"object":"` +
		strings.Repeat("22", 32) + `","ticket":"t"}],"statements":[],"first_outage":5}]}`))
	f.Add([]byte(`{"results":null}`))
	c, err := New(Config{Addr: "tracker:1"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var resp tracker.LookupResponse
		if tracker.Decode(body, &resp) != nil || c.checkResults([]resource.Key{key}, resp.Results) != nil {
			return
		}
		for _, p := range resp.Results[0].Peers {
			if !plausible(p) {
				t.Fatalf("%+v is passed on", p)
			}
		}
	})
}
