package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
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
// TestOriginFailuresHaveTheirStatus: refused is 502, too slow is 504.
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
// TestRow42_AReaderThatSendsNothingIsCut: nor one that announced a body.
