package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"nt/peer/cache"
	"nt/peer/trust"
)

// errNoOrigin stands for an origin that was not to be asked.
var errNoOrigin = errors.New("not asked")

// Do answers a request: from the origin whenever it answers (N6), whatever it
// answers (N20); else from the own cache; else from peers.
//
// The error is a *NoSourceError when nobody has it, an *UntrustedError when
// there are copies below the level asked for, an *origin.Error with verdict
// Refuse when the origin could not prove who it is, ErrBadRequest, or the
// context's cause. Cancelling ctx ends the body too.
func (n *Node) Do(ctx context.Context, req Request) (*Response, error) {
	if n.ctx.Err() != nil {
		return nil, ErrClosed
	}
	p, err := planFor(ctx, req)
	if err != nil {
		return nil, err
	}
	defer p.silence()
	switch {
	case hasDirective(req.HTTP.Header, "only-if-cached"):
		return n.cachedOnly(p)
	case req.NoOrigin:
		return n.copyOnly(p)
	case !p.copies:
		return n.pass(p)
	}
	if n.cfg.ServeFresh && !p.own {
		if r := n.fresh(p); r != nil {
			return r, nil
		}
		n.validate(p)
	}
	return n.join(p)
}

// silence ends the passing on of 1xx answers.
func (p *plan) silence() {
	p.informing.Lock()
	defer p.informing.Unlock()
	p.returned = true
}

// pass hands a request through that nothing but the origin may answer.
func (n *Node) pass(p *plan) (*Response, error) {
	ctx, cancel := context.WithCancel(p.ctx)
	resp, err := n.cfg.Origin.Do(p.informed(ctx), p.req.HTTP)
	if err != nil {
		cancel()
		return nil, err
	}
	n.Invalidate(p.req.HTTP.Method, p.req.HTTP.URL, resp.StatusCode, resp.Header)
	return n.raw(p, resp, cancel), nil
}

// ErrOnlyIfCached stands for an origin and peers that the request forbids to ask.
var ErrOnlyIfCached = errors.New("the request takes nothing but a fresh stored copy")

// cachedOnly answers Cache-Control: only-if-cached: with a fresh copy or not at all.
func (n *Node) cachedOnly(p *plan) (*Response, error) {
	why := &NoSourceError{URL: p.name(), Tried: []Attempt{{"origin", ErrOnlyIfCached}}}
	if !p.copies {
		return nil, why
	}
	c, err := n.findCached(p.ctx, p, func(_ context.Context, c *found) error {
		e := c.entry
		if e.Invalid || !freshFor(p.req.HTTP.Header, e.Header(), e.BornAt(), n.cfg.Now()) {
			return errStale
		}
		return nil
	})
	if err != nil {
		why.Tried = append(why.Tried, Attempt{"cache", err})
		return nil, why
	}
	return n.fromCopy(p, c, ErrOnlyIfCached, time.Time{})
}

// fresh answers with a copy of the origin's own word that is still fresh, nil without one.
func (n *Node) fresh(p *plan) *Response {
	now := n.cfg.Now()
	isFresh := func(e cache.Entry) bool {
		return e.Level == trust.Self && !e.Invalid && freshFor(p.req.HTTP.Header, e.Header(), e.BornAt(), now)
	}
	if n.cfg.Cache == nil || !slices.ContainsFunc(n.cfg.Cache.Get(p.url), isFresh) { // before an object is opened
		return nil
	}
	var until time.Time
	c, err := n.findCached(p.ctx, p, func(_ context.Context, c *found) error {
		if !isFresh(c.entry) {
			return errStale
		}
		until = now.Add(lifetime(c.entry.Header(), c.entry.BornAt()) - ageOf(c.entry.Header(), c.entry.BornAt(), now))
		return nil
	})
	if err != nil {
		return nil
	}
	r, err := n.fromCopy(p, c, nil, time.Time{})
	if err != nil {
		return nil
	}
	r.Provenance.FreshUntil = until
	return r
}

var errStale = errors.New("the copy is stale")

// copyOnly answers without the origin.
func (n *Node) copyOnly(p *plan) (*Response, error) {
	if !p.copies {
		return nil, &NoSourceError{URL: p.name(), Tried: []Attempt{{"origin", errNoOrigin}}}
	}
	c, err := n.find(p.ctx, p, nil)
	if err != nil {
		return nil, withOrigin(err, errNoOrigin)
	}
	return n.fromCopy(p, c, errNoOrigin, time.Time{})
}

// take makes the origin's answer the reader's. missing is why no copy stood in
// for a gateway's error.
func (n *Node) take(p *plan, fl *flight, missing error) (*Response, error) {
	if fl.unchanged() {
		return n.validated(p, fl)
	}
	if !fl.claim() {
		return nil, errNotForTwo
	}
	if fl.fill == nil {
		r := n.raw(p, fl.resp, func() { fl.cancel(nil) })
		r.Provenance.CopyError = missing
		return r, nil
	}
	body, err := fl.fill.follow(p.ctx, p.live)
	if err != nil {
		return nil, errNotForTwo
	}
	r := n.originResponse(p, fl.resp)
	// net/http writes into resp.Trailer while the body is read, by another goroutine.
	r.Trailer = make(http.Header, len(fl.trailer))
	for _, name := range fl.trailer {
		r.Trailer[name] = nil
	}
	body.trailer = r.Trailer
	r.Body = body
	return r, nil
}

// raw is an answer whose body goes straight to its one reader.
func (n *Node) raw(p *plan, resp *http.Response, cancel context.CancelFunc) *Response {
	r := n.originResponse(p, resp)
	r.Trailer = resp.Trailer
	stop := context.AfterFunc(p.ctx, cancel)
	b := &rawBody{ReadCloser: resp.Body, live: p.live, end: func() { stop(); cancel() }}
	r.Body = b
	if w, ok := resp.Body.(io.Writer); ok && resp.StatusCode == http.StatusSwitchingProtocols {
		r.Body = struct {
			*rawBody
			io.Writer
		}{b, w}
	}
	return r
}

func (n *Node) originResponse(p *plan, resp *http.Response) *Response {
	return &Response{
		Status: resp.StatusCode, Header: resp.Header.Clone(), ContentLength: resp.ContentLength, Proto: resp.Proto,
		Provenance: Provenance{Source: SourceOrigin, URL: p.name(), Live: p.live},
	}
}

// name is the URL for people and reports.
func (p *plan) name() string {
	if p.url.IsZero() {
		return p.req.HTTP.URL.Redacted()
	}
	return p.url.String()
}

// rawBody counts what it passes and frees the request when it is closed.
type rawBody struct {
	io.ReadCloser
	live *Live
	end  func()
}

func (b *rawBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.live.add(SourceOrigin, n)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err)
	}
	return n, err
}

func (b *rawBody) Close() error {
	err := b.ReadCloser.Close()
	b.end()
	return err
}
