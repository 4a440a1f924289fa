package modes

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"sync"

	"nt/peer"
	"nt/peer/origin"
	"nt/peer/proxy"
)

// resolver lets the proxy ask a peer.Node, and counts what it delivers.
type resolver struct {
	node *peer.Node
	sums *sums
}

// Resolve implements proxy.Resolver.
func (r resolver) Resolve(req *http.Request, inform func(int, textproto.MIMEHeader) error) (*http.Response, error) {
	resp, err := r.node.Do(req.Context(), peer.Request{HTTP: req, Informational: inform})
	if err != nil {
		return nil, refusal(err)
	}
	return &http.Response{
		Status: http.StatusText(resp.Status), StatusCode: resp.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: resp.Header, Body: &summedBody{ReadCloser: resp.Body, live: resp.Provenance.Live, sums: r.sums},
		ContentLength: resp.ContentLength, Trailer: resp.Trailer, Request: req,
	}, nil
}

// refusal says to a reader why there is no answer, and what was tried.
func refusal(err error) error {
	out := &proxy.Refusal{Status: http.StatusBadGateway, Title: "The site does not answer", Err: err}
	var none *peer.NoSourceError
	var untrusted *peer.UntrustedError
	switch {
	case errors.As(err, &none):
		out.Status, out.Title = http.StatusGatewayTimeout, "The site does not answer, and nobody who was asked has a copy"
		for _, a := range none.Tried {
			out.Tried = append(out.Tried, fmt.Sprintf("%s: %v", a.Where, a.Err))
		}
	case errors.As(err, &untrusted):
		out.Title, out.Hint = "The site does not answer, and no copy is trusted enough", "nt fetch with --trust or --checksum can still get it"
		for _, c := range untrusted.Found {
			out.Tried = append(out.Tried, fmt.Sprintf("a copy that is only %s, seen %s", c.Level, c.ObservedAt().UTC().Format("2006-01-02 15:04Z")))
		}
	case errors.Is(err, origin.ErrTLS):
		out.Title = "The site cannot prove that it is the one you asked for"
	case errors.Is(err, origin.ErrForbidden):
		out.Status, out.Title = http.StatusForbidden, "The address is not a public one"
	case errors.Is(err, peer.ErrBadRequest):
		out.Status, out.Title = http.StatusBadRequest, "The request makes no sense"
	}
	return out
}

// sums counts delivered bytes by where they came from.
type sums struct {
	mu    sync.Mutex
	bytes map[string]int64
}

func newSums() *sums { return &sums{bytes: map[string]int64{}} }

func (s *sums) add(by map[peer.Source]int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for source, n := range by {
		s.bytes[string(source)] += n
	}
}

func (s *sums) snapshot() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]int64, len(s.bytes))
	for source, n := range s.bytes {
		out[source] = n
	}
	return out
}

// summedBody adds to the sums when it is closed.
type summedBody struct {
	io.ReadCloser
	live *peer.Live
	sums *sums
	once sync.Once
}

// Close implements io.Closer.
func (b *summedBody) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(func() { b.sums.add(b.live.Snapshot().BytesBySource) })
	return err
}
