package peer

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"nt/internal/resource"
)

func mustURL(t testing.TB, s string) resource.URL {
	t.Helper()
	u, err := resource.ParseURL(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// newTLSSite has a certificate that nobody trusts.
func newTLSSite(t *testing.T) *httptest.Server {
	s := httptest.NewUnstartedServer(sendText([]byte("forged")))
	s.Config.ErrorLog = quiet()
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// config is the node's that meets it: hasty only where time is the point.
func (d death) config(c *Config) {
	if d.answersLate {
		hasty(c)
	}
}

type death struct {
	name        string
	start       func(t *testing.T) string // returns the origin's URL
	status      int                       // it answers this
	answersLate bool
}

// deaths are the ways in which an origin is down before it answers.
var deaths = []death{
	{name: "refused", start: deadURL},
	{name: "reset", start: func(t *testing.T) string {
		return listen(t, func(c net.Conn) { c.(*net.TCPConn).SetLinger(0); c.Close() })
	}},
	{name: "closed without an answer", start: func(t *testing.T) string {
		return listen(t, func(c net.Conn) { c.Close() })
	}},
	{name: "half a header", start: func(t *testing.T) string {
		return listen(t, func(c net.Conn) { c.Write([]byte("HTTP/1.1 200 OK\r\nContent-")); c.Close() })
	}},
	{name: "silent at first", answersLate: true, start: func(t *testing.T) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select { // later than the patience, and never before a copy was looked for
			case <-time.After(200 * time.Millisecond):
			case <-r.Context().Done():
			}
			w.Write([]byte("late"))
		}))
		t.Cleanup(s.Close)
		return s.URL
	}},
	{name: "502", status: 502, start: answering(502)},
	{name: "503", status: 503, start: answering(503)},
	{name: "504", status: 504, start: answering(504)},
}

func answering(status int) func(*testing.T) string {
	return func(t *testing.T) string {
		return newSite(t, func(w http.ResponseWriter, r *http.Request) { http.Error(w, "gateway", status) }).URL
	}
}

// listen runs serve for every connection.
func listen(t *testing.T, serve func(net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 4096)
			c.Read(buf) // the request
			serve(c)
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return "http://" + l.Addr().String()
}
