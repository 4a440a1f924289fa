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
	"os"
	"strings"
	"testing"
	"time"
)

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

// TestRow28_AnOriginInjectsNothing: whatever an origin hides in its fields, the reader
// gets one response with lines of our own.
func TestRow28_AnOriginInjectsNothing(t *testing.T) {
	for _, field := range []string{"X-A: a\rX-Evil: 1", "X-A: a\r\r\nX-B: c", "X-A: a\n X-Evil: 1", "X-A: a\x00b", "X\x00A: b", "X A: b", ": b", "X-A: a\r\n\r X-Evil: 1"} {
		origin := rawOrigin(t, func(c net.Conn, br *bufio.Reader) {
			readRequest(br)
			io.WriteString(c, "HTTP/1.1 200 OK\r\n"+field+"\r\nContent-Length: 2\r\n\r\nok")
		})
		_, proxy := start(t, nil)
		conn := dial(t, proxy)
		fmt.Fprintf(conn, "GET http://%s/ HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", origin, origin)
		all, err := io.ReadAll(conn)
		if err != nil {
			t.Fatal(err)
		}
		head, _, _ := strings.Cut(string(all), "\r\n\r\n")
		for line := range strings.SplitSeq(head, "\r\n") {
			if strings.ContainsAny(line, "\r\n") || strings.HasPrefix(line, "X-Evil") {
				t.Errorf("%q became the line %q", field, line)
			}
		}
	}
}
