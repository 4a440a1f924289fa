package http

import (
	"context"
	"errors"
	"fmt"
	nethttp "net/http"
	"net/url"
	"time"

	"nt/transport"
)

// idleTimeout is how long a connection to a peer is kept for a next request.
const idleTimeout = 30 * time.Second

var (
	errFirstByte = errors.New("no answer in time")
	errStalled   = errors.New("stalled in the middle of a reply")
)

// peerFault is a failure that is the peer's: bad if it delivered wrong bytes or
// broke the protocol, else dead.
type peerFault struct {
	bad    bool
	silent bool // it kept us waiting in vain for a first byte
	err    error
}

func (e *peerFault) Error() string { return e.err.Error() }
func (e *peerFault) Unwrap() error { return e.err }

func badPeer(format string, args ...any) error {
	return &peerFault{bad: true, err: fmt.Errorf(format, args...)}
}

func deadPeer(format string, args ...any) error {
	return &peerFault{err: fmt.Errorf(format, args...)}
}

// ask sends one request and takes in the reply. It returns the chunk to go on
// from, which is always beyond asked.first. Failures of the peer are peerFaults.
func (f *fetch) ask(ctx context.Context, p transport.Peer, asked span) (next int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil) // closes the connection unless the reply was read to its end
	patience := time.AfterFunc(f.patience(), func() { cancel(errFirstByte) })
	resp, err := f.t.client.Do(f.request(ctx, p, asked))
	patience.Stop()
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return 0, &peerFault{silent: errors.Is(err, errFirstByte), err: fmt.Errorf("asking for chunks %s: %w", asked, err)}
	}
	f.inVain = 0
	defer resp.Body.Close()
	switch resp.StatusCode {
	case nethttp.StatusOK:
		return f.take(ctx, cancel, p, asked, resp)
	case nethttp.StatusRequestedRangeNotSatisfiable:
		return elsewhere(asked, resp.Header.Get(headerHave))
	default:
		return 0, deadPeer("it answered %d to the request for chunks %s", resp.StatusCode, asked)
	}
}

func (f *fetch) request(ctx context.Context, p transport.Peer, asked span) *nethttp.Request {
	u := &url.URL{
		Scheme:   "http",
		Host:     p.Addr.String(),
		Path:     pathPrefix + f.req.Object.String(),
		RawQuery: chunksKey + "=" + asked.String(),
	}
	r := &nethttp.Request{Method: nethttp.MethodGet, URL: u, Host: u.Host, Header: nethttp.Header{"User-Agent": {"nt"}}}
	return r.WithContext(ctx)
}

// take reads the body of a 200.
func (f *fetch) take(ctx context.Context, cancel context.CancelCauseFunc, p transport.Peer, asked span, resp *nethttp.Response) (int, error) {
	sent, err := sentSpan(resp.Header)
	if err != nil {
		return 0, err
	}
	stall := time.AfterFunc(time.Hour, func() { cancel(errStalled) })
	stall.Stop()
	body := &meteredBody{
		ctx: ctx, body: resp.Body, stall: stall, limit: f.limit,
		meter: meter{window: f.t.opts.StallTimeout, minRate: f.t.opts.MinRate},
	}
	rp := reply{
		id: f.req.Object, sink: f.req.Sink, asked: asked, sent: sent, length: resp.ContentLength, buf: f.buf, there: f.arrived,
		note: func(kind transport.EventKind, n int) {
			if kind == transport.EventChunk {
				f.got++
			}
			f.observe(transport.Event{Kind: kind, Peer: p, Bytes: n})
		},
	}
	next, err := rp.receive(body)
	f.buf = rp.buf
	return next, err
}

// sentSpan reads the headers of a 200: what it says it sends.
func sentSpan(h nethttp.Header) (span, error) {
	if got := h.Get("Content-Type"); got != mediaType {
		return span{}, badPeer("it sent %.40q instead of %s", got, mediaType)
	}
	if enc := h.Get("Content-Encoding"); enc != "" {
		return span{}, badPeer("it sent the content encoding %.40q, which nobody asked for", enc)
	}
	s := h.Get(headerChunks)
	if s == "" {
		return span{}, nil
	}
	sent, err := parseSpan(s)
	if err != nil {
		return span{}, badPeer("header %s: %w", headerChunks, err)
	}
	return sent, nil
}

// elsewhere reads the intervals of a 416 and returns where to go on: the
// first chunk after asked.first that the peer says it holds, or asked.end.
func elsewhere(asked span, have string) (int, error) {
	if have == "" {
		return asked.end, nil
	}
	next, err := firstHeld(have, span{asked.first + 1, asked.end})
	if err != nil {
		return 0, badPeer("header %s: %w", headerHave, err)
	}
	return next, nil
}
