package peer

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"time"

	"nt/internal/resource"
	"nt/peer/cache"
	"nt/peer/trust"
)

// validate makes the plan ask the origin whether the own copy, which is not fresh any more, is
// still what is there (RFC 9111 section 4.3.1). Only with ServeFresh: the tag tells the origin
// that this machine was there before, which a reader who sent no tag has not said.
func (n *Node) validate(p *plan) {
	if !p.collapse || n.cfg.Cache == nil {
		return
	}
	for _, e := range n.cfg.Cache.Get(p.url) {
		tag := e.Header().Get("Etag")
		if !validates(e, tag) || p.preference(p.req.HTTP.Header, e) != 0 {
			continue
		}
		p.tag, p.ask = tag, p.req.HTTP.Clone(p.req.HTTP.Context())
		p.ask.Header.Set("If-None-Match", tag)
		return
	}
}

var errNoTag = errors.New("the copy cannot be validated by a tag")

// validates reports whether an entry is the origin's own word under that tag.
func validates(e cache.Entry, tag string) bool {
	return tag != "" && e.Header().Get("Etag") == tag && e.Level == trust.Self
}

// unchanged reports whether the flight's answer says that the own copy is what is there.
func (fl *flight) unchanged() bool {
	return fl.plan.tag != "" && fl.err == nil && fl.resp.StatusCode == http.StatusNotModified
}

// validated answers with the copy that the flight's 304 calls current, as it is from then on.
func (n *Node) validated(p *plan, fl *flight) (*Response, error) {
	c, err := n.findCached(p.ctx, p, func(_ context.Context, c *found) error {
		if !validates(c.entry, fl.plan.tag) {
			return errNoTag
		}
		return nil
	})
	if err != nil {
		return nil, errNotForTwo // it is gone: the origin is asked for the whole
	}
	c.entry = fl.renew(c.entry)
	return n.fromCopy(p, c, nil, time.Time{})
}

// renew returns an entry as the flight's 304 leaves it, but for its signature.
func (fl *flight) renew(e cache.Entry) cache.Entry {
	e.Statement.Header, e.Invalid = refreshed(e.Header(), fl.resp.Header), false
	e.Statement.ObservedAt, e.Age = fl.began.Unix(), int64(delta(fl.resp.Header.Get("Age"))/time.Second)
	return e
}

// refreshed returns a stored header as a 304 leaves it (RFC 9111 section 3.2): with its fields in
// place of the stored ones, but for those that describe the bytes.
func refreshed(stored, by http.Header) http.Header {
	h := stored.Clone()
	h.Del("Date") // of the answer that is meant now, if it has one
	kept, err := resource.KeepHeader(by)
	if err != nil {
		return h
	}
	for _, name := range [...]string{"Content-Type", "Content-Encoding", "Content-Digest", "Repr-Digest"} {
		kept.Del(name)
	}
	maps.Copy(h, kept)
	return h
}
