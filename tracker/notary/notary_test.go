package notary

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nt/chunker"
	"nt/internal/resource"
	"nt/tracker"
)

var _ tracker.Notary = (*Notary)(nil)

func key(n byte) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, 32)) }

func newNotary(t *testing.T, cfg Config) *Notary {
	t.Helper()
	cfg.Key = key(9)
	if cfg.Interval == 0 {
		cfg.Interval = time.Millisecond
	}
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func parse(t testing.TB, raw string) resource.URL {
	t.Helper()
	u, err := resource.ParseURL(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// readerSaw is what a reader states of a body.
func readerSaw(t testing.TB, u resource.URL, body string, header http.Header) resource.Statement {
	t.Helper()
	tree, err := chunker.Build(strings.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	return resource.Statement{
		Key: u.Key(), Object: tree.Header().ID(), Size: int64(len(body)), Status: 200, Header: header, ObservedAt: time.Now().Unix(),
	}.Sign(key(1))
}

// settled runs the notary until every queued claim was looked at.
func settled(t *testing.T, n *Notary) []resource.Statement {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	stated := make(chan resource.Statement, 64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.Run(ctx, func(_ time.Time, st resource.Statement) error {
			stated <- st
			return nil
		})
	}()
	ended := func() int64 {
		c := n.Counters()
		return c["stated"] + c["differed"] + c["not_shareable"] + c["failed"] + c["forbidden"] + c["not_kept"]
	}
	for want := n.Counters()["queued"] + n.Counters()["forbidden"]; ended() < want; {
		select {
		case <-time.After(time.Millisecond):
		case <-t.Context().Done():
			t.Fatal("the notary never ends")
		}
	}
	cancel()
	<-done
	close(stated)
	var out []resource.Statement
	for st := range stated {
		out = append(out, st)
	}
	return out
}

func TestNotaryStatesOnlyWhatItSees(t *testing.T) {
	var zipped bytes.Buffer
	zw := gzip.NewWriter(&zipped)
	zw.Write([]byte("hello gzip"))
	zw.Close()
	var requests atomic.Int64
	mux := http.NewServeMux()
	serve := func(path string, h func(w http.ResponseWriter, r *http.Request)) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			if ua := r.UserAgent(); ua != "nt-notary/1 (+mailto:ops@example.org)" || r.Header.Get("Cookie") != "" || r.Header.Get("Referer") != "" {
				t.Errorf("request headers: %v", r.Header)
			}
			w.Header().Set("Content-Type", "text/plain")
			h(w, r)
		})
	}
	text := func(s string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(s)) }
	}
	with := func(name, value, s string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(name, value)
			w.Write([]byte(s))
		}
	}
	serve("/same", text("hello"))
	serve("/chunked", func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("he"))
		w.(http.Flusher).Flush()
		w.Write([]byte("llo"))
	})
	serve("/gzip", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			t.Errorf("Accept-Encoding %q", r.Header.Get("Accept-Encoding"))
		}
		with("Content-Encoding", "gzip", zipped.String())(w, r)
	})
	serve("/other", text("HELLO"))
	serve("/longer", text("hello and more"))
	serve("/endless", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(bytes.Repeat([]byte("hello"), 4096)); err != nil {
				return
			}
		}
	})
	serve("/type", with("Content-Type", "text/html", "hello"))
	serve("/cookie", with("Set-Cookie", "a=b", "hello"))
	serve("/private", with("Cache-Control", "private", "hello"))
	serve("/no-store", with("Cache-Control", "no-store", "hello"))
	serve("/vary", with("Vary", "Cookie", "hello"))
	serve("/redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/same", http.StatusFound) })
	serve("/gone", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "hello", http.StatusGone) })
	origin := httptest.NewServer(mux)
	t.Cleanup(origin.Close)

	plain := http.Header{"Content-Type": {"text/plain"}}
	for _, c := range []struct {
		path, body, counter string
		header              http.Header
	}{
		{"/same", "hello", "stated", plain},
		{"/chunked", "hello", "stated", plain},
		{"/gzip", zipped.String(), "stated", http.Header{"Content-Type": {"text/plain"}, "Content-Encoding": {"gzip"}}},
		{"/other", "hello", "differed", plain},
		{"/longer", "hello", "differed", plain},
		{"/endless", "hello", "differed", plain},
		{"/type", "hello", "differed", plain},
		{"/cookie", "hello", "not_shareable", plain},
		{"/private", "hello", "not_shareable", plain},
		{"/no-store", "hello", "not_shareable", plain},
		{"/vary", "hello", "not_shareable", plain},
		{"/redirect", "hello", "not_shareable", plain},
		{"/gone", "hello\n", "not_shareable", plain},
	} {
		n := newNotary(t, Config{AllowPrivate: true, Contact: "mailto:ops@example.org"})
		u := parse(t, origin.URL+c.path)
		saw := readerSaw(t, u, c.body, c.header)
		before := requests.Load()
		n.Offer(time.Now(), u, saw)
		got := settled(t, n)
		if n.Counters()[c.counter] != 1 || requests.Load() != before+1 {
			t.Errorf("%s: %d requests, counters %v, want %s", c.path, requests.Load()-before, n.Counters(), c.counter)
		}
		if c.counter != "stated" {
			if len(got) != 0 {
				t.Errorf("%s: stated %+v", c.path, got)
			}
			continue
		}
		if len(got) != 1 || got[0].Verify() != nil || !got[0].SameContent(saw) || got[0].Witness != n.Key() {
			t.Errorf("%s: stated %+v", c.path, got)
		}
	}
}

