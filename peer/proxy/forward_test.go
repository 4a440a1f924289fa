package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// client returns an http.Client that uses the proxy and changes nothing.
func client(t testing.TB, proxy string) *http.Client {
	t.Helper()
	tr := &http.Transport{
		Proxy:              func(*http.Request) (*url.URL, error) { return &url.URL{Scheme: "http", Host: proxy}, nil },
		DisableCompression: true,
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// resolverFunc is a Resolver made of a function.
type resolverFunc func(r *http.Request, inform Inform) (*http.Response, error)

func (f resolverFunc) Resolve(r *http.Request, inform Inform) (*http.Response, error) {
	return f(r, inform)
}

func TestN20_RedirectReachesTheBrowser(t *testing.T) {
	origin := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/there" {
			t.Error("the proxy followed the redirect itself")
		}
		http.Redirect(w, r, "/there", http.StatusFound)
	})
	for _, resolved := range []bool{false, true} {
		_, proxy := start(t, func(c *Config) {
			if resolved {
				c.Resolver = directResolver{newTransport(Config{Dial: c.Dial}, 4)}
			}
		})
		res, err := client(t, proxy).Get("http://" + origin + "/here")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusFound || res.Header.Get("Location") != "/there" {
			t.Errorf("resolved %v: %d to %q", resolved, res.StatusCode, res.Header.Get("Location"))
		}
	}
}

func TestN19_ReadersOwnHeadersReachTheOrigin(t *testing.T) {
	const request = "GET http://%s/ HTTP/1.1\r\nHost: %s\r\nCookie: a=b; c=d\r\nAccept-Language: de, en;q=0.5\r\nReferer: http://r.example/\r\n" +
		"X-Twice: 1\r\nX-Twice: 2\r\nAuthorization: Basic eDp5\r\nIf-None-Match: \"a\"\r\nDNT: 1\r\n" +
		"Proxy-Authorization: Basic c2VjcmV0\r\nProxy-Connection: keep-alive\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n\r\n"
	got := make(chan http.Header, 1)
	origin := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) { got <- r.Header.Clone() })
	s, proxy := start(t, nil)
	exchange(t, proxy, "GET", fmt.Sprintf(request, origin, origin))
	h := <-got
	for name, want := range map[string]string{
		"Cookie": "[a=b; c=d]", "Accept-Language": "[de, en;q=0.5]", "Referer": "[http://r.example/]", "X-Twice": "[1 2]",
		"Authorization": "[Basic eDp5]", "If-None-Match": `["a"]`, "Dnt": "[1]", "Via": "[1.1 " + s.name + "]",
	} {
		if fmt.Sprint(h[name]) != want {
			t.Errorf("%s: %q, want %s", name, h[name], want)
		}
		delete(h, name)
	}
	if len(h) > 0 { // no User-Agent, no Accept-Encoding, nothing hop-by-hop
		t.Errorf("the origin also saw %v", h)
	}
}

func TestRow33_LoopIsRefused(t *testing.T) {
	s, proxy := start(t, nil)
	for name, request := range map[string]string{
		"our own address": "GET http://" + proxy + "/ HTTP/1.1\r\nHost: " + proxy + "\r\n\r\n",
		"our own name":    "GET http://localhost:" + portOf(proxy) + "/ HTTP/1.1\r\nHost: localhost:" + portOf(proxy) + "\r\n\r\n",
		"mapped address":  "GET http://[::ffff:127.0.0.1]:" + portOf(proxy) + "/ HTTP/1.1\r\nHost: [::ffff:127.0.0.1]:" + portOf(proxy) + "\r\n\r\n",
		"Via":             "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nVia: 1.1 other, 1.1 " + s.name + " (x)\r\n\r\n",
		"Via, local page": "GET / HTTP/1.1\r\nHost: " + proxy + "\r\nVia: 1.1 " + s.name + "\r\n\r\n",
		"CONNECT":         "CONNECT " + proxy + " HTTP/1.1\r\nHost: " + proxy + "\r\n\r\n",
		"odd spelling":    "GET http://2130706433:" + portOf(proxy) + "/ HTTP/1.1\r\nHost: 2130706433:" + portOf(proxy) + "\r\n\r\n",
	} {
		m := exchange(t, proxy, "GET", request)
		if name == "odd spelling" && m.Status == http.StatusBadGateway {
			continue // this system's resolver does not know it
		}
		if m.Status != http.StatusLoopDetected {
			t.Errorf("%s: %d, want 508", name, m.Status)
		}
	}
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

func TestN5_ACutBodyCutsTheReader(t *testing.T) {
	for name, response := range map[string]string{
		"length":  "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
		"chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
	} {
		for _, version := range []string{"1.1", "1.0"} {
			origin := rawOrigin(t, func(c net.Conn, br *bufio.Reader) {
				readRequest(br)
				io.WriteString(c, response)
			})
			_, proxy := start(t, nil)
			conn := dial(t, proxy)
			fmt.Fprintf(conn, "GET http://%s/ HTTP/%s\r\nHost: %s\r\n\r\n", origin, version, origin)
			m, err := readMessage(bufio.NewReader(conn), "GET")
			if err == nil && !m.Cut {
				t.Errorf("%s to HTTP/%s: the body %q ended cleanly", name, version, m.Body)
			}
		}
	}
}

func TestReaderGoneEndsTheOriginsRequest(t *testing.T) {
	gone := make(chan struct{})
	asked := make(chan struct{})
	origin := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
		close(gone)
	})
	_, proxy := start(t, nil)
	conn := dial(t, proxy)
	fmt.Fprintf(conn, "GET http://%s/ HTTP/1.1\r\nHost: %s\r\n\r\n", origin, origin)
	<-asked
	conn.Close()
	<-gone
}

