package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// allowPort lets CONNECT reach a test's server.
func allowPort(t testing.TB, addr string) func(*Config) {
	ap := net.TCPAddr{}
	if _, err := fmt.Sscanf(portOf(addr), "%d", &ap.Port); err != nil {
		t.Fatal(err)
	}
	return func(c *Config) { c.ConnectPorts = []uint16{443, uint16(ap.Port)} }
}

func TestConnectCarriesTLS(t *testing.T) {
	origin := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
	}))
	defer origin.Close()
	u, _ := url.Parse(origin.URL)
	_, proxy := start(t, allowPort(t, u.Host))
	tr := origin.Client().Transport.(*http.Transport).Clone()
	tr.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: proxy})
	defer tr.CloseIdleConnections()
	big := strings.Repeat("tunnel", 1<<19) // 3 MiB: many reads
	res, err := (&http.Client{Transport: tr}).Post(origin.URL, "text/plain", strings.NewReader(big))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got, err := io.ReadAll(res.Body); err != nil || string(got) != big {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
	if res.TLS == nil || res.TLS.PeerCertificates[0].Equal(origin.Certificate()) == false {
		t.Error("the certificate is not the origin's own")
	}
}

func TestRow25_ConnectIsRefused(t *testing.T) {
	_, proxy := start(t, func(c *Config) {
		c.Dial = func(context.Context, string, string) (net.Conn, error) {
			t.Error("the proxy dialled")
			return nil, io.EOF
		}
	})
	for target, want := range map[string]int{
		"a.example:22": 403, "a.example:25": 403, "a.example:80": 403, "a.example:0": 403,
		"a.example": 400, "a.example:https": 400, "a.example:99999": 400, ":443": 400,
	} {
		m := exchange(t, proxy, "CONNECT", "CONNECT "+target+" HTTP/1.1\r\nHost: "+target+"\r\n\r\n")
		if m.Status != want {
			t.Errorf("%s: %d, want %d", target, m.Status, want)
		}
	}
}

// TestTunnelHalfClose: each end may finish its half and still hear the other.
func TestTunnelHalfClose(t *testing.T) {
	origin := rawOrigin(t, func(c net.Conn, br *bufio.Reader) {
		all, _ := io.ReadAll(br)
		fmt.Fprintf(c, "heard %q", all)
	})
	_, proxy := start(t, allowPort(t, origin))
	conn := dial(t, proxy)
	// The first bytes do not wait for the answer; that they look like HTTP means nothing.
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\nGET /\n\x00", origin, origin)
	br := bufio.NewReader(conn)
	if m, err := readMessage(br, "HEAD"); err != nil || m.Status != 200 || len(m.Header) > 0 {
		t.Fatalf("%+v, %v", m, err)
	}
	io.WriteString(conn, " more")
	conn.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(br); err != nil || string(got) != `heard "GET /\n\x00 more"` {
		t.Errorf("%q, %v", got, err)
	}
}

func TestTunnelIdleEnds(t *testing.T) {
	closed := make(chan struct{})
	origin := rawOrigin(t, func(c net.Conn, br *bufio.Reader) {
		io.Copy(io.Discard, br)
		close(closed)
	})
	_, proxy := start(t, func(c *Config) {
		allowPort(t, origin)(c)
		c.TunnelTimeout = 30 * time.Millisecond
	})
	conn := dial(t, proxy)
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", origin, origin)
	br := bufio.NewReader(conn)
	if _, err := readMessage(br, "HEAD"); err != nil {
		t.Fatal(err)
	}
	<-closed
	if _, err := br.ReadByte(); err == nil {
		t.Error("the reader's end is still open")
	}
}

