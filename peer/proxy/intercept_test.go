package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"nt/peer/intercept"
)

// secureSite is an HTTPS origin behind an intercepting proxy, with a reader's client
// that knows the proxy's authority and nothing else.
type secureSite struct {
	origin *httptest.Server
	host   string // as CONNECT names it
	proxy  string
	server *Server
	judge  *intercept.Judge
	roots  *x509.CertPool
}

type direct struct{ t *http.Transport }

func (d direct) Resolve(r *http.Request, _ Inform) (*http.Response, error) { return d.t.RoundTrip(r) }

func startSecure(t *testing.T, h http.HandlerFunc, change func(*intercept.Config), also ...string) *secureSite {
	t.Helper()
	x := &secureSite{origin: httptest.NewUnstartedServer(h)}
	x.origin.EnableHTTP2 = true
	x.origin.StartTLS()
	t.Cleanup(x.origin.Close)
	x.host = x.origin.Listener.Addr().String()
	a, err := intercept.Create(time.Now(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	x.roots = x509.NewCertPool()
	x.roots.AddCert(a.Cert)
	origins := x509.NewCertPool()
	origins.AddCert(x.origin.Certificate())
	cfg := intercept.Config{Authority: a, Dial: new(net.Dialer).DialContext, Roots: origins}
	if change != nil {
		change(&cfg)
	}
	x.judge = intercept.New(cfg)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: origins}, ForceAttemptHTTP2: true, DisableCompression: true}
	t.Cleanup(tr.CloseIdleConnections)
	x.server, x.proxy = start(t, func(c *Config) {
		for _, addr := range append(also, x.host) {
			before := c.ConnectPorts
			allowPort(t, addr)(c)
			c.ConnectPorts = append(c.ConnectPorts, before...)
		}
		c.Intercept, c.Resolver, c.TLS = x.judge, direct{tr}, &tls.Config{RootCAs: origins}
	})
	return x
}

func (x *secureSite) client(t *testing.T, http2 bool, roots *x509.CertPool) *http.Client {
	tr := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: x.proxy}), TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: http2}
	if !http2 {
		tr.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func TestInterceptedRequests(t *testing.T) {
	x := startSecure(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["X-Proto"] = []string{r.Proto}
		w.Header()["X-Seen"] = []string{r.Method + " " + r.Host + " " + r.RequestURI + " " + r.Header.Get("Cookie")}
		w.Header()["Via-Seen"] = r.Header["Via"]
		io.Copy(w, r.Body)
	}, nil)
	for _, http2 := range []bool{false, true} {
		c := x.client(t, http2, x.roots)
		for _, method := range []string{"GET", "POST", "PUT", "HEAD", "DELETE"} {
			body := ""
			if method == "POST" || method == "PUT" {
				body = strings.Repeat("b", 100_000)
			}
			req, _ := http.NewRequest(method, "https://"+x.host+"/a%20b/c?d=%7C", strings.NewReader(body))
			req.Header.Set("Cookie", "k=v")
			res, err := c.Do(req)
			if err != nil {
				t.Fatalf("%s over HTTP/2 %v: %v", method, http2, err)
			}
			got, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || res.StatusCode != 200 || method != "HEAD" && string(got) != body {
				t.Errorf("%s: %d, %d bytes, %v", method, res.StatusCode, len(got), err)
			}
			if want := method + " " + x.host + " /a%20b/c?d=%7C k=v"; res.Header.Get("X-Seen") != want {
				t.Errorf("the origin saw %q, want %q", res.Header.Get("X-Seen"), want)
			}
			if via := res.Header["Via-Seen"]; len(via) != 1 || !strings.HasPrefix(via[0], fmt.Sprintf("%d.", res.ProtoMajor)) {
				t.Errorf("Via %q to a reader of %s", via, res.Proto)
			}
			if res.ProtoMajor == 2 != http2 || res.Header.Get("X-Proto") != "HTTP/2.0" {
				t.Errorf("%s to the reader, %s to the origin", res.Proto, res.Header.Get("X-Proto"))
			}
			if res.TLS.PeerCertificates[0].Equal(x.origin.Certificate()) {
				t.Error("the tunnel was not intercepted")
			}
		}
	}
}

// TestInterceptedIsForOneHost: what comes in a tunnel cannot be for somebody else, and
// is held to the same strict grammar.
func TestInterceptedIsForOneHost(t *testing.T) {
	x := startSecure(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RequestURI) }, nil)
	ask := func(raw string) message {
		c := dial(t, x.proxy)
		fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", x.host, x.host)
		br := bufio.NewReader(c)
		if m, err := readMessage(br, "HEAD"); err != nil || m.Status != 200 {
			t.Fatalf("%d, %v", m.Status, err)
		}
		conn := tls.Client(c, &tls.Config{RootCAs: x.roots, ServerName: "127.0.0.1"})
		if err := conn.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, raw)
		m, err := readMessage(bufio.NewReader(conn), "GET")
		if err != nil {
			t.Fatalf("%.60q: %v", raw, err)
		}
		return m
	}
	for raw, want := range map[string]int{
		"GET / HTTP/1.1\r\nHost: HOST\r\n\r\n":                                                             200,
		"GET / HTTP/1.1\r\nHost: other.example\r\n\r\n":                                                    421,
		"GET https://other.example/ HTTP/1.1\r\nHost: other.example\r\n\r\n":                               421,
		"GET https://HOST/ HTTP/1.1\r\nHost: HOST\r\n\r\n":                                                 400,
		"CONNECT HOST HTTP/1.1\r\nHost: HOST\r\n\r\n":                                                      400,
		"GET / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": 400,
		"GET / HTTP/1.1\nHost: HOST\n\n":                                                                   400,
		"GET / HTTP/1.1\r\nHost: HOST\r\n folded\r\n\r\n":                                                  400,
		"GET / HTTP/1.1\r\nHost: HOST\r\nVia: 1.1 " + x.server.name + "\r\n\r\n":                           508,
	} {
		if m := ask(strings.ReplaceAll(raw, "HOST", x.host)); m.Status != want {
			t.Errorf("%.60q: %d, want %d", raw, m.Status, want)
		}
	}
}