func TestExpectContinue(t *testing.T) {
	origin := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		b, _ := io.ReadAll(r.Body)
		w.Write(b)
	})
	_, proxy := start(t, nil)
	for _, path := range []string{"/yes", "/no"} {
		conn := dial(t, proxy)
		br := bufio.NewReader(conn)
		fmt.Fprintf(conn, "POST http://%s%s HTTP/1.1\r\nHost: %s\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n", origin, path, origin)
		if path == "/no" {
			if m, err := readMessage(br, "POST"); err != nil || m.Status != 413 || len(m.Interim) > 0 {
				t.Errorf("an unwanted body: %d after %v, %v", m.Status, m.Interim, err)
			}
			continue
		}
		if line, err := br.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
			t.Fatalf("%q, %v; want 100 before the body is sent", line, err)
		}
		br.ReadString('\n')
		io.WriteString(conn, "body")
		if m, err := readMessage(br, "POST"); err != nil || m.Body != "body" {
			t.Errorf("%+v, %v", m, err)
		}
	}
}

func TestRow26_OpenProxyIsRefused(t *testing.T) {
	d := (&net.Dialer{}).DialContext
	for _, c := range []struct {
		cfg  Config
		open bool
	}{
		{Config{Dial: d, Addr: "127.0.0.1:3128"}, false},
		{Config{Dial: d, Addr: "[::1]:0"}, false},
		{Config{Dial: d, Addr: "localhost:0"}, false},
		{Config{Dial: d, Addr: "0.0.0.0:3128"}, true},
		{Config{Dial: d, Addr: ":3128"}, true},
		{Config{Dial: d, Addr: "[::]:3128"}, true},
		{Config{Dial: d, Addr: "192.0.2.1:3128"}, true},
		{Config{Dial: d, Addr: "0.0.0.0:3128", Auth: "u:p"}, false},
		{Config{Dial: d, Addr: "0.0.0.0:3128", Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, false},
	} {
		_, err := New(c.cfg)
		var open *OpenProxyError
		if errors.As(err, &open) != c.open || err != nil && !c.open {
			t.Errorf("%s: %v", c.cfg.Addr, err)
		}
	}
}

func TestRow26_ReadersAreAdmittedByNetwork(t *testing.T) {
	s, err := New(Config{Dial: (&net.Dialer{}).DialContext, Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	if err != nil {
		t.Fatal(err)
	}
	for addr, in := range map[string]bool{"127.0.0.1:1": true, "10.1.2.3:1": true, "[::ffff:10.1.2.3]:1": true, "11.0.0.1:1": false, "[fe80::1%eth0]:1": false} {
		a := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr))
		if err := s.admit(a); (err == nil) != in {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

func TestRow26_Authentication(t *testing.T) {
	origin := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "in") })
	_, proxy := start(t, func(c *Config) { c.Auth = "u:p" })
	for field, want := range map[string]int{
		"": 407, "Proxy-Authorization: Basic dTpw\r\n": 200, "Proxy-Authorization: basic dTpw\r\n": 200,
		"Proxy-Authorization: Basic dTpx\r\n": 407, "Proxy-Authorization: Bearer dTpw\r\n": 407, "Authorization: Basic dTpw\r\n": 407,
	} {
		m := exchange(t, proxy, "GET", "GET http://"+origin+"/ HTTP/1.1\r\nHost: "+origin+"\r\n"+field+"\r\n")
		if m.Status != want {
			t.Errorf("%q: %d, want %d", field, m.Status, want)
		}
	}
	if m := exchange(t, proxy, "CONNECT", "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"); m.Status != 407 {
		t.Errorf("CONNECT: %d", m.Status)
	}
}

func TestRefusalPage(t *testing.T) {
	why := &Refusal{
		Status: http.StatusGatewayTimeout, Title: "Nobody has <this>", Hint: "try \x1b[31m later",
		Tried: []string{"origin: <script>alert(1)</script>", "cache: nothing"},
	}
	_, proxy := start(t, func(c *Config) {
		c.Resolver = resolverFunc(func(r *http.Request, _ Inform) (*http.Response, error) {
			if r.URL.Path == "/other" {
				return nil, errors.New("plain")
			}
			return nil, fmt.Errorf("asking: %w", why)
		})
	})
	get := func(path, accept string) message {
		return exchange(t, proxy, "GET", "GET http://a.example"+path+" HTTP/1.1\r\nHost: a.example\r\nAccept: "+accept+"\r\n\r\n")
	}
	m := get("/?q=<b>", "text/html,*/*")
	for _, part := range []string{"&lt;script&gt;", "Nobody has &lt;this&gt;", "cache: nothing", "/?q=&lt;b&gt;"} {
		if !strings.Contains(m.Body, part) {
			t.Errorf("the page lacks %q:\n%s", part, m.Body)
		}
	}
	if m.Status != 504 || strings.Contains(m.Body, "<script") || m.Header.Get("Cache-Control") != "no-store" || m.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("%+v", m)
	}
	m = get("/", "image/png")
	if !strings.HasPrefix(m.Header.Get("Content-Type"), "text/plain") || strings.Contains(m.Body, "\x1b") || !strings.Contains(m.Body, "nt: tried cache: nothing\n") {
		t.Errorf("text page %+v", m)
	}
	if m = get("/other", "*/*"); m.Status != 502 {
		t.Errorf("an untyped error gave %d", m.Status)
	}
}

