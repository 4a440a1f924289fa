package admin

import (
	"context"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"nt/internal/resource"
	"nt/peer"
	"nt/peer/trust"
)

// copies shows copies by URL.
type copies map[string]trust.Level

func (c copies) Do(_ context.Context, req peer.Request) (*peer.Response, error) {
	url := req.HTTP.URL.String()
	level, ok := c[url]
	if !ok || !req.NoOrigin {
		return nil, &peer.NoSourceError{URL: url}
	}
	h := http.Header{"Content-Type": {"text/html"}, "X-Frame-Options": {"DENY"}, "Content-Security-Policy": {"frame-ancestors 'none'"}, "Nt-Note": {"COPY <b>, seen then"}}
	return &peer.Response{Status: 200, Header: h, Body: io.NopCloser(strings.NewReader("<script>alert(1)</script>copy of " + url)),
		Provenance: peer.Provenance{Source: peer.SourcePeers, Level: level, ObservedAt: time.Unix(0, 0), Live: &peer.Live{}}}, nil
}

func TestRow6_ViewerKeepsCopiesApart(t *testing.T) {
	addr := start(t, Config{Source: sourceFunc(figures), View: copies{
		"https://www.example.org/a?b=1": trust.Notary, "https://www.example.org/s.css": trust.Notary, "http://my-site.org:8080/": trust.Publisher}})
	_, port, _ := net.SplitHostPort(addr)
	frame := regexp.MustCompile(`<iframe src="http://([^/"]+)([^"]*)" [^>]*sandbox(="allow-scripts")?`)
	open := func(url string) []string {
		res, body := ask(t, addr, "GET", "/view/"+url)
		m := frame.FindStringSubmatch(body)
		if res.StatusCode != 200 || m == nil || !strings.Contains(body, "COPY &lt;b&gt;, seen then") {
			t.Fatalf("%s: %d %s", url, res.StatusCode, body)
		}
		if csp := res.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("the page's policy: %s", csp)
		}
		return m
	}
	notary, publisher := open("https://www.example.org/a?b=1"), open("http://my-site.org:8080/")
	if !regexp.MustCompile(`^[0-9a-f]{16}\.www-example-org\.https\.view\.localhost:`+port+`$`).MatchString(notary[1]) || notary[2] != "/a?b=1" || notary[3] != "" {
		t.Errorf("the frame of a notary's copy: %q", notary)
	}
	if !strings.Contains(publisher[1], ".my--site-org.http-8080.view.localhost:") || publisher[3] == "" {
		t.Errorf("the frame of a publisher's copy: %q", publisher)
	}
	for path, want := range map[string]int{"/a?b=1": 200, "/s.css": 200, "/other": 404, "/": 404, "/api/status": 404, "/view/https://www.example.org/s.css": 404} {
		res, body := ask(t, addr, "GET", path, "Host: "+notary[1])
		csp := res.Header.Get("Content-Security-Policy")
		if res.StatusCode != want || want == 200 && (!strings.HasSuffix(csp, "; sandbox") || !strings.Contains(csp, "script-src 'none'") ||
			strings.Contains(csp, "frame-ancestors 'none'") || res.Header.Get("X-Frame-Options") != "" || !strings.Contains(body, "copy of https://www.example.org"+path)) {
			t.Errorf("%s: %d %v %q", path, res.StatusCode, res.Header, body)
		}
	}
	res, _ := ask(t, addr, "GET", "/", "Host: "+publisher[1])
	if csp := res.Header.Get("Content-Security-Policy"); res.StatusCode != 200 || !strings.Contains(csp, "sandbox allow-scripts") || strings.Contains(csp, "allow-same-origin") {
		t.Errorf("a publisher's copy: %d %s", res.StatusCode, csp)
	}
	for _, host := range []string{ // nobody else finds the way there
		"0123456789abcdef.www-example-org.https.view.localhost:" + port, "www-example-org.https.view.localhost:" + port, "view.localhost:" + port,
		strings.Replace(notary[1], "www-example-org", "www-example-com", 1), strings.Replace(notary[1], "https", "http", 1), strings.Replace(notary[1], port, "1", 1),
		strings.Replace(notary[1], "localhost", "localhost.evil.example", 1),
	} {
		if res, _ := ask(t, addr, "GET", "/s.css", "Host: "+host); res.StatusCode != 403 {
			t.Errorf("Host %s: %d", host, res.StatusCode)
		}
	}
	if res, _ := ask(t, addr, "POST", "/s.css", "Host: "+notary[1]); res.StatusCode != 405 {
		t.Errorf("POST: %d", res.StatusCode)
	}
}

func TestViewerRefuses(t *testing.T) {
	addr := start(t, Config{Source: sourceFunc(figures), View: copies{}})
	for path, want := range map[string]int{
		"/view/": 400, "/view/ftp://x/": 400, "/view/https://user:pass@x.org/": 400, "/view/http://[2001:db8::1]/": 400, "/view/https://gone.org/": 404,
	} {
		if res, body := ask(t, addr, "GET", path); res.StatusCode != want || strings.Contains(body, "<iframe") {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
	if res, _ := ask(t, addr, "GET", "/view/https://gone.org/", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Dest: image"); res.StatusCode != 403 {
		t.Errorf("another site's image: %d", res.StatusCode)
	}
	if res, _ := ask(t, addr, "GET", "/view/https://gone.org/", "Host: evil.example"); res.StatusCode != 403 {
		t.Errorf("rebinding: %d", res.StatusCode)
	}
	if res, _ := ask(t, start(t, Config{Source: sourceFunc(figures)}), "GET", "/view/https://gone.org/"); res.StatusCode == 200 {
		t.Errorf("without a viewer: %d", res.StatusCode)
	}
}

func TestSiteLabelsAreOneToOne(t *testing.T) {
	s, err := New(Config{Source: sourceFunc(figures)})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, raw := range []string{"https://a.b.org/", "https://a-b.org/", "https://a--b.org/", "https://a-.b.org/", "http://a.b.org/", "https://a.b.org:8443/", "https://xn--bcher-kva.example/", "http://127.0.0.1:80/"} {
		u, err := resource.ParseURL(raw)
		if err != nil {
			t.Fatal(err)
		}
		host := s.siteLabels(u)
		if site, ok := s.siteOf(host + ":3129"); host != "" && (!ok || site != u.Origin()) {
			if ok || !strings.Contains(raw, "-.") { // a name that reads as another is refused, never mistaken
				t.Errorf("%s: %s stands for %q", raw, host, site)
			}
		}
		if was, twice := seen[host]; twice {
			t.Errorf("%s and %s are both %s", raw, was, host)
		}
		seen[host] = raw
	}
}