// TestInterceptionFallsBack: a reader that does not take our certificate has the origin's
// own the next time, and so has one whose tunnel carries no TLS.
func TestInterceptionFallsBack(t *testing.T) {
	x := startSecure(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }, nil)
	onlyOrigin := x509.NewCertPool()
	onlyOrigin.AddCert(x.origin.Certificate())
	pinned := x.client(t, true, onlyOrigin)
	if _, err := pinned.Get("https://" + x.host + "/"); err == nil {
		t.Fatal("our certificate was taken by a client that does not know the authority")
	}
	var res *http.Response
	var err error
	for range 100 { // the proxy may hear of the refusal a moment later
		if res, err = pinned.Get("https://" + x.host + "/"); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil || !res.TLS.PeerCertificates[0].Equal(x.origin.Certificate()) {
		t.Fatalf("the second attempt: %v", err)
	}
	res.Body.Close()
}

func TestTunnelsWithoutTLSAreLeftAlone(t *testing.T) {
	echo := rawOrigin(t, func(c net.Conn, br *bufio.Reader) { io.Copy(c, br) })
	a, err := intercept.Create(time.Now(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, proxy := start(t, func(c *Config) {
		allowPort(t, echo)(c)
		c.Intercept = always{intercept.New(intercept.Config{Authority: a, Dial: c.Dial})}
	})
	c := dial(t, proxy)
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", echo, echo)
	br := bufio.NewReader(c)
	if m, err := readMessage(br, "HEAD"); err != nil || m.Status != 200 {
		t.Fatalf("%d, %v", m.Status, err)
	}
	io.WriteString(c, "SSH-2.0-nt\r\n")
	if line, err := br.ReadString('\n'); err != nil || line != "SSH-2.0-nt\r\n" {
		t.Errorf("%q, %v", line, err)
	}
}

// always intercepts, whatever the origin is.
type always struct{ *intercept.Judge }

func (always) Intercept(context.Context, string, uint16) *tls.Config { return &tls.Config{} }

// TestInterceptedWebSocket: an upgrade inside an intercepted tunnel is passed on.
func TestInterceptedWebSocket(t *testing.T) {
	x := startSecure(t, func(w http.ResponseWriter, r *http.Request) {
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		io.Copy(conn, buf)
	}, nil)
	c := dial(t, x.proxy)
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", x.host, x.host)
	if m, err := readMessage(bufio.NewReader(c), "HEAD"); err != nil || m.Status != 200 {
		t.Fatalf("%d, %v", m.Status, err)
	}
	conn := tls.Client(c, &tls.Config{RootCAs: x.roots, ServerName: "127.0.0.1", NextProtos: []string{"http/1.1"}})
	fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", x.host)
	br := bufio.NewReader(conn)
	m, err := readMessage(br, "GET")
	if err != nil || m.Status != 101 {
		t.Fatalf("%d %v, %v", m.Status, m.Header, err)
	}
	io.WriteString(conn, "frame\n")
	if line, err := br.ReadString('\n'); err != nil || line != "frame\n" {
		t.Errorf("%q, %v", line, err)
	}
}

// TestInterceptedBrokenEscape: a "%" that begins no escape reaches the origin as it is.
func TestInterceptedBrokenEscape(t *testing.T) {
	some := httptest.NewTLSServer(nil) // they all have one certificate
	cert := some.TLS.Certificates[0]
	some.Close()
	raw := rawOrigin(t, func(c net.Conn, _ *bufio.Reader) {
		conn := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
		line, _ := bufio.NewReader(conn).ReadString('\n')
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(line), line)
	})
	x := startSecure(t, nil, nil, raw)
	c := dial(t, x.proxy)
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", raw, raw)
	if m, err := readMessage(bufio.NewReader(c), "HEAD"); err != nil || m.Status != 200 {
		t.Fatalf("%d, %v", m.Status, err)
	}
	conn := tls.Client(c, &tls.Config{RootCAs: x.roots, ServerName: "127.0.0.1"})
	fmt.Fprintf(conn, "GET /100%%?a=%%zz HTTP/1.1\r\nHost: %s\r\n\r\n", raw)
	if m, err := readMessage(bufio.NewReader(conn), "GET"); err != nil || m.Body != "GET /100%?a=%zz HTTP/1.1\r\n" {
		t.Errorf("%q, %v", m.Body, err)
	}
}