func TestLocalPages(t *testing.T) {
	_, proxy := start(t, nil)
	port := portOf(proxy)
	for _, c := range []struct {
		request, host string
		status        int
	}{
		{"GET /proxy.pac", proxy, 200}, {"GET /", "localhost:" + port, 200}, {"HEAD /", proxy, 200}, {"GET /x", proxy, 404}, {"POST /", proxy, 405},
		{"GET /proxy.pac", "evil.example:" + port, 403}, {"GET /", "evil.example", 403}, {"GET /", "127.0.0.1:1", 403}, {"OPTIONS *", proxy, 404},
	} {
		method, _, _ := strings.Cut(c.request, " ")
		m := exchange(t, proxy, method, c.request+" HTTP/1.1\r\nHost: "+c.host+"\r\n\r\n")
		if m.Status != c.status {
			t.Errorf("%s for %s: %d, want %d", c.request, c.host, m.Status, c.status)
		}
		if c.request == "GET /proxy.pac" && c.status == 200 && (!strings.Contains(m.Body, "PROXY "+proxy+"; DIRECT") ||
			m.Header.Get("Content-Type") != "application/x-ns-proxy-autoconfig") {
			t.Errorf("PAC: %+v", m)
		}
	}
}

func TestMaxForwards(t *testing.T) {
	got := make(chan string, 1)
	origin := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) { got <- r.RequestURI + " " + r.Header.Get("Max-Forwards") })
	_, proxy := start(t, nil)
	ask := func(method, n string) int {
		return exchange(t, proxy, method, method+" http://"+origin+" HTTP/1.1\r\nHost: "+origin+"\r\nMax-Forwards: "+n+"\r\n\r\n").Status
	}
	if s := ask("OPTIONS", "0"); s != 200 {
		t.Errorf("OPTIONS 0: %d", s)
	}
	if s := ask("TRACE", "0"); s != 405 {
		t.Errorf("TRACE 0: %d", s)
	}
	if s := ask("OPTIONS", "-1"); s != 400 {
		t.Errorf("OPTIONS -1: %d", s)
	}
	if s := ask("TRACE", "3"); s != 200 || <-got != "/ 2" {
		t.Errorf("TRACE 3: %d", s)
	}
}

func TestRow42_SlowHeadsAndFullHouse(t *testing.T) {
	_, proxy := start(t, func(c *Config) { c.HeadTimeout = 50 * time.Millisecond; c.MaxConns = 2 })
	a, b := dial(t, proxy), dial(t, proxy)
	io.WriteString(a, "GET / HT")
	io.WriteString(b, "GET / HTTP/1.1\r\nX: ")
	// The third waits for a place; the first two lose theirs to the head timeout.
	if m := exchange(t, proxy, "GET", "GET / HTTP/1.1\r\nHost: "+proxy+"\r\n\r\n"); m.Status != 200 {
		t.Errorf("the third reader got %d", m.Status)
	}
}

