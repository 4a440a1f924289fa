package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type sourceFunc func() (Status, error)

func (f sourceFunc) Status(context.Context) (Status, error) { return f() }

func start(t *testing.T, cfg Config) string {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return ln.Addr().String()
}

// ask sends one request; fields are "Name: value" and Host is one of them.
func ask(t *testing.T, addr, method, path string, fields ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+addr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	tr := &http.Transport{DisableKeepAlives: true}
	res, err := tr.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

var began = time.Unix(1_700_000_000, 0).UTC()

func figures() (Status, error) {
	return Status{
		Version: "1.2", Started: began, Cache: Cache{Bytes: 3 << 20, Limit: 1 << 30, Objects: 7}, Announced: 5,
		Transports: []string{"http"}, BytesBySource: map[string]int64{"origin": 1000, "peers": 2048},
		Neighbours: []Neighbour{{ID: "<img src=x>", Addr: "192.0.2.1:7", Transport: "http", ReceivedBytes: 2048}},
	}, nil
}

func TestStatus(t *testing.T) {
	addr := start(t, Config{Source: sourceFunc(figures), Now: func() time.Time { return began.Add(90 * time.Minute) }})
	res, body := ask(t, addr, "GET", "/api/status")
	var got Status
	if err := json.Unmarshal([]byte(body), &got); err != nil || res.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%v in %q", err, body)
	}
	want, _ := figures()
	want.UptimeSeconds = 5400
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	res, body = ask(t, addr, "GET", "/")
	for _, part := range []string{"1h30m0s", "3.0 MiB of 1.0 GiB, 7 objects", "&lt;img src=x&gt;", "1000 B"} {
		if !strings.Contains(body, part) {
			t.Errorf("the page lacks %q:\n%s", part, body)
		}
	}
	if strings.Contains(body, "<img") || strings.Contains(body, "http://") || res.Header.Get("Content-Security-Policy") != contentPolicy {
		t.Errorf("the page loads or runs something: %v\n%s", res.Header, body)
	}
}

func TestEmptyAndFailingStatus(t *testing.T) {
	var fail error
	addr := start(t, Config{Source: sourceFunc(func() (Status, error) { return Status{}, fail })})
	if _, body := ask(t, addr, "GET", "/api/status"); strings.Contains(body, "null") {
		t.Errorf("lists are null: %s", body)
	}
	fail = errors.New("closed")
	for _, path := range []string{"/", "/api/status"} {
		if res, _ := ask(t, addr, "GET", path); res.StatusCode != 500 {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
}

func TestRow30_RebindingAndForgeryAreRefused(t *testing.T) {
	done := 0
	addr := start(t, Config{
		Source: sourceFunc(figures), Token: "secret", Hosts: []string{"peer.example"},
		Actions: map[string]Action{"leave": func(context.Context, url.Values) error { done++; return nil }},
	})
	_, port, _ := net.SplitHostPort(addr)
	for _, c := range []struct {
		method, path string
		fields       []string
		want         int
	}{
		{"GET", "/", nil, 200},
		{"GET", "/", []string{"Host: localhost:" + port}, 200},
		{"GET", "/", []string{"Host: peer.example:" + port}, 200},
		{"GET", "/", []string{"Host: [::ffff:127.0.0.1]:" + port}, 200},
		{"GET", "/", []string{"Host: evil.example:" + port}, 403},
		{"GET", "/api/status", []string{"Host: evil.example:" + port}, 403},
		{"GET", "/", []string{"Host: localhost.evil.example:" + port}, 403},
		{"GET", "/", []string{"Host: 127.0.0.1"}, 403},
		{"GET", "/", []string{"Host: 192.0.2.1:" + port}, 403},
		{"GET", "/api/leave", nil, 405},
		{"GET", "/other", nil, 404},
		{"POST", "/api/leave", nil, 403},
		{"POST", "/api/leave", []string{"X-NT-Token: wrong"}, 403},
		{"POST", "/api/leave", []string{"Authorization: Basic secret"}, 403},
		{"POST", "/api/leave", []string{"X-NT-Token: secret", "Origin: http://evil.example"}, 403},
		{"POST", "/api/leave", []string{"X-NT-Token: secret", "Sec-Fetch-Site: cross-site"}, 403},
		{"POST", "/api/leave", []string{"X-NT-Token: secret", "Host: evil.example:" + port}, 403},
		{"POST", "/api/other", []string{"X-NT-Token: secret"}, 404},
		{"POST", "/api/leave", []string{"X-NT-Token: secret"}, 204},
		{"POST", "/api/leave", []string{"Authorization: bearer secret"}, 204},
	} {
		if res, _ := ask(t, addr, c.method, c.path, c.fields...); res.StatusCode != c.want {
			t.Errorf("%s %s %v: %d, want %d", c.method, c.path, c.fields, res.StatusCode, c.want)
		}
	}
	if done != 2 {
		t.Errorf("the action ran %d times, want 2", done)
	}
}

func TestNoTokenNoAction(t *testing.T) {
	addr := start(t, Config{Source: sourceFunc(figures), Actions: map[string]Action{"leave": func(context.Context, url.Values) error {
		t.Error("the action ran")
		return nil
	}}})
	for _, f := range []string{"X-NT-Token: ", "X-NT-Token: x", "Authorization: Bearer "} {
		if res, _ := ask(t, addr, "POST", "/api/leave", f); res.StatusCode != 403 {
			t.Errorf("%q: %d", f, res.StatusCode)
		}
	}
}

func TestNew(t *testing.T) {
	none := func(context.Context, url.Values) error { return nil }
	for _, cfg := range []Config{
		{}, {Source: sourceFunc(figures), Actions: map[string]Action{"status": none}},
		{Source: sourceFunc(figures), Actions: map[string]Action{"a/b": none}},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
}
