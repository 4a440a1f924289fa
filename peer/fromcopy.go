package peer

import (
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"nt/peer/trust"
)

// fromCopy answers with a copy, which it takes over: whole, a range of it, or
// "not modified", with the fields its witness saw and the marks of a copy.
func (n *Node) fromCopy(p *plan, c *found, why error, since time.Time) (*Response, error) {
	decode := !accepts(p.req.HTTP.Header, c.entry.Encoding())
	h := c.entry.Header().Clone()
	ask := p.req.HTTP.Header
	if decode {
		ask = nil // its validators and ranges are another representation's
		for _, f := range [...]string{"Content-Encoding", "Etag", "Repr-Digest", "Content-Digest"} {
			h.Del(f)
		}
	}
	part := answer(ask, h, c.entry.Size())
	r := &Response{Status: part.status, Header: h, ContentLength: part.length, Body: http.NoBody, Provenance: Provenance{
		Source: c.source, URL: p.name(), Level: c.level, Witnesses: c.entry.Witnesses, ObservedAt: c.entry.ObservedAt(), Disputed: c.disputed,
		Object: c.entry.Object(), OriginError: why, DownSince: since, Live: p.live,
	}}
	p.live.update(func(pr *Progress) { pr.Object = c.entry.Object() })
	mark(r, c.entry.BornAt(), n.cfg.Now())
	describePart(h, part, c.entry.Size(), decode)
	if decode {
		r.ContentLength = -1
	}
	if part.status == http.StatusNotModified {
		r.ContentLength = -1
	}
	if part.length == 0 || p.req.HTTP.Method == http.MethodHead {
		c.close()
		return r, nil
	}
	if c.fetch != nil {
		c.fetch.observe(p.live)
	}
	r.Body = &copyBody{r: c.open(p.ctx, part.off), c: c, left: part.length, live: p.live}
	if decode {
		r.Body = newGunzipBody(r.Body, c.entry.Size())
	}
	return r, nil
}

// describePart completes the fields that tell a reader what part this is.
func describePart(h http.Header, part part, size int64, decode bool) {
	if part.contentRange != "" {
		h.Set("Content-Range", part.contentRange)
	}
	switch part.status {
	case http.StatusOK, http.StatusPartialContent:
		if !decode {
			h.Set("Content-Length", strconv.FormatInt(part.length, 10))
			h.Set("Accept-Ranges", "bytes")
		}
	case http.StatusNotModified:
		h.Del("Content-Type")
		h.Del("Content-Encoding")
	default: // 412 and 416 have no representation
		for _, f := range [...]string{"Content-Type", "Content-Encoding", "Etag", "Last-Modified", "Content-Disposition", "Content-Language", "Repr-Digest", "Content-Digest"} {
			h.Del(f)
		}
		h.Set("Content-Length", "0")
	}
}

// mark says on the response that it is a copy, and what it is worth.
func mark(r *Response, born, now time.Time) {
	pv := r.Provenance
	age := ageOf(r.Header, born, now)
	r.Header.Set("Age", strconv.FormatInt(int64(age/time.Second), 10))
	ttl := lifetime(r.Header, born) - age
	r.Header.Set("Cache-Status", fmt.Sprintf("nt; hit; ttl=%d; detail=%s", int64(ttl/time.Second), pv.Source))
	r.Header.Set(FieldSource, string(pv.Source))
	r.Header.Set(FieldTrust, pv.Level.String())
	r.Header.Set(FieldObserved, pv.ObservedAt.UTC().Format(time.RFC3339))
	note := trust.Describe(pv.Level, pv.Witnesses, pv.ObservedAt, pv.Disputed, shortReason(pv.OriginError))
	if pv.Level == trust.Notary && strings.HasPrefix(pv.URL, "http:") {
		note += "; the notary saw it over plain http"
	}
	r.Header.Set(FieldNote, oneLine(note))
}

// oneLine makes text fit for a header field: what witnesses and errors say is foreign.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

func mediaType(h http.Header) string {
	t, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		t, _, _ = strings.Cut(h.Get("Content-Type"), ";")
	}
	return strings.ToLower(strings.TrimSpace(t))
}
