package peer

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"nt/peer/origin"
)

func TestN19_N5_RequestsReachTheOriginAsTheyAre(t *testing.T) {
	var got *http.Request
	var body []byte
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(207)
	})
	r := newRig(t)
	for _, m := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"} {
		hr, _ := http.NewRequest(m, s.URL+"/a%2Fb/../c?x=1&&y", nil)
		if m == "POST" || m == "PUT" {
			hr, _ = http.NewRequest(m, s.URL+"/a%2Fb/../c?x=1&&y", strings.NewReader("data"))
		}
		hr.Header = http.Header{"Cookie": {"a=b"}, "User-Agent": {"test"}, "X-Own": {"1", "2"}}
		hr.Host = "virtual.test"
		resp, err := r.node.Do(t.Context(), Request{HTTP: hr})
		if err != nil {
			t.Fatal(m, err)
		}
		resp.Body.Close()
		if got.Method != m || got.RequestURI != "/a%2Fb/../c?x=1&&y" || got.Host != "virtual.test" || got.Header.Get("Cookie") != "a=b" ||
			len(got.Header["X-Own"]) != 2 || resp.Status != 207 {
			t.Errorf("%s: the origin saw %s %s %s %v", m, got.Method, got.RequestURI, got.Host, got.Header)
		}
		if (m == "POST" || m == "PUT") != (string(body) == "data") {
			t.Errorf("%s: body %q", m, body)
		}
	}
}

func TestN20_RedirectsReachTheReader(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/new", http.StatusFound) })
	r := newRig(t)
	res, err := r.get(s.URL + "/old")
	if err != nil || res.Status != 302 || res.Header.Get("Location") != "/new" || s.count() != 1 {
		t.Errorf("%v %v, %d requests", res.Response, err, s.count())
	}
}

func TestHealthyAnswersKeepTheirFieldsTrailersAndLength(t *testing.T) {
	body := pattern(200_000)
	for _, cookie := range []bool{false, true} { // through a fill, and straight
		s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			w.Header().Set("X-Custom", "1")
			w.Header().Set("Date", "Mon, 02 Jan 2006 15:04:05 GMT")
			w.Header().Set("Content-Type", "text/plain")
			w.Write(body)
			w.Header().Set("X-Sum", "42")
		})
		r := newRig(t)
		var change []func(*Request)
		if cookie {
			change = append(change, field("Cookie", "a=b"))
		}
		resp := r.open(s.URL+"/p", change...)
		if _, announced := resp.Trailer["X-Sum"]; !announced || resp.ContentLength != -1 {
			t.Errorf("cookie %v: trailer %v, length %d", cookie, resp.Trailer, resp.ContentLength)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		want := http.Header{"X-Custom": {"1"}, "Date": {"Mon, 02 Jan 2006 15:04:05 GMT"}, "Content-Type": {"text/plain"}}
		if err != nil || !bytes.Equal(got, body) || resp.Trailer.Get("X-Sum") != "42" || len(resp.Header) != len(want) {
			t.Errorf("cookie %v: %d bytes, %v, trailer %v, header %v", cookie, len(got), err, resp.Trailer, resp.Header)
		}
	}
}

func TestInformationalAnswersReachTheReader(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Write([]byte("page"))
	})
	r := newRig(t)
	var hints []int
	r.mustGet(s.URL+"/p", []byte("page"), SourceOrigin, func(q *Request) {
		q.Informational = func(status int, h textproto.MIMEHeader) error { hints = append(hints, status); return nil }
	})
	if len(hints) != 1 || hints[0] != 103 {
		t.Errorf("1xx answers %v", hints)
	}
}

func TestUpgradePassesThrough(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+r.Header.Get("Upgrade")+"\r\n\r\n")
		line, _ := rw.ReadString('\n')
		io.WriteString(c, "echo "+line)
	})
	r := newRig(t)
	resp := r.open(s.URL+"/ws", field("Connection", "Upgrade"), field("Upgrade", "test"))
	defer resp.Body.Close()
	rw, ok := resp.Body.(io.ReadWriteCloser)
	if resp.Status != 101 || !ok || resp.Header.Get("Upgrade") != "test" {
		t.Fatalf("status %d, %v, can write: %v", resp.Status, resp.Header, ok)
	}
	io.WriteString(rw, "hello\n")
	if got, err := io.ReadAll(rw); string(got) != "echo hello\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestBodyOfAPersonalAnswerThatBreaksOffIsNotShort(t *testing.T) {
	body := pattern(1000)
	for _, chunked := range []bool{false, true} {
		s := newSite(t, breaking(body, 500, chunked, nil))
		r := newRig(t)
		res, err := r.get(s.URL+"/p", field("Cookie", "a=b"))
		if err != nil || !errors.Is(res.err, io.ErrUnexpectedEOF) {
			t.Errorf("chunked %v: %v, %v", chunked, err, res.err)
		}
	}
}

func TestEndlessStreamsAreNotStored(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Write([]byte("data: 1\n\n"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	r := newRig(t, soonStalled)
	resp := r.open(s.URL + "/events")
	if _, err := io.ReadFull(resp.Body, make([]byte, 9)); err != nil {
		t.Fatal(err)
	}
	if used, _ := r.cfg.Store.Usage(); used != 0 {
		t.Errorf("%d bytes stored", used)
	}
	resp.Body.Close()
}

func TestReaderWhoLeavesEndsTheRequest(t *testing.T) {
	asked, gone := make(chan struct{}), make(chan struct{})
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
		close(gone)
	})
	r := newRig(t)
	ctx, cancel := contextWithCause(t)
	go func() { <-asked; cancel(errUnreachable) }()
	hr, _ := http.NewRequest("GET", s.URL, nil)
	if _, err := r.node.Do(ctx, Request{HTTP: hr}); !errors.Is(err, errUnreachable) {
		t.Errorf("error %v, want the cause", err)
	}
	<-gone
}

func TestDeadlineWithADeadOriginIsNoSource(t *testing.T) {
	r := newRig(t, hasty)
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, never answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := contextWithTimeout(t, 300*time.Millisecond)
	defer cancel()
	hr, _ := http.NewRequest("GET", "http://"+l.Addr().String(), nil)
	if _, err := r.node.Do(ctx, Request{HTTP: hr}); !errors.Is(err, ErrNoSource) {
		t.Errorf("error %v, want ErrNoSource", err)
	}
}

func TestBadRequests(t *testing.T) {
	r := newRig(t)
	for _, u := range []string{"", "/relative", "mailto:x"} {
		hr, _ := http.NewRequest("GET", u, nil)
		if _, err := r.node.Do(t.Context(), Request{HTTP: hr}); !errors.Is(err, ErrBadRequest) {
			t.Errorf("%q: %v", u, err)
		}
	}
	if _, err := r.node.Do(t.Context(), Request{}); !errors.Is(err, ErrBadRequest) {
		t.Error(err)
	}
	r.node.Close()
	hr, _ := http.NewRequest("GET", "http://a.test", nil)
	if _, err := r.node.Do(t.Context(), Request{HTTP: hr}); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestForbiddenAddressNeverFallsBack(t *testing.T) {
	own := errors.New("private")
	r := newRig(t, func(c *Config) {
		c.Origin = origin.New(origin.Config{Forbidden: func(error) bool { return true }, DialContext: failingDial(own)})
	})
	r.publish("http://a.test/p", []byte("x"), nil, testKey(9))
	if _, err := r.get("http://a.test/p"); !errors.Is(err, origin.ErrForbidden) || r.locator.asked() != 0 {
		t.Errorf("error %v, %d lookups", err, r.locator.asked())
	}
}
