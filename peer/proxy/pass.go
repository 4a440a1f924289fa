package proxy

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// outgoing rebuilds the reader's request for the origin: the reader's own fields
// (N19) without the hop-by-hop ones, and our Via. path is the path as the reader
// spelled it.
func (s *Server) outgoing(r *http.Request, path string) *http.Request {
	out := r.WithContext(r.Context())
	out.URL = outgoingURL(r, path)
	out.RequestURI = ""
	out.Close = false
	out.Header = r.Header.Clone()
	up := upgradeOf(out.Header)
	trailers := listHas(out.Header["Te"], "trailers")
	dropHopByHop(out.Header)
	out.Header.Del("Http2-Settings")
	if up != "" {
		out.Header["Connection"] = []string{"Upgrade"}
		out.Header["Upgrade"] = []string{up}
	} else if trailers {
		out.Header["Te"] = []string{"trailers"} // we pass trailers on, so it is our word too
	}
	if _, ok := out.Header["User-Agent"]; !ok {
		out.Header["User-Agent"] = nil // or net/http adds its own
	}
	out.Header["Via"] = append(out.Header["Via"], strconv.Itoa(r.ProtoMajor)+"."+strconv.Itoa(r.ProtoMinor)+" "+s.name)
	return out
}

// outgoingURL makes sure that the origin sees the path as the reader spelled it:
// net/url would write "|" as "%7C".
func outgoingURL(r *http.Request, path string) *url.URL {
	u := *r.URL
	switch {
	case path == "" && r.Method == http.MethodOptions && u.RawQuery == "":
		u.Opaque = "*" // RFC 9112, 3.2.4
	case path == "" || path == u.EscapedPath():
	case len(path) > 1 && path[1] == '/': // "//x" would be taken for a host
		u.Opaque = "//" + u.Host + path
	default:
		u.Opaque = path
	}
	return &u
}

// pass sends the request to the origin and the answer back, both as streams.
func (s *Server) pass(w http.ResponseWriter, r, out *http.Request) {
	body := s.stream(w, out)
	defer body.stop()
	inform := &informer{w: w, r: r}
	res, err := s.transport(out).RoundTrip(out.WithContext(inform.trace()))
	inform.stop()
	if err != nil {
		s.refuse(w, r, s.passRefusal(out.URL.Host, err))
		return
	}
	s.hot.changed(out.Method)
	if i, ok := s.cfg.Resolver.(Invalidator); ok {
		i.Invalidate(out.Method, r.URL, res.StatusCode, res.Header)
	}
	s.write(w, r, res)
}

// transport chooses the connection for a request. One that must not be repeated
// gets a fresh one: on a kept one that the origin happens to close, net/http would
// have to give up where a browser without a proxy asks again.
func (s *Server) transport(out *http.Request) *http.Transport {
	switch out.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		if out.ContentLength == 0 {
			return s.reuse
		}
	}
	return s.fresh
}

// stream lets the request's body flow while the answer already comes, bounded by
// the stall time between two reads.
func (s *Server) stream(w http.ResponseWriter, out *http.Request) *upload {
	u := &upload{stall: s.cfg.StallTimeout, rc: http.NewResponseController(w)}
	if out.ContentLength == 0 {
		out.Body = http.NoBody
		u.done = true
		return u
	}
	u.rc.EnableFullDuplex() // an error means that it always is
	u.body, out.Body = out.Body, u
	return u
}

// upload is a reader's body on its way to the origin.
type upload struct {
	body  io.ReadCloser
	stall time.Duration

	mu   sync.Mutex
	rc   *http.ResponseController // nil once the handler is done: the connection is net/http's again
	done bool
}

// Read gives the reader the stall time to send some of the body.
func (u *upload) Read(p []byte) (int, error) {
	u.until(time.Now().Add(u.stall), false)
	n, err := u.body.Read(p)
	if err == io.EOF {
		u.until(time.Time{}, true)
	}
	return n, err
}

// until sets the read deadline while the handler runs. After it net/http's own watch over the
// connection ends by a deadline in the past, which nobody may take back.
func (u *upload) until(t time.Time, done bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.done = u.done || done; u.rc != nil {
		u.rc.SetReadDeadline(t)
	}
}

// Close does nothing: net/http closes the body when the handler is done, and
// the answer may still come while the rest is sent.
func (u *upload) Close() error { return nil }

// stop ends a Read that still waits when the answer is complete, so that the
// connection can be closed.
func (u *upload) stop() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.done {
		u.rc.SetReadDeadline(time.Unix(1, 0))
	}
	u.rc = nil
}