func TestRow12_PrivateTargetsAreNeverConnectedTo(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var connects atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			connects.Add(1)
			c.Close()
		}
	}()
	defer l.Close()
	n := newNotary(t, Config{})
	now := time.Now()
	offered := int64(0)
	for i := range 1000 {
		for _, raw := range []string{
			fmt.Sprintf("http://169.254.169.254/latest/meta-data/%d", i),
			fmt.Sprintf("http://%s/%d", l.Addr(), i), fmt.Sprintf("http://localhost/%d", i), fmt.Sprintf("http://[::1]/%d", i),
			fmt.Sprintf("http://printer/%d", i), fmt.Sprintf("http://router.local/%d", i), fmt.Sprintf("http://example.org:22/%d", i),
		} {
			u := parse(t, raw)
			n.Offer(now, u, resource.Statement{Key: u.Key(), Size: 1, Status: 200})
			offered++
		}
	}
	if c := n.Counters(); c["forbidden"] != offered || c["queued"] != 0 {
		t.Errorf("counters %v of %d offers", c, offered)
	}
	// A public name that resolves to loopback is stopped by the dialer: the queue
	// is gone around to show it.
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, host := range []string{"localhost", "127.0.0.1", "0.0.0.0"} {
		u := parse(t, "http://"+host+":"+port+"/")
		n.look(t.Context(), job{u, readerSaw(t, u, "x", nil)}, func(time.Time, resource.Statement) error {
			t.Error("stated")
			return nil
		})
	}
	if c := n.Counters(); c["forbidden"] != offered+3 {
		t.Errorf("the dialer let something through: %v", c)
	}
	if connects.Load() != 0 {
		t.Errorf("%d connections to a private address", connects.Load())
	}
}

func TestRow38_NoURLIsLogged(t *testing.T) {
	var log bytes.Buffer
	var mu sync.Mutex
	for _, target := range []string{"", "/gone"} { // nobody there; an origin that refuses
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		base := "http://localhost:" + fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
		if target == "" {
			l.Close()
		} else {
			srv := &http.Server{Handler: http.NotFoundHandler()}
			go srv.Serve(l)
			t.Cleanup(func() { srv.Close() })
		}
		n := newNotary(t, Config{AllowPrivate: true, Log: slog.New(slog.NewTextHandler(locked{&mu, &log}, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		u := parse(t, base+"/a-secret-page")
		n.Offer(time.Now(), u, readerSaw(t, u, "x", nil))
		if got := settled(t, n); len(got) != 0 {
			t.Errorf("stated %v", got)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if s := log.String(); strings.Count(s, "outcome=") != 2 || strings.Contains(s, "secret") || strings.Contains(s, "localhost") {
		t.Errorf("the log says:\n%s", s)
	}
}

type locked struct {
	mu *sync.Mutex
	w  *bytes.Buffer
}

func (l locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func TestFailedLooksMayBeTriedAgain(t *testing.T) {
	n := newNotary(t, Config{AllowPrivate: true})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	u := parse(t, "http://"+l.Addr().String()+"/")
	saw := readerSaw(t, u, "x", nil)
	n.Offer(time.Now(), u, saw)
	settled(t, n)
	n.Offer(time.Now(), u, saw)
	if c := n.Counters(); c["failed"] != 1 || c["queued"] != 2 || c["known"] != 0 {
		t.Errorf("counters %v", c)
	}
}
