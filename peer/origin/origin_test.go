package origin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestClassify(t *testing.T) {
	op := func(err error) error {
		return &net.OpError{Op: "dial", Err: &os.SyscallError{Syscall: "connect", Err: err}}
	}
	for _, c := range []struct {
		name   string
		status int
		err    error
		want   Verdict
		reason string
	}{
		{name: "ok", status: 200, want: Answer}, {name: "redirect", status: 302, want: Answer}, {name: "not modified", status: 304, want: Answer},
		{name: "forbidden", status: 403, want: Answer}, {name: "missing", status: 404, want: Answer}, {name: "gone", status: 410, want: Answer},
		{name: "legal", status: 451, want: Answer}, {name: "too many", status: 429, want: Answer}, {name: "broken", status: 500, want: Answer},
		{name: "upgrade", status: 101, want: Answer}, {name: "bad gateway", status: 502, want: Down}, {name: "unavailable", status: 503, want: Down},
		{name: "gateway timeout", status: 504, want: Down}, {name: "insufficient storage", status: 507, want: Answer},
		{name: "refused", err: op(syscall.ECONNREFUSED), want: Down, reason: "connection refused"},
		{name: "reset", err: op(syscall.ECONNRESET), want: Down, reason: "connection reset"},
		{name: "no route", err: op(syscall.EHOSTUNREACH), want: Down, reason: "no route to it"},
		{name: "no network", err: op(syscall.ENETUNREACH), want: Down, reason: "no route to it"},
		{name: "timeout", err: op(os.ErrDeadlineExceeded), want: Down, reason: "timed out"},
		{name: "cut header", err: io.ErrUnexpectedEOF, want: Down, reason: "connection reset"},
		{name: "no name", err: &net.DNSError{IsNotFound: true}, want: Down, reason: "its name does not resolve"},
		{name: "no resolver", err: &net.DNSError{IsTimeout: true}, want: Down, reason: "name lookup failed"},
		{name: "certificate", err: fmt.Errorf("%w: x", ErrTLS), want: Refuse, reason: "its TLS certificate or handshake is bad"},
		{name: "forbidden address", err: fmt.Errorf("%w: x", ErrForbidden), want: Refuse, reason: "its address is not allowed here"},
		{name: "malformed", err: errors.New("malformed HTTP response"), want: Down, reason: "no usable answer"},
	} {
		if got := Classify(c.status, c.err); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if c.err != nil && reason(c.err) != c.reason {
			t.Errorf("%s: reason %q, want %q", c.name, reason(c.err), c.reason)
		}
	}
}

func TestRow7_HandshakeFaultsAreRefused(t *testing.T) {
	for _, c := range []struct {
		name  string
		url   func(t *testing.T) string
		roots bool
		want  Verdict
	}{
		{name: "unknown authority", url: tlsSite(nil), want: Refuse},
		{name: "wrong name", roots: true, want: Refuse, url: func(t *testing.T) string {
			return strings.Replace(tlsSite(nil)(t), "127.0.0.1", "localhost", 1)
		}},
		{name: "no common version", roots: true, want: Refuse, url: tlsSite(&tls.Config{MaxVersion: tls.VersionTLS11})},
		{name: "client certificate wanted", roots: true, want: Refuse, url: tlsSite(&tls.Config{ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12})},
		{name: "plain HTTP behind the port", roots: true, want: Refuse, url: func(t *testing.T) string {
			s := httptest.NewServer(http.NotFoundHandler())
			t.Cleanup(s.Close)
			return strings.Replace(s.URL, "http:", "https:", 1)
		}},
		{name: "closed in the handshake", want: Down, url: func(t *testing.T) string {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			go func() {
				if c, err := l.Accept(); err == nil {
					c.Close()
				}
			}()
			return "https://" + l.Addr().String()
		}},
		{name: "silent in the handshake", want: Down, url: func(t *testing.T) string {
			l, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts, nobody speaks
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			return "https://" + l.Addr().String()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := c.url(t)
			cfg := Config{}
			if c.roots {
				cfg.TLS = &tls.Config{RootCAs: testRoots(t)}
			}
			if c.want == Down {
				cfg.ConnectTimeout = 100 * time.Millisecond
			} else {
				cfg.ConnectTimeout = time.Minute
			}
			client := New(cfg)
			defer client.Close()
			_, err := client.Do(t.Context(), request(t, url))
			var oe *Error
			if !errors.As(err, &oe) || oe.Verdict != c.want || IsTLS(err) != (c.want == Refuse) {
				t.Fatalf("error %v, want verdict %s", err, c.want)
			}
		})
	}
}

