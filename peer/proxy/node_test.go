package proxy

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"nt/chunker/store"
	"nt/chunker/store/memory"
	"nt/internal/resource"
	"nt/peer"
	"nt/peer/cache"
	"nt/peer/origin"
	"nt/peer/trust"
)

// testNode is a node without peers: origin and own cache.
func testNode(t *testing.T, cfg origin.Config) *peer.Node {
	t.Helper()
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	client := origin.New(cfg)
	n := peer.NewNode(peer.Config{
		Store: memory.New(store.Options{}), Cache: c, Origin: client,
		Identity: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize)),
	})
	t.Cleanup(func() { n.Close(); client.Close() })
	return n
}

// TestN6_OriginThenOwnCopy: the origin's answer bears no mark, the copy after its
// death does.
func TestN6_OriginThenOwnCopy(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Cache-Control", "max-age=60")
		io.WriteString(w, "<p>still here")
	}))
	defer site.Close()
	node := testNode(t, origin.Config{})
	_, proxy := start(t, func(c *Config) { c.Resolver = FromNode(node, peer.Request{}) })
	host := strings.TrimPrefix(site.URL, "http://")
	get := func() message {
		return exchange(t, proxy, "GET", "GET http://"+host+"/ HTTP/1.1\r\nHost: "+host+"\r\nUser-Agent: t\r\n\r\n")
	}
	live := get()
	for name := range live.Header {
		if strings.HasPrefix(name, "Nt-") || name == "Age" || name == "Via" {
			t.Errorf("the live answer bears %s", name)
		}
	}
	if err := node.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	site.Close()
	saved := get()
	if saved.Status != 200 || saved.Body != live.Body || saved.Header.Get("Content-Type") != "text/html" || saved.Cut {
		t.Errorf("the copy is %+v", saved)
	}
	h := saved.Header
	if h.Get("NT-Source") != "cache" || h.Get("NT-Trust") != "self" || h.Get("Age") == "" {
		t.Errorf("the copy's marks are %v", h)
	}
	if _, err := time.Parse(time.RFC3339, h.Get("NT-Observed")); err != nil {
		t.Error(err)
	}
	for name, values := range h {
		if strings.Contains(strings.ToLower(strings.Join(values, " ")), "verified") {
			t.Errorf("%s says %q of a copy nobody verified", name, values)
		}
	}
}

// TestN6_NobodyHasIt: one clear page that says what was tried.
func TestN6_NobodyHasIt(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := ln.Addr().String()
	ln.Close()
	node := testNode(t, origin.Config{})
	_, proxy := start(t, func(c *Config) { c.Resolver = FromNode(node, peer.Request{}) })
	m := exchange(t, proxy, "GET", "GET http://"+dead+"/ HTTP/1.1\r\nHost: "+dead+"\r\nAccept: text/html\r\n\r\n")
	if m.Status != 502 || !strings.Contains(m.Body, "<li>origin: ") || !strings.Contains(m.Body, "refused") {
		t.Errorf("%+v", m)
	}
}

// doerFunc is a Doer made of a function.
type doerFunc func(ctx context.Context, req peer.Request) (*peer.Response, error)

func (f doerFunc) Do(ctx context.Context, req peer.Request) (*peer.Response, error) {
	return f(ctx, req)
}

func TestNodeErrorsBecomePages(t *testing.T) {
	candidate := trust.Candidate{Level: trust.Corroborated, Witnesses: []string{"4 readers in 4 networks"},
		Statement: resource.Statement{ObservedAt: 1_700_000_000}}
	for _, c := range []struct {
		name   string
		err    error
		status int
		says   []string
	}{
		{"nobody", &peer.NoSourceError{Tried: []peer.Attempt{{Where: "origin", Err: errors.New("refused")}, {Where: "cache", Err: errors.New("empty")}}},
			502, []string{"tried origin: refused", "tried cache: empty"}},
		{"late", &peer.NoSourceError{Tried: []peer.Attempt{{Where: "origin", Err: os.ErrDeadlineExceeded}}}, 504, []string{"timeout"}},
		{"untrusted", &peer.UntrustedError{Need: trust.Notary, Found: []trust.Candidate{candidate}, Origin: errors.New("reset")}, 502,
			[]string{"origin: reset", "a copy that is corroborated: COPY, not the live site. Seen 2023-11-14 22:13Z by 4 readers in 4 networks", "hint: A copy must be notary", "--trust"}},
		{"risky", &peer.UntrustedError{Need: trust.Notary, Risky: true, Origin: errors.New("reset")}, 502, []string{"--checksum"}},
		{"certificate", &origin.Error{Verdict: origin.Refuse, Reason: "bad certificate", Err: origin.ErrTLS}, 502, []string{"could not prove who it is", "bad certificate"}},
		{"forbidden", &origin.Error{Verdict: origin.Refuse, Reason: "private", Err: origin.ErrForbidden}, 403, []string{"--allow-private"}},
		{"bad request", peer.ErrBadRequest, 400, nil},
		{"closed", peer.ErrClosed, 503, []string{"shutting down"}},
	} {
		_, proxy := start(t, func(cfg *Config) {
			cfg.Resolver = FromNode(doerFunc(func(context.Context, peer.Request) (*peer.Response, error) { return nil, c.err }), peer.Request{})
		})
		m := exchange(t, proxy, "GET", "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
		if m.Status != c.status {
			t.Errorf("%s: %d, want %d", c.name, m.Status, c.status)
		}
		for _, part := range c.says {
			if !strings.Contains(m.Body, part) {
				t.Errorf("%s: the page lacks %q:\n%s", c.name, part, m.Body)
			}
		}
		if strings.Contains(strings.ToLower(m.Body), "verified") {
			t.Errorf("%s: the page calls something verified:\n%s", c.name, m.Body)
		}
	}
}
