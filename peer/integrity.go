package peer

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"

	"golang.org/x/net/html"

	"nt/chunker"
	"nt/chunker/store"
	"nt/internal/resource"
	"nt/peer/cache"
	"nt/peer/trust"
)

const (
	// maxPage is how much of a page is searched for hashes, maxHashes how many it may give.
	maxPage   = 1 << 20
	maxHashes = 64
	// maxHashed is the largest copy that is read as a whole before it is handed out,
	// because its hash is not one that its metadata tells.
	maxHashed = 16 << 20
)

// loads is one thing a page loads, with the hash the page says it has.
type loads struct {
	url resource.URL
	in  cache.Integrity
}

// subresources returns what a page loads with an integrity attribute: scripts, style sheets
// and what is preloaded for them. It reads at most maxPage bytes.
func subresources(page resource.URL, r io.Reader) []loads {
	base, err := url.Parse(page.String())
	if err != nil {
		return nil
	}
	z := html.NewTokenizer(io.LimitReader(r, maxPage))
	var out []loads
	for len(out) < maxHashes {
		switch z.Next() {
		case html.ErrorToken:
			return out
		case html.StartTagToken, html.SelfClosingTagToken:
			tag := z.Token()
			at, integrity := attributes(tag)
			ref, err := base.Parse(at)
			if err != nil || at == "" {
				continue
			}
			if tag.Data == "base" {
				base = ref
				continue
			}
			in, ok := cache.ParseIntegrity(integrity)
			u, err := resource.ParseURL(ref.String())
			if ok && err == nil {
				out = append(out, loads{u, in})
			}
		}
	}
	return out
}

// attributes returns where a script, link or base points to, and its integrity.
func attributes(tag html.Token) (at, integrity string) {
	where := map[string]string{"script": "src", "link": "href", "base": "href"}[tag.Data]
	for _, a := range tag.Attr {
		switch a.Key {
		case where:
			at = a.Val
		case "integrity":
			integrity = a.Val
		}
	}
	return at, integrity
}

// learnHashes remembers what a page says of what it loads, if the page is believed as much as
// its site: read over a valid certificate, or signed by its publisher.
func (n *Node) learnHashes(u resource.URL, e cache.Entry) {
	if n.cfg.Locator == nil || u.Scheme() != "https" || e.Level < trust.Self || mediaType(e.Header()) != "text/html" || e.Encoding() != "" && e.Encoding() != "gzip" {
		return
	}
	obj, err := n.cfg.Store.OpenObject(e.Object())
	if err != nil {
		return
	}
	defer obj.Close()
	var r io.Reader = io.LimitReader(store.NewReader(n.ctx, obj, 0), maxPage)
	if e.Encoding() == "gzip" {
		if r, err = gzip.NewReader(r); err != nil {
			return
		}
	}
	for _, l := range subresources(u, r) {
		l.in.Page, l.in.SeenAt = u.String(), e.Statement.ObservedAt
		if err := n.cfg.Cache.PutIntegrity(l.url.Key(), l.in); err != nil {
			n.cfg.Log.Warn("hashes of a page not remembered", "url", u, "err", err)
			return
		}
	}
}

// integrityOf returns the condition under which a candidate is what a page said it loads.
func (n *Node) integrityOf(p *plan, s resource.Statement) *pin {
	if n.cfg.Cache == nil || s.Encoding() != "" || p.req.HTTP.Method == http.MethodHead {
		return nil // the hash is over the bytes without an encoding
	}
	in, ok := n.cfg.Cache.GetIntegrity(p.url.Key())
	if !ok || s.Size > maxHashed {
		return nil
	}
	out := &pin{level: trust.Pinned, otherwise: true, by: trust.PageHash + in.Page}
	if in.Algorithm == "sha256" {
		out.sum = (*chunker.Hash)(in.Sum)
		return out
	}
	out.whole = &in
	return out
}

// checkWhole reads a copy to its end and compares it with the hash a page said it has.
func (c *found) checkWhole(ctx context.Context) error {
	if c.pin == nil || c.pin.whole == nil {
		return nil
	}
	var h hash.Hash
	switch c.pin.whole.Algorithm {
	case "sha384":
		h = sha512.New384()
	case "sha512":
		h = sha512.New()
	default:
		h = sha256.New()
	}
	r := c.open(ctx, 0)
	defer r.Close()
	if n, err := io.Copy(h, io.LimitReader(r, maxHashed+1)); err != nil || n > maxHashed {
		return fmt.Errorf("comparing the copy with its hash: %w", errors.Join(err, errChecksum))
	}
	if !bytes.Equal(h.Sum(nil), c.pin.whole.Sum) {
		c.fetch.reject()
		return errChecksum
	}
	c.level = c.pin.level
	return nil
}
