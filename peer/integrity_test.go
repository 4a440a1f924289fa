package peer

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"nt/peer/origin"
	"nt/peer/publisher"
	"nt/peer/trust"
)

func TestSubresources(t *testing.T) {
	s256, s384 := sha256.Sum256([]byte("a")), sha512.Sum384([]byte("a"))
	a, b := "sha256-"+base64.StdEncoding.EncodeToString(s256[:]), "sha384-"+base64.StdEncoding.EncodeToString(s384[:])
	page := mustURL(t, "https://example.org/dir/page")
	for _, c := range []struct{ html, want string }{
		{`<script src="a.js" integrity="` + a + `"></script>`, "https://example.org/dir/a.js sha256"},
		{`<LINK rel=stylesheet HREF=/b.css INTEGRITY="` + b + `?ct=text/css ` + a + `">`, "https://example.org/b.css sha384"},
		{`<script src="https://cdn.example.net/a.js" integrity="` + a + `"/>`, "https://cdn.example.net/a.js sha256"},
		{`<base href="/other/"><script src="a.js" integrity="` + a + `"></script>`, "https://example.org/other/a.js sha256"},
		{`<script src="a.js"></script><script integrity="` + a + `"></script><img src=x integrity="` + a + `">`, ""},
		{`<script src="a.js" integrity="sha256-AAAA"></script><script src="b.js" integrity="md5-x"></script>`, ""},
		{`<!-- <script src="a.js" integrity="` + a + `"></script> -->`, ""},
		{`<script>"<script src='a.js' integrity='` + a + `'>"</script>`, ""},
		{`<script src="javascript:1" integrity="` + a + `"></script><script src="http://[" integrity="` + a + `"></script>`, ""},
		{strings.Repeat(" ", maxPage) + `<script src="a.js" integrity="` + a + `"></script>`, ""},
	} {
		var got []string
		for _, l := range subresources(page, strings.NewReader(c.html)) {
			got = append(got, l.url.String()+" "+l.in.Algorithm)
		}
		if g := strings.Join(got, ","); g != c.want {
			t.Errorf("%.80s: %q, want %q", c.html, g, c.want)
		}
	}
	if n := len(subresources(page, strings.NewReader(strings.Repeat(`<script src="a.js" integrity="`+a+`"></script>`, 1000)))); n != maxHashes {
		t.Errorf("%d hashes of one page", n)
	}
}

func FuzzSubresources(f *testing.F) {
	f.Add(`<base href="//x/"><script src=a integrity="sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU= sha512-x"></script>`)
	page := mustURL(f, "https://example.org/")
	f.Fuzz(func(t *testing.T, text string) {
		for _, l := range subresources(page, strings.NewReader(text)) {
			if l.url.IsZero() || len(l.in.Sum) < 32 {
				t.Fatalf("%+v", l)
			}
		}
	})
}

// tlsSite is an https origin and the client that knows its authority.
func tlsSite(t *testing.T, h http.Handler) (*httptest.Server, func(*Config)) {
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s, func(c *Config) {
		c.Origin = origin.New(origin.Config{TLS: &tls.Config{RootCAs: roots}})
		t.Cleanup(c.Origin.Close)
		var err error
		if c.Publishers, err = publisher.Open(t.TempDir()); err != nil {
			t.Fatal(err)
		}
	}
}

// What a page read over a valid certificate says of what it loads is enough to take that from
// anybody; anything else under its name is refused.
func TestIntegrityOfAVerifiedPagePins(t *testing.T) {
	for _, alg := range []string{"sha256", "sha384", "sha512"} {
		t.Run(alg, func(t *testing.T) {
			script := []byte("alert('" + alg + "')")
			sum := map[string]func() []byte{
				"sha256": func() []byte { s := sha256.Sum256(script); return s[:] },
				"sha384": func() []byte { s := sha512.Sum384(script); return s[:] },
				"sha512": func() []byte { s := sha512.Sum512(script); return s[:] },
			}[alg]()
			page := fmt.Appendf(nil, `<script src="/a.js" integrity="%s-%s"></script><script src="/b.js" integrity="%s-%s"></script>`,
				alg, base64.StdEncoding.EncodeToString(sum), alg, base64.StdEncoding.EncodeToString(sum))
			mux := http.NewServeMux()
			mux.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				w.Write(page)
			})
			s, secure := tlsSite(t, mux)
			r := newRig(t, secure)
			js := http.Header{"Content-Type": {"text/javascript"}}
			r.publish(s.URL+"/a.js", script, js, testKey(5))
			r.publish(s.URL+"/b.js", append(script, '!'), js, testKey(5))
			r.mustGet(s.URL+"/page", page, SourceOrigin)
			r.settle()
			s.Close()
			res := r.mustGet(s.URL+"/a.js", script, SourcePeers)
			if res.Provenance.Level != trust.Pinned || !strings.Contains(res.Header.Get(FieldNote), "Its hash is the one named by the integrity in https://127.0.0.1:") {
				t.Errorf("%s, %q", res.Provenance.Level, res.Header.Get(FieldNote))
			}
			var low *UntrustedError
			if _, err := r.get(s.URL + "/b.js"); !errors.As(err, &low) {
				t.Errorf("other bytes under the name: %v", err)
			}
			if alg == "sha256" {
				r.settle()
				r.mustGet(s.URL+"/a.js", script, SourceCache)
			}
		})
	}
}

