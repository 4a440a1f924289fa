package peer

import (
	"crypto/ed25519"
	"maps"
	"net/http"
	"slices"
	"time"

	"nt/chunker"
	"nt/chunker/store"
	"nt/internal/resource"
	"nt/peer/cache"
	"nt/peer/trust"
	"nt/transport"
)

// spoolShare is how much of the store's budget one body may take: one part of so many.
const spoolShare = 2

// spoolFor opens a spool for a body that may be kept, or returns nil: the store
// has no room, is broken, or the body is too large. The reader is served
// all the same.
func (n *Node) spoolFor(fl *flight, size int64) store.Spool {
	if !fl.plan.store || fl.resp.StatusCode != http.StatusOK || n.cfg.Cache == nil || size > chunker.MaxObjectSize {
		return nil
	}
	if _, budget := n.cfg.Store.Usage(); budget > 0 && size > budget/spoolShare {
		return nil
	}
	spool, err := n.cfg.Store.Spool(n.ctx)
	if err != nil {
		n.cfg.Log.Warn("not caching", "url", fl.plan.url, "err", err)
		return nil
	}
	return spool
}

// keepOwn makes the whole body that came from the origin an object, remembers
// the response, and says so to whom the user allowed (N7, N10).
func (n *Node) keepOwn(fl *flight) {
	spool := fl.fill.whole()
	if spool == nil {
		return
	}
	p, h := fl.plan, fl.resp.Header
	head, err := spool.Commit(n.ctx)
	if err != nil {
		n.cfg.Log.Warn("not cached", "url", p.url, "err", err)
		return
	}
	kept, err := resource.KeepHeader(h)
	if err != nil {
		return // cannot be: Shareable has checked it
	}
	s := resource.Statement{Key: p.url.Key(), Object: head.ID(), Size: head.Size, Status: http.StatusOK, Header: kept,
		ObservedAt: fl.began.Unix()}
	e := cache.Entry{URL: p.url.String(), Statement: s, Level: trust.Self, StoredAt: n.cfg.Now().Unix(), Age: int64(delta(h.Get("Age")) / time.Second)}
	if n.justKept(p.url, e) {
		fl.fill.stored(head.ID())
		return
	}
	e.Statement = s.Sign(n.cfg.Identity)
	if e.Shared = n.mayShare(p.url, e); e.Shared && p.compared(h) && !n.sharedAlready(p.url, e) {
		e.Shared = false
		defer n.shareIfSame(recheck{e, p.url, head.SHA256})
	}
	n.keep(e)
	fl.fill.stored(head.ID())
	n.unlisted(p.url, head.ID())
}

// sameAgain is for how long a page that comes again as it was is not dated anew: a crowd reads it
// every second, and each time costs a signature, a write that waits for the disk and an announcement.
const sameAgain = 30 * time.Second

// justKept reports whether the entry is what was kept just now, in all but its dates, and there is
// nothing to be done about sharing it. With ServeFresh the dates matter.
func (n *Node) justKept(u resource.URL, e cache.Entry) bool {
	if n.cfg.ServeFresh {
		return false
	}
	for _, old := range n.cfg.Cache.Get(u) {
		if old.Level == trust.Self && old.Shared == n.mayShare(u, e) && sameButDates(old, e) {
			return true
		}
	}
	return false
}

// sameButDates reports whether an entry says nothing that one seen shortly before it does not.
func sameButDates(old, e cache.Entry) bool {
	since := e.Statement.ObservedAt - old.Statement.ObservedAt
	return old.Encoding() == e.Encoding() && old.Object() == e.Object() && !old.Invalid && since >= 0 && since < int64(sameAgain/time.Second) &&
		maps.EqualFunc(undated(old.Header()), undated(e.Header()), slices.Equal)
}

// undated returns a header without what differs from answer to answer.
func undated(h http.Header) http.Header {
	h = h.Clone()
	h.Del("Date")
	h.Del("Expires")
	return h
}

// mayShare decides by the rules alone.
func (n *Node) mayShare(u resource.URL, e cache.Entry) bool {
	return e.Level >= trust.Notary && n.cfg.Sharing.Decide(u, nil, http.StatusOK, e.Header()) == nil
}

// sharedAlready reports whether these bytes have been found fit to share before.
func (n *Node) sharedAlready(u resource.URL, e cache.Entry) bool {
	for _, old := range n.cfg.Cache.Get(u) {
		if old.Encoding() == e.Encoding() && old.Object() == e.Object() && old.Shared && !old.Invalid {
			return true
		}
	}
	return false
}

// keep remembers a response whose object is complete in the store, and announces it if
// it is to be shared.
func (n *Node) keep(e cache.Entry) {
	u, err := resource.ParseURL(e.URL)
	if err != nil || n.cfg.Cache == nil {
		return
	}
	if e.Level != trust.Self { // a copy from peers: its witness was somebody else
		e.Shared = n.mayShare(u, e)
	}
	if err := n.cfg.Cache.Put(e); err != nil {
		n.cfg.Log.Warn("not remembered", "url", u, "err", err)
		return
	}
	if e.Shared && n.ann != nil {
		n.mention(e) // first: who finds it by its announcement may ask
		n.ann.add(e)
	}
	n.learnHashes(u, e)
}

// mention makes a notary's word about something shared comparable for peers.
func (n *Node) mention(e cache.Entry) {
	if e.Level == trust.Notary && e.Shared {
		n.said.share(e.Statement)
	}
}

// confirm dates the own copy anew when the origin says of its validator that
// nothing has changed: browsers ask so, and the copy would grow old beside a live
// origin. A copy that came from peers stays what it was: its validator is their
// word.
func (n *Node) confirm(fl *flight) {
	if fl.err != nil || fl.resp.StatusCode != http.StatusNotModified || !fl.plan.store || n.cfg.Cache == nil {
		return
	}
	asked, now := fl.plan.ask.Header.Get("If-None-Match"), fl.resp.Header.Get("Etag")
	for _, e := range n.cfg.Cache.Get(fl.plan.url) {
		if !validates(e, asked) || now != "" && now != asked || resource.Shareable(nil, http.StatusOK, fl.resp.Header) != nil {
			continue
		}
		old := e
		if e = fl.renew(e); sameButDates(old, e) && (!n.cfg.ServeFresh || lifetime(e.Header(), e.BornAt()) == 0) {
			continue
		}
		e.Statement = e.Statement.Sign(n.cfg.Identity)
		e.Shared = (e.Shared || !fl.plan.compared(e.Header())) && n.mayShare(fl.plan.url, e)
		n.keep(e)
	}
}

// id is this node's own name among peers.
func (n *Node) id() (id transport.PeerID) {
	if len(n.cfg.Identity) == ed25519.PrivateKeySize {
		copy(id[:], n.cfg.Identity.Public().(ed25519.PublicKey))
	}
	return id
}
