package peer

import (
	"net/http"
	"net/url"

	"nt/internal/resource"
)

// Invalidate hears that an unsafe request to target was answered (RFC 9111 section
// 4.4): if it succeeded, copies of target and of what Location and Content-Location name
// at the same site are of yesterday. They are not announced or served to peers any
// more; the own reader still gets them, dated, when the origin is down.
func (n *Node) Invalidate(method string, target *url.URL, status int, h http.Header) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, "":
		return
	}
	if n.cfg.Cache == nil || status < 200 || status >= 400 {
		return
	}
	for _, ref := range [...]string{"", h.Get("Location"), h.Get("Content-Location")} {
		u, err := target.Parse(ref)
		if err != nil || u.Scheme != target.Scheme || u.Host != target.Host {
			continue
		}
		if canonical, err := resource.ParseURL(u.String()); err == nil {
			n.unshare(canonical)
		}
	}
}

func (n *Node) unshare(u resource.URL) {
	for _, e := range n.cfg.Cache.Get(u) {
		if !e.Shared && e.Invalid {
			continue
		}
		n.cfg.Shelf.Take(nameOf(e))
		n.said.unshare(u.Key())
		e.Shared, e.Invalid = false, true
		if err := n.cfg.Cache.Put(e); err != nil {
			n.cfg.Log.Warn("not invalidated", "url", u, "err", err)
		}
	}
}