// TestTunnelOneWayTrafficIsNotIdle: a tunnel in which only one end talks stays, and
// ends when that one falls silent too. In virtual time.
func TestTunnelOneWayTrafficIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		origin, up := net.Pipe()
		reader, down := net.Pipe()
		ended := make(chan time.Time, 1)
		go func() {
			(&tunnel{idle: time.Hour, up: up, down: down}).run()
			ended <- time.Now()
		}()
		one := make([]byte, 1)
		for range 10 {
			time.Sleep(50 * time.Minute)
			if _, err := origin.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if _, err := reader.Read(one); err != nil {
				t.Fatal(err)
			}
		}
		last := time.Now()
		if silent := (<-ended).Sub(last); silent != time.Hour {
			t.Errorf("the tunnel ended after %v of silence", silent)
		}
	})
}

// TestTunnelSlowWriteLosesNothing: an end that takes its bytes late, but within the idle
// time, gets all of them.
func TestTunnelSlowWriteLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		origin, up := net.Pipe()
		reader, down := net.Pipe()
		go (&tunnel{idle: time.Hour, up: up, down: down}).run()
		time.Sleep(59 * time.Minute)
		origin.Write([]byte("hello"))
		time.Sleep(30 * time.Minute)
		got := make([]byte, 5)
		if _, err := io.ReadFull(reader, got); err != nil || string(got) != "hello" {
			t.Errorf("%q, %v", got, err)
		}
		origin.Close()
		reader.Close()
		synctest.Wait()
	})
}

func TestShutdownCutsTunnels(t *testing.T) {
	origin := rawOrigin(t, func(c net.Conn, br *bufio.Reader) { io.Copy(io.Discard, br) })
	s, proxy := start(t, allowPort(t, origin))
	conn := dial(t, proxy)
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", origin, origin)
	br := bufio.NewReader(conn)
	if _, err := readMessage(br, "HEAD"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); err != context.DeadlineExceeded {
		t.Errorf("Shutdown: %v", err)
	}
	if _, err := br.ReadByte(); err == nil {
		t.Error("the tunnel outlives Shutdown")
	}
}

// TestUpgradePassesThrough: after 101 the bytes go both ways untouched, also those
// sent together with a head and those that look like HTTP.
func TestUpgradePassesThrough(t *testing.T) {
	heads := make(chan string, 1)
	origin := rawOrigin(t, func(c net.Conn, br *bufio.Reader) {
		head, _ := readRequest(br)
		heads <- head
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: abc\r\n\r\nfirst\x00")
		io.Copy(c, br)
	})
	_, proxy := start(t, nil)
	conn := dial(t, proxy)
	fmt.Fprintf(conn, "GET http://%s/ws HTTP/1.1\r\nHost: %s\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n", origin, origin)
	br := bufio.NewReader(conn)
	m, err := readMessage(br, "GET")
	if err != nil || m.Status != 101 || m.Header.Get("Upgrade") != "websocket" || m.Header.Get("Connection") != "Upgrade" ||
		m.Header.Get("Sec-Websocket-Accept") != "abc" {
		t.Fatalf("%+v, %v", m, err)
	}
	if head := <-heads; !strings.Contains(head, "Upgrade: websocket") || !strings.Contains(head, "Connection: Upgrade") {
		t.Errorf("the origin read %q", head)
	}
	const sent = "\x81\x05hello\n\n\x00GET / HTTP/1.1\nX:"
	io.WriteString(conn, sent)
	conn.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(br); err != nil || string(got) != "first\x00"+sent {
		t.Errorf("%q, %v", got, err)
	}
}

func TestUpgradeRefusedByTheOrigin(t *testing.T) {
	seen := make(chan http.Header, 1)
	origin := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header.Clone()
		io.WriteString(w, "no")
	})
	_, proxy := start(t, nil)
	for _, protocol := range []string{"websocket", "h2c"} {
		m := exchange(t, proxy, "GET", fmt.Sprintf("GET http://%s/ HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: %s\r\nHTTP2-Settings: AA\r\n\r\n", origin, origin, protocol))
		if m.Status != 200 || m.Body != "no" {
			t.Errorf("%s: %+v", protocol, m)
		}
		if h := <-seen; h.Get("Http2-Settings") != "" || (h.Get("Upgrade") != "") != (protocol == "websocket") {
			t.Errorf("%s: the origin read %v", protocol, h)
		}
	}
}
