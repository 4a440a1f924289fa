package peer

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// FieldShed is how a busy site and a node speak about who serves a page. On a 503 it is the entity
// tag of the version that readers should get from each other. On a request it says "no": the reader found
// no such copy, and needs the page from the site itself.
const FieldShed = "Nt-Shed"

// UserAgent is how requests name themselves that are not a reader's own program's.
const UserAgent = "nt/1"

var (
	errShed         = errors.New("it is busy and has its readers serve each other")
	errOtherVersion = errors.New("the copy is another version than the site's")
)

// shedBy returns the version that the answer leaves to other readers.
func shedBy(p *plan, resp *http.Response) (version string, ok bool) {
	if resp == nil || resp.StatusCode != http.StatusServiceUnavailable || p.req.HTTP.Header.Get(FieldShed) != "" {
		return "", false
	}
	version = resp.Header.Get(FieldShed)
	return version, version != ""
}

// shed answers with a copy of just that version, which the site itself has named, or has the site
// serve it after all. The reader loses no more than the usual patience by asking.
func (n *Node) shed(p *plan, version string) (*Response, error) {
	n.outages.up(p.url.Origin())
	ctx, cancel := context.WithTimeout(p.ctx, n.cfg.Patience)
	defer cancel()
	s := n.searchFor(p.ctx, p, func(_ context.Context, c *found) error {
		if c.entry.Header().Get("Etag") != version {
			return errOtherVersion
		}
		return nil
	})
	defer s.stop()
	select {
	case <-s.ready():
		if c, err := s.result(); err == nil {
			return n.fromCopy(p, c, errShed, time.Time{})
		}
	case <-ctx.Done():
	}
	if p.ctx.Err() != nil {
		return nil, context.Cause(p.ctx)
	}
	return n.insist(p)
}

// insist asks the site again, for a page that nobody else has.
func (n *Node) insist(p *plan) (*Response, error) {
	req := p.req
	req.HTTP = req.HTTP.Clone(p.ctx)
	req.HTTP.Header.Set(FieldShed, "no")
	return n.joinAlone(p.ctx, req, p.live)
}