// testRoots are what the httptest server's certificate is signed by.
func testRoots(t *testing.T) *x509.CertPool {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return pool
}

func tlsSite(cfg *tls.Config) func(*testing.T) string {
	return func(t *testing.T) string {
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.TLS = cfg
		s.StartTLS()
		t.Cleanup(s.Close)
		return s.URL
	}
}

func request(t *testing.T, url string) *http.Request {
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestHTTP2IsUsedWhereItIsOffered(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	client := New(Config{TLS: &tls.Config{RootCAs: testRoots(t)}})
	defer client.Close()
	resp, err := client.Do(t.Context(), request(t, s.URL))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); string(b) != "HTTP/2.0" {
		t.Errorf("spoke %s", b)
	}
}

func TestN19_TheReadersFieldsReachTheOrigin(t *testing.T) {
	var got http.Header
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got = r.Header.Clone() }))
	defer s.Close()
	client := New(Config{})
	defer client.Close()
	sent := http.Header{
		"User-Agent": {"Mozilla/5.0 (test)"}, "Accept": {"text/html"}, "Accept-Language": {"de"}, "Accept-Encoding": {"br;q=1, gzip"},
		"Cookie": {"a=b"}, "Referer": {"http://else.test/"}, "If-None-Match": {`"x"`}, "Range": {"bytes=0-5"}, "X-Own": {"1", "2"}, "Dnt": {"1"},
	}
	for _, change := range []func(http.Header){func(http.Header) {}, func(h http.Header) { h.Del("User-Agent"); h.Del("Accept-Encoding") }} {
		change(sent)
		r := request(t, s.URL)
		r.Header = sent.Clone()
		for _, f := range [][2]string{{"Connection", "keep-alive, X-Hop"}, {"X-Hop", "x"}, {"Proxy-Connection", "keep-alive"},
			{"Proxy-Authorization", "Basic eDp5"}, {"Keep-Alive", "timeout=5"}, {"Te", "trailers, gzip"}} {
			r.Header.Set(f[0], f[1])
		}
		before := r.Header.Clone()
		resp, err := client.Do(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		want := sent.Clone()
		want.Set("Te", "trailers")
		if !reflect.DeepEqual(got, want) {
			t.Errorf("the origin saw\n%v, want\n%v", got, want)
		}
		if !reflect.DeepEqual(r.Header, before) {
			t.Error("the reader's request was changed")
		}
	}
}

func TestN20_AnswersComeBackAsTheyAre(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("Connection", "X-Hop")
		w.Header().Set("X-Hop", "1")
		w.WriteHeader(302)
		io.WriteString(w, "moved")
	}))
	defer s.Close()
	client := New(Config{})
	defer client.Close()
	resp, err := client.Do(t.Context(), request(t, s.URL))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 302 || resp.Header.Get("Location") != "/elsewhere" || resp.Header.Get("Set-Cookie") != "a=b" || string(b) != "moved" || resp.Header.Get("X-Hop") != "" {
		t.Errorf("%d %v %q", resp.StatusCode, resp.Header, b)
	}
}

func TestForbiddenAddressIsNotAnOutage(t *testing.T) {
	own := errors.New("private address")
	client := New(Config{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, own },
		Forbidden:   func(err error) bool { return errors.Is(err, own) },
	})
	defer client.Close()
	_, err := client.Do(t.Context(), request(t, "http://192.0.2.1/"))
	var oe *Error
	if !errors.As(err, &oe) || oe.Verdict != Refuse || !errors.Is(err, ErrForbidden) || IsTLS(err) {
		t.Errorf("error %v", err)
	}
}

func TestEndedContextIsNotAnOutage(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer s.Close()
	client := New(Config{})
	defer client.Close()
	why := errors.New("the reader left")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := client.Do(ctx, request(t, s.URL)); !errors.Is(err, why) {
		t.Errorf("error %v, want the cause", err)
	}
}

func TestPostBodyIsSentAsItIs(t *testing.T) {
	for _, length := range []int64{5, -1, 0} {
		var got string
		var chunked bool
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			got, chunked = string(b), len(r.TransferEncoding) > 0
		}))
		client := New(Config{})
		body := "hello"[:max(length, -5*length)]
		r, _ := http.NewRequest("POST", s.URL, io.NopCloser(strings.NewReader(body)))
		r.ContentLength = length
		resp, err := client.Do(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got != body || chunked != (length < 0) {
			t.Errorf("length %d: %q, chunked %v", length, got, chunked)
		}
		client.Close()
		s.Close()
	}
}