func TestShutdownDrains(t *testing.T) {
	release, asked := make(chan struct{}), make(chan struct{})
	origin := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-release
		io.WriteString(w, "done")
	})
	s, proxy := start(t, nil)
	body := make(chan string, 1)
	go func() {
		res, err := client(t, proxy).Get("http://" + origin + "/")
		if err != nil {
			body <- err.Error()
			return
		}
		b, _ := io.ReadAll(res.Body)
		body <- string(b)
	}()
	<-asked
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(context.Background()) }()
	close(release)
	if got := <-body; got != "done" {
		t.Errorf("the running request ended with %q", got)
	}
	if err := <-down; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// TestRow24_ForbiddenAddressesGet403: the dialer decides, for every way out.
func TestRow24_ForbiddenAddressesGet403(t *testing.T) {
	errRule := errors.New("not a public address")
	_, proxy := start(t, func(c *Config) {
		c.Dial = func(context.Context, string, string) (net.Conn, error) {
			return nil, fmt.Errorf("dialling: %w", errRule)
		}
		c.Forbidden = func(err error) bool { return errors.Is(err, errRule) }
	})
	for _, request := range []string{
		"GET http://10.0.0.1/ HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n",
		"POST http://10.0.0.1/ HTTP/1.1\r\nHost: 10.0.0.1\r\nContent-Length: 1\r\n\r\nx",
		"CONNECT 10.0.0.1:443 HTTP/1.1\r\nHost: 10.0.0.1:443\r\n\r\n",
		"GET http://10.0.0.1/ HTTP/1.1\r\nHost: 10.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
	} {
		if m := exchange(t, proxy, "GET", request); m.Status != http.StatusForbidden {
			t.Errorf("%.20q: %d, want 403", request, m.Status)
		}
	}
}

// TestOriginFailuresHaveTheirStatus: refused is 502, too slow is 504.
func TestOriginFailuresHaveTheirStatus(t *testing.T) {
	for want, dialErr := range map[int]error{502: io.EOF, 504: os.ErrDeadlineExceeded} {
		_, proxy := start(t, func(c *Config) {
			c.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, dialErr }
		})
		if m := exchange(t, proxy, "GET", "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"); m.Status != want {
			t.Errorf("%v: %d, want %d", dialErr, m.Status, want)
		}
	}
}

// TestPipelinedRequests: the answers come in order, the refusal of a bad request
// behind those of the good ones before it.
func TestPipelinedRequests(t *testing.T) {
	origin := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, io.MultiReader(strings.NewReader(r.URL.Path), r.Body))
	})
	_, proxy := start(t, nil)
	conn := dial(t, proxy)
	fmt.Fprintf(conn, "GET http://%[1]s/a HTTP/1.1\r\nHost: %[1]s\r\n\r\nPOST http://%[1]s/b HTTP/1.1\r\nHost: %[1]s\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxy\r\n0\r\n\r\n"+
		"GET http://%[1]s/c HTTP/1.1\nHost: %[1]s\r\n\r\n", origin)
	br := bufio.NewReader(conn)
	for _, want := range []string{"/a", "/bxy"} {
		if m, err := readMessage(br, "GET"); err != nil || m.Status != 200 || m.Body != want {
			t.Fatalf("%+v, %v; want %q", m, err, want)
		}
	}
	if m, err := readMessage(br, "GET"); err != nil || m.Status != 400 {
		t.Errorf("%+v, %v; want 400", m, err)
	}
}

// TestRow42_AReaderThatTakesNothingIsCut: it must not hold a connection for ever.
func TestRow42_AReaderThatTakesNothingIsCut(t *testing.T) {
	ended := make(chan struct{})
	origin := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, &zeros{1 << 40})
		close(ended)
	})
	_, proxy := start(t, func(c *Config) { c.StallTimeout = 50 * time.Millisecond })
	conn := dial(t, proxy)
	fmt.Fprintf(conn, "GET http://%s/ HTTP/1.1\r\nHost: %s\r\n\r\n", origin, origin)
	<-ended
}

// TestRow42_AReaderThatSendsNothingIsCut: nor one that announced a body.
func TestRow42_AReaderThatSendsNothingIsCut(t *testing.T) {
	origin := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	_, proxy := start(t, func(c *Config) { c.StallTimeout = 50 * time.Millisecond })
	conn := dial(t, proxy)
	fmt.Fprintf(conn, "POST http://%s/ HTTP/1.1\r\nHost: %s\r\nContent-Length: 10\r\n\r\nhalf", origin, origin)
	br := bufio.NewReader(conn)
	if m, err := readMessage(br, "POST"); err == nil && m.Status < 400 {
		t.Errorf("half a body was answered with %d", m.Status)
	}
	if _, err := br.ReadByte(); err == nil {
		t.Error("the connection is still open")
	}
}
