package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
)

// informer passes informational responses on while the final one is awaited.
type informer struct {
	w    http.ResponseWriter
	r    *http.Request
	mu   sync.Mutex // guards the fields below and w's header until stop
	sent int
	done bool
}

// trace returns the request's context with the hook that hears of them.
func (i *informer) trace() context.Context {
	return withInform(i.r.Context(), i.send)
}

// withInform makes an http.Transport call inform.
func withInform(ctx context.Context, inform Inform) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: inform})
}

// send writes one informational response. HTTP/1.0 has none.
func (i *informer) send(status int, h textproto.MIMEHeader) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.done || !i.r.ProtoAtLeast(1, 1) {
		return nil
	}
	if i.sent++; i.sent > maxInformational {
		return errors.New("too many informational responses")
	}
	own := i.w.Header()
	for k, v := range h {
		own[k] = v
	}
	dropHopByHop(own)
	i.w.WriteHeader(status)
	clear(own)
	return nil
}

// stop ends the informational responses: the header is the final one's now.
func (i *informer) stop() {
	i.mu.Lock()
	i.done = true
	i.mu.Unlock()
}

// write sends a response to the reader as it is, hop-by-hop fields aside. It adds
// nothing, Via included: RFC 9110, 7.6.3, wants one on responses too, but a response
// must be the same as without the proxy (N5), the one reader we have put the
// proxy there himself, and a loop is found by the request's.
func (s *Server) write(w http.ResponseWriter, r *http.Request, res *http.Response) {
	defer res.Body.Close()
	sized := s.writeHead(w, r, res)
	if err := s.copyBody(w, res.Body, sized); err != nil {
		s.cut(r, sized)
	}
	for name, values := range res.Trailer {
		if !strings.HasPrefix(name, http.TrailerPrefix) {
			name = http.TrailerPrefix + name
		}
		w.Header()[name] = values
	}
}

// writeHead sends status and fields. It returns the body's length, -1 if the
// reader learns it only from the end.
func (s *Server) writeHead(w http.ResponseWriter, r *http.Request, res *http.Response) int64 {
	h := w.Header()
	for name, values := range res.Header {
		h[name] = values
	}
	dropHopByHop(h)
	for _, name := range [...]string{"Date", "Content-Type"} {
		if _, ok := h[name]; !ok {
			h[name] = nil // or net/http adds its own
		}
	}
	for name := range res.Trailer {
		h.Add("Trailer", name)
	}
	size := res.ContentLength
	switch {
	case res.StatusCode == http.StatusNotModified:
		keepOn304(h)
		size = 0
	case r.Method == http.MethodHead || res.StatusCode == http.StatusNoContent:
		size = 0
	case size >= 0:
		h["Content-Length"] = []string{strconv.FormatInt(size, 10)}
	default:
		delete(h, "Content-Length")
	}
	w.WriteHeader(res.StatusCode)
	if size < 0 { // before net/http can tell the length of a short body
		http.NewResponseController(w).Flush()
	}
	return size
}

// keepOn304 spells fields so that net/http, which would drop them from a 304,
// lets them pass.
func keepOn304(h http.Header) {
	for _, name := range [...]string{"Content-Type", "Content-Length"} {
		if v := h[name]; v != nil {
			h[strings.ToLower(name)] = v
		}
		delete(h, name)
	}
	h["Content-Type"] = nil
}

// copyBody sends the body and whatever is there of it at once: the next bytes may
// be long in coming.
func (s *Server) copyBody(w http.ResponseWriter, body io.Reader, size int64) error {
	if size == 0 {
		return nil
	}
	buf := s.bufs.Get().(*[]byte)
	defer s.bufs.Put(buf)
	rc := http.NewResponseController(w)
	var sent int64
	for {
		n, err := body.Read(*buf)
		if n > 0 {
			if _, err := w.Write((*buf)[:n]); err != nil {
				return err
			}
			sent += int64(n)
		}
		switch {
		case err == io.EOF && (size < 0 || sent == size):
			return nil
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		case sent != size && n > 0:
			if err := rc.Flush(); err != nil {
				return err
			}
		}
	}
}

// cut ends the reader's connection in the middle of a body, so that nobody takes
// what came for the whole.
func (s *Server) cut(r *http.Request, size int64) {
	if g := gateOf(r.Context()); g != nil && size < 0 && !r.ProtoAtLeast(1, 1) {
		g.cut()
	}
	panic(http.ErrAbortHandler)
}
