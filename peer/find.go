package peer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"nt/chunker"
	"nt/chunker/store"
	"nt/peer/cache"
	"nt/peer/trust"
)

var (
	errNotCached = errors.New("no copy")
	errNoHolder  = errors.New("nobody has it")
)

// acceptFunc refuses a copy by an error. nil takes every copy.
type acceptFunc func(context.Context, *found) error

// found is a copy that can be read: whole, or while it comes from peers. Close it.
type found struct {
	n        *Node
	p        *plan
	entry    cache.Entry
	level    trust.Level
	pin      *pin // nil for what lies in the cache
	disputed bool
	source   Source
	obj      store.Object // nil for a HEAD that peers answer
	fetch    *fetch       // nil when the object is whole
	agreed   int64        // bytes of a flight's body that were compared with it, see sameBytes
}

func (c *found) close() {
	if c.fetch != nil {
		c.fetch.leave()
	}
	if c.obj != nil {
		c.obj.Close()
	}
}

// find looks for the best copy: own cache, then peers. The error is a
// *NoSourceError or an *UntrustedError, both without the origin's part.
func (n *Node) find(ctx context.Context, p *plan, accept acceptFunc) (*found, error) {
	c, err := n.findCached(ctx, p, accept)
	if err == nil {
		return c, nil
	}
	tried := []Attempt{{"cache", err}}
	if p.own || p.req.NoPeers || n.cfg.Locator == nil {
		return nil, &NoSourceError{URL: p.name(), Tried: tried}
	}
	c, more, err := n.findPeers(ctx, p, accept)
	if err != nil {
		return nil, err
	}
	if c != nil {
		return c, nil
	}
	return nil, &NoSourceError{URL: p.name(), Tried: append(tried, more...)}
}

// findCached returns the newest copy in the own cache that is whole, believable
// enough and readable by this reader.
func (n *Node) findCached(ctx context.Context, p *plan, accept acceptFunc) (*found, error) {
	if n.cfg.Cache == nil {
		return nil, errNotCached
	}
	why := errNotCached
	entries := n.cfg.Cache.Get(p.url)
	h := p.req.HTTP.Header
	slices.SortStableFunc(entries, func(a, b cache.Entry) int { return p.preference(h, a) - p.preference(h, b) })
	for _, e := range entries {
		c, err := n.openCached(ctx, p, e)
		if err == nil && accept != nil {
			if err = accept(ctx, c); err != nil {
				c.close()
			}
		}
		if err == nil {
			return c, nil
		}
		why = err
	}
	return nil, why
}

func (n *Node) openCached(ctx context.Context, p *plan, e cache.Entry) (*found, error) {
	if !p.readable(e.Header(), e.Encoding()) {
		return nil, fmt.Errorf("the copy is encoded with %.20q, which the reader does not take", e.Encoding())
	}
	obj, err := n.cfg.Store.OpenObject(e.Object())
	if err != nil {
		return nil, errNotCached // evicted: the entry may come true again
	}
	c := &found{n: n, p: p, entry: e, level: e.Level, source: SourceCache, obj: obj}
	h, ok := obj.Header()
	switch {
	case !ok || !obj.Complete():
		err = errNotCached
	case p.req.Pin != nil && h.SHA256 != *p.req.Pin, p.req.Object != nil && e.Object() != *p.req.Object:
		err = errChecksum
	case p.req.Pin != nil || p.req.Object != nil:
		c.level = trust.Pinned
	default:
		err = n.admitCached(ctx, p, c)
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// preference sorts what a reader can take as it is before what must be decoded.
func (p *plan) preference(h http.Header, e cache.Entry) int {
	if accepts(h, e.Encoding()) {
		return 0
	}
	return 1
}

// readable reports whether the reader can be given a copy with these fields: as it is,
// or decoded unless that is forbidden.
func (p *plan) readable(copied http.Header, encoding string) bool {
	ask := p.req.HTTP.Header
	if accepts(ask, encoding) {
		return true
	}
	return encoding == "gzip" && accepts(ask, "") && !hasDirective(copied, "no-transform") && !hasDirective(ask, "no-transform")
}

// sameBytes accepts copies that continue the flight's body: the same length, the
// same encoding, no validator that contradicts, and the same bytes so far.
func (n *Node) sameBytes(fl *flight) acceptFunc {
	return func(ctx context.Context, c *found) error {
		if err := sameRepresentation(fl.resp.Header, c.entry.Header()); err != nil {
			return err
		}
		avail, sum := fl.fill.state()
		size, end := c.entry.Size(), fl.base+avail
		if fl.resp.StatusCode == http.StatusPartialContent {
			if _, _, total, ok := parseContentRange(fl.resp.Header.Get("Content-Range")); !ok || total != size {
				return errOtherBytes
			}
		} else if fl.fill.size >= 0 && fl.fill.size != size {
			return errOtherBytes
		}
		if end > size {
			return errOtherBytes
		}
		if c.fetch != nil && fl.fill.whole() != nil {
			return n.sameChunks(ctx, fl, c, avail)
		}
		r := c.open(ctx, fl.base)
		defer r.Close()
		h := sha256.New()
		if _, err := io.CopyN(h, r, avail); err != nil {
			return fmt.Errorf("comparing a copy: %w", err)
		}
		if chunker.Hash(h.Sum(nil)) != chunker.Hash(sum) {
			return errOtherBytes
		}
		c.agreed = avail
		return nil
	}
}

var errOtherBytes = errors.New("the copy is of another version")

// sameRepresentation refuses to join two versions whose lengths and beginnings
// happen to agree.
func sameRepresentation(a, b http.Header) error {
	enc := func(h http.Header) string {
		if e := h.Get("Content-Encoding"); e != "identity" {
			return e
		}
		return ""
	}
	if enc(a) != enc(b) {
		return errOtherBytes
	}
	for _, f := range [...]string{"Etag", "Last-Modified"} {
		if x, y := a.Get(f), b.Get(f); x != "" && y != "" && x != y {
			return errOtherBytes
		}
	}
	return nil
}

// withOrigin puts the origin's part in front of an error of find.
func withOrigin(err, why error) error {
	var none *NoSourceError
	var low *UntrustedError
	switch {
	case errors.As(err, &low):
		low.Origin = why
	case errors.As(err, &none):
		none.Tried = append([]Attempt{{"origin", why}}, none.Tried...)
	}
	return err
}
