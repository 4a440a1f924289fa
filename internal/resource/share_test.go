package resource

import (
	"errors"
	"net/http"
	"testing"
)

func header(kv ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(kv); i += 2 {
		h.Add(kv[i], kv[i+1])
	}
	return h
}

func TestRow34_Shareable(t *testing.T) {
	for _, c := range []struct {
		name      string
		req       http.Header
		status    int
		resp      http.Header
		shareable bool
	}{
		{"plain", nil, 200, header("Content-Type", "text/html"), true},
		{"no-cache (F4)", nil, 200, header("Cache-Control", "no-cache"), true},
		{"public", nil, 200, header("Cache-Control", "public, max-age=60"), true},
		{"quoted private is an argument of no-cache", nil, 200, header("Cache-Control", `no-cache="private, no-store"`), true},
		{"varies by encoding", nil, 200, header("Vary", "Accept-Encoding"), true},
		{"cookie sent", header("Cookie", "a=1"), 200, nil, false},
		{"authorization sent", header("Authorization", "Basic x"), 200, header("Cache-Control", "public"), false},
		{"api key sent", header("X-Api-Key", "x"), 200, nil, false},
		{"cookie set", nil, 200, header("Set-Cookie", "a=1"), false},
		{"private", nil, 200, header("Cache-Control", "max-age=1, Private"), false},
		{"private with fields", nil, 200, header("Cache-Control", `private="X-Foo"`), false},
		{"no-store in a second field", nil, 200, header("Cache-Control", "public", "Cache-Control", "no-store"), false},
		{"no-store behind a broken quote", nil, 200, header("Cache-Control", `foo="bar, no-store`), false},
		{"vary star", nil, 200, header("Vary", "*"), false},
		{"vary cookie", nil, 200, header("Vary", "Accept-Encoding, Cookie"), false},
		{"404", nil, 404, nil, false},
		{"206", nil, 206, header("Content-Range", "bytes 0-1/2"), false},
		{"301", nil, 301, header("Location", "/"), false},
		{"latin-1 header", nil, 200, header("Content-Disposition", "attachment; filename=\xfc"), false},
	} {
		err := Shareable(c.req, c.status, c.resp)
		if (err == nil) != c.shareable {
			t.Errorf("%s: %v, want shareable %v", c.name, err, c.shareable)
		}
		if err != nil && !errors.Is(err, ErrPrivate) {
			t.Errorf("%s: %v does not wrap ErrPrivate", c.name, err)
		}
	}
}

func TestPublicName(t *testing.T) {
	for raw, public := range map[string]bool{
		"http://example.org/": true, "https://a.b.c.co.uk/": true,
		"http://10.0.0.1/": false, "http://8.8.8.8/": false, "http://[2001:db8::1]/": false, "http://localhost/": false,
		"http://printer/": false, "http://nas.local/": false, "http://x.internal/": false, "http://a.home.arpa/": false, "http://site.test/": false,
	} {
		if err := mustParse(t, raw).PublicName(); (err == nil) != public {
			t.Errorf("%s: %v, want public %v", raw, err, public)
		}
	}
}
