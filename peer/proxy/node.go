package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"nt/peer"
	"nt/peer/origin"
	"nt/peer/trust"
)

// Doer is what the proxy needs of a peer.Node.
type Doer interface {
	Do(ctx context.Context, req peer.Request) (*peer.Response, error)
}

// FromNode makes a Resolver of a node. base is the request every reader's becomes:
// its trust level, ignored query parameters and limits; HTTP and Informational are
// the reader's.
func FromNode(node Doer, base peer.Request) Resolver { return nodeResolver{node, base} }

type nodeResolver struct {
	node Doer
	base peer.Request
}

func (n nodeResolver) Resolve(r *http.Request, inform Inform) (*http.Response, error) {
	req := n.base
	req.HTTP, req.Informational = r, inform
	// Whatever is read in a tunnel was meant for its reader alone.
	req.Compare = r.URL.Scheme == "https"
	res, err := n.node.Do(r.Context(), req)
	if err != nil {
		return nil, nodeRefusal(err)
	}
	out := &http.Response{
		StatusCode:    res.Status,
		Header:        res.Header,
		Body:          res.Body,
		ContentLength: res.ContentLength,
		Trailer:       res.Trailer,
	}
	if until := res.Provenance.FreshUntil; !until.IsZero() {
		out.Body = freshBody{res.Body, until}
	}
	return out, nil
}

// freshBody implements Reusable.
type freshBody struct {
	io.ReadCloser
	until time.Time
}

// FreshUntil implements Reusable.
func (b freshBody) FreshUntil() time.Time { return b.until }

// Invalidate implements Invalidator.
func (n nodeResolver) Invalidate(method string, target *url.URL, status int, h http.Header) {
	if node, ok := n.node.(Invalidator); ok {
		node.Invalidate(method, target, status, h)
	}
}

// nodeRefusal says in a page's words why a node had no answer.
func nodeRefusal(err error) error {
	ref := &Refusal{Status: http.StatusBadGateway, Err: err}
	var none *peer.NoSourceError
	var untrusted *peer.UntrustedError
	var from *origin.Error
	switch {
	case errors.As(err, &untrusted):
		ref.untrusted(untrusted)
	case errors.As(err, &none):
		ref.noSource(none)
	case errors.As(err, &from):
		ref.origin(from)
	case errors.Is(err, peer.ErrBadRequest):
		ref.Status, ref.Title = http.StatusBadRequest, "This URL cannot be asked for"
		ref.Tried = []string{err.Error()}
	case errors.Is(err, peer.ErrClosed):
		ref.Status, ref.Title = http.StatusServiceUnavailable, "This peer is shutting down"
	default:
		return err
	}
	return ref
}

func (e *Refusal) noSource(err *peer.NoSourceError) {
	e.Title = "The origin is down and nobody has a copy"
	for _, a := range err.Tried {
		e.Tried = append(e.Tried, fmt.Sprintf("%s: %v", a.Where, a.Err))
		var late net.Error
		if errors.Is(a.Err, peer.ErrOnlyIfCached) {
			e.Status, e.Title = http.StatusGatewayTimeout, "There is no fresh copy of this here"
		}
		if a.Where == "origin" && errors.As(a.Err, &late) && late.Timeout() {
			e.Status = http.StatusGatewayTimeout
		}
	}
}

func (e *Refusal) untrusted(err *peer.UntrustedError) {
	e.Title = "The origin is down and no copy is believable enough"
	e.Tried = append(e.Tried, fmt.Sprintf("origin: %v", err.Origin))
	for _, c := range err.Found {
		e.Tried = append(e.Tried, fmt.Sprintf("a copy that is %s: %s", c.Level,
			trust.Describe(c.Level, c.Witnesses, c.Statement.Time(), c.Dissent || c.Disputed, "")))
	}
	e.Hint = fmt.Sprintf("A copy must be %s. To read one that is less, run: nt fetch --trust LEVEL URL", err.Need)
	switch {
	case err.Publisher != "":
		e.Hint = err.Error() + ". To read one whose SHA-256 you know, run: nt fetch --checksum sha-256=HEX URL"
	case err.Disputed():
		e.Title = "The origin is down and its copies contradict each other"
		e.Hint = "To read one of them, run: nt fetch --object ID URL; " + err.Error()
	case err.Risky:
		e.Hint = "This is a program or an archive: fetch it with nt fetch --checksum sha-256=HEX URL"
	}
}

func (e *Refusal) origin(err *origin.Error) {
	e.Title = "The origin cannot be reached"
	e.Tried = []string{"origin: " + err.Error()}
	switch {
	case origin.IsTLS(err):
		e.Title = "The origin could not prove who it is"
		e.Hint = "No copy is shown instead: whoever can forge a certificate could choose what you see."
	case errors.Is(err, origin.ErrForbidden):
		e.Status, e.Title = http.StatusForbidden, "This proxy does not connect to that address"
		e.Hint = "Private and local addresses are for direct connections; --allow-private lifts the rule."
	}
}
