package peer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"sync"
	"time"

	"nt/chunker"
	"nt/internal/resource"
	"nt/peer/cache"
)

const (
	// maxRechecks bounds what waits to be compared, rechecking how many are at a time.
	maxRechecks = 256
	rechecking  = 4
	recheckTime = 30 * time.Second
	// A page that differed is not compared again for so long; so many are remembered.
	differedFor = 10 * time.Minute
	maxDiffered = 1024
	// recheckAgent names the asker, not the reader.
	recheckAgent = "Mozilla/5.0 (compatible; nt)"
)

// errDiffers reports a page that is not the same for somebody else.
var errDiffers = errors.New("a request without anything of the reader's gets something else")

// compared reports whether content is to be compared with what anybody gets, before it
// is shared: pages, because sites make them for their reader by address, language or
// browser without saying so, and whatever the request asks it for (security row 34).
func (p *plan) compared(h http.Header) bool {
	if p.req.Compare {
		return true
	}
	switch mediaType(h) {
	case "text/html", "application/xhtml+xml":
		return true
	}
	return false
}

// recheck is content that may be shared if somebody else gets the same.
type recheck struct {
	entry cache.Entry
	url   resource.URL
	sum   chunker.Hash
}

// rechecks is the queue of them, and which URLs differed when. The zero value is ready.
type rechecks struct {
	mu       sync.Mutex
	queue    []recheck
	busy     int
	differed map[string]time.Time
}

// add queues a recheck and reports whether a new worker must be started.
func (q *rechecks) add(r recheck, now time.Time) (start bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if at, ok := q.differed[r.entry.URL]; ok && now.Sub(at) < differedFor || len(q.queue) >= maxRechecks {
		return false
	}
	q.queue = append(q.queue, r)
	if q.busy == rechecking {
		return false
	}
	q.busy++
	return true
}

// next returns the next recheck; without one the worker ends.
func (q *rechecks) next() (recheck, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.queue) == 0 {
		q.busy--
		return recheck{}, false
	}
	r := q.queue[0]
	q.queue = q.queue[1:]
	return r, true
}

func (q *rechecks) differs(url string, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.differed == nil || len(q.differed) >= maxDiffered {
		q.differed = make(map[string]time.Time)
	}
	q.differed[url] = now
}

// shareIfSame shares the entry once a request without anything of the reader's got the
// same bytes.
func (n *Node) shareIfSame(r recheck) {
	if n.ann == nil || n.outages.isDown(r.url.Origin()) || !n.rechecks.add(r, n.cfg.Now()) {
		return
	}
	n.filling.start()
	n.work.Go(func() {
		defer n.filling.end()
		for {
			r, ok := n.rechecks.next()
			if !ok {
				return
			}
			if err := n.recheck(r); err != nil {
				n.cfg.Log.Info("not shared", "url", r.url, "why", err)
			}
		}
	})
}

// recheck asks the origin and compares. Nothing changes unless it is the same.
func (n *Node) recheck(r recheck) error {
	ctx, cancel := context.WithTimeout(n.ctx, recheckTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url.String(), nil)
	if err != nil {
		return err
	}
	encoding := r.entry.Encoding()
	if encoding == "" {
		encoding = "identity"
	}
	req.Header = http.Header{"User-Agent": {recheckAgent}, "Accept": {"*/*"}, "Accept-Encoding": {encoding}}
	resp, err := n.cfg.Origin.Do(ctx, req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := n.compare(resp, r); err != nil {
		n.rechecks.differs(r.entry.URL, n.cfg.Now())
		return err
	}
	return n.release(r)
}

// compare says whether the reply may be shared and has the same bytes.
func (n *Node) compare(resp *http.Response, r recheck) error {
	if err := n.cfg.Sharing.Decide(r.url, nil, resp.StatusCode, resp.Header); err != nil {
		return err
	}
	if resp.Header.Get("Content-Encoding") != r.entry.Statement.Header.Get("Content-Encoding") {
		return errDiffers
	}
	sum := sha256.New()
	size, err := io.Copy(sum, io.LimitReader(resp.Body, r.entry.Size()+1))
	if err != nil {
		return fmt.Errorf("comparing: %w", err)
	}
	if size != r.entry.Size() || sumOf(sum) != r.sum {
		return errDiffers
	}
	return nil
}

func sumOf(h hash.Hash) (s chunker.Hash) {
	h.Sum(s[:0])
	return s
}

// release marks the entry as shared and announces it, if it is still what it was.
func (n *Node) release(r recheck) error {
	for _, e := range n.cfg.Cache.Get(r.url) {
		if e.Encoding() != r.entry.Encoding() || e.Object() != r.entry.Object() || e.Invalid || e.Shared {
			continue
		}
		e.Shared = true
		if err := n.cfg.Cache.Put(e); err != nil {
			return err
		}
		n.ann.add(e)
	}
	return nil
}