// A page that nobody vouches for names nothing.
func TestIntegrityOfAnUnverifiedPageIsIgnored(t *testing.T) {
	script := []byte("alert(1)")
	sum := sha256.Sum256(script)
	page := fmt.Appendf(nil, `<script src="/a.js" integrity="sha256-%s"></script>`, base64.StdEncoding.EncodeToString(sum[:]))
	r := newRig(t)
	site := strings.Replace(deadURL(t), "http:", "https:", 1)
	r.publish(site+"/page", page, http.Header{"Content-Type": {"text/html"}}, testKey(5))
	r.publish(site+"/a.js", script, http.Header{"Content-Type": {"text/javascript"}}, testKey(5))
	anybody := trust.Unverified
	r.mustGet(site+"/page", page, SourcePeers, func(q *Request) { q.Trust = &anybody })
	r.settle()
	var low *UntrustedError
	if _, err := r.get(site + "/a.js"); !errors.As(err, &low) {
		t.Errorf("%v", err)
	}
}

// The digest that the origin sent before its body broke off makes a stranger's copy as good as
// the origin's own.
func TestReprDigestSeenLive(t *testing.T) {
	body := pattern(100_000)
	sum := sha256.Sum256(body)
	for _, c := range []struct {
		name, digest string
		ok           bool
	}{
		{"right", "sha-512=:AAAA:, sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":", true},
		{"another", "sha-256=:" + base64.StdEncoding.EncodeToString(make([]byte, 32)) + ":", false},
		{"none", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, secure := tlsSite(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "image/png")
				w.Header().Set("Content-Length", "100000")
				if c.digest != "" {
					w.Header().Set("Repr-Digest", c.digest)
				}
				w.Write(body[:50_000])
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			}))
			s.Config.ErrorLog = quiet()
			r := newRig(t, secure)
			r.publish(s.URL+"/p.png", body, http.Header{"Content-Type": {"image/png"}}, testKey(5))
			res, err := r.get(s.URL + "/p.png")
			if err != nil {
				t.Fatal(err)
			}
			if whole := res.err == nil && string(res.body) == string(body); whole != c.ok {
				t.Errorf("whole: %v, %v", whole, res.err)
			}
		})
	}
}

func TestReprDigest(t *testing.T) {
	sum := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for v, ok := range map[string]bool{
		"sha-256=:" + sum + ":": true, "md5=:AA==:, sha-256=:" + sum + ":": true, "sha-256=" + sum: false, "sha-256=:" + sum: false, "sha-256=:AAAA:": false, "": false, "sha-512=:" + sum + ":": false,
	} {
		if got := reprDigest(http.Header{"Repr-Digest": {v}}); (got != nil) != ok {
			t.Errorf("%q: %v", v, got)
		}
	}
}

func TestRiskyBytes(t *testing.T) {
	tar := make([]byte, 512)
	copy(tar[257:], "ustar")
	for _, b := range []string{"#!/bin/sh\n", "MZ\x90", "\x7fELF\x02", "PK\x03\x04", "\x1f\x8b\x08", string(tar)} {
		if !riskyBytes([]byte(b)) {
			t.Errorf("%.10q passes", b)
		}
	}
	for _, b := range []string{"", "#", "<!DOCTYPE html>", "\x89PNG\r\n", "P", "M", "body { }", strings.Repeat("x", 600)} {
		if riskyBytes([]byte(b)) {
			t.Errorf("%.10q is refused", b)
		}
	}
}
