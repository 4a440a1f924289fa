package peer

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"sync"
	"time"

	"nt/internal/resource"
)

// joinWindow is for how long after its answer a response may still be joined by
// a reader who asks now: long enough for a crowd, too short to be a cache.
const joinWindow = 5 * time.Second

// flight is one request at the origin for one or several readers.
type flight struct {
	key    string // "" for a flight that nobody may join
	plan   *plan  // of the reader who started it
	ctx    context.Context
	cancel context.CancelCauseFunc
	// answered is closed when resp or err is set.
	answered chan struct{}
	resp     *http.Response
	err      error
	at       time.Time // when it was answered
	began    time.Time
	trailer  []string // names of its trailer fields, read before the body is
	base     int64    // where in the representation the body starts (206)
	fill     *fill    // nil: the body is for one reader only
	// joinable: readers who come after the answer may follow.
	joinable bool

	mu      sync.Mutex
	readers int // in await
	claimed bool
	helps   *fetch        // whose neighbour the answer is to be; nil: it is for readers
	full    bool          // boarded is closed
	boarded chan struct{} // closed when everybody who waited for the answer has it
}

// flights are those that may be joined. The zero value is ready.
type flights struct {
	mu sync.Mutex
	m  map[string]*flight
}

// enter returns the flight a request may join, or the one that it must start.
func (fs *flights) enter(n *Node, p *plan) (fl *flight, start bool) {
	if !p.collapse {
		return newFlight(n, p, ""), true
	}
	key := p.req.HTTP.URL.String() + "\x00" + p.req.HTTP.Host + "\x00" + p.req.HTTP.Header.Get("Accept-Encoding")
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fl := fs.m[key]; fl != nil && fl.join(n.cfg.Now()) {
		return fl, false
	}
	if fs.m == nil {
		fs.m = make(map[string]*flight)
	}
	fl = newFlight(n, p, key)
	fs.m[key] = fl
	return fl, true
}

// drop makes the flight one that cannot be joined any more.
func (fs *flights) drop(fl *flight) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.m[fl.key] == fl {
		delete(fs.m, fl.key)
	}
}

func newFlight(n *Node, p *plan, key string) *flight {
	fl := &flight{key: key, plan: p, answered: make(chan struct{}), boarded: make(chan struct{}), readers: 1, began: n.cfg.Now()}
	// The flight outlives its first reader, but not the node.
	fl.ctx, fl.cancel = context.WithCancelCause(context.WithoutCancel(p.ctx))
	stop := context.AfterFunc(n.ctx, func() { fl.cancel(ErrClosed) })
	context.AfterFunc(fl.ctx, func() { stop() })
	return fl
}

// join adds a reader if the flight may be joined now.
func (fl *flight) join(now time.Time) bool {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	select {
	case <-fl.answered:
		if !fl.joinable || now.Sub(fl.at) > joinWindow {
			return false
		}
	default:
	}
	if fl.ctx.Err() != nil {
		return false
	}
	fl.readers++
	return true
}

// leave ends a reader's waiting. A flight that nobody waits for, and whose body
// nobody took, is over.
func (fl *flight) leave() {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	if fl.readers--; fl.readers > 0 {
		return
	}
	if !fl.claimed {
		fl.cancel(errAbandoned)
	} else if fl.fill != nil && !fl.full {
		fl.full = true
		close(fl.boarded)
	}
}

// claim takes the body; only the first gets it, unless it is a fill's.
func (fl *flight) claim() bool {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	first := !fl.claimed
	fl.claimed = true
	return first || fl.fill != nil
}

// fly asks the origin.
func (n *Node) fly(fl *flight) {
	ctx := fl.plan.informed(fl.ctx)
	resp, err := n.cfg.Origin.Do(ctx, fl.plan.ask)
	fl.mu.Lock()
	fl.resp, fl.err, fl.at = resp, err, n.cfg.Now()
	if err == nil {
		fl.trailer = slices.Collect(maps.Keys(resp.Trailer))
		if fl.helps == nil {
			n.prepare(fl)
		}
	}
	abandoned := fl.readers == 0 && fl.helps == nil
	fl.mu.Unlock()
	if fl.unchanged() { // its readers are to find the copy as it is now
		n.confirm(fl)
	}
	close(fl.answered)
	if fl.helps != nil {
		n.flights.drop(fl)
		n.filling.end()
		n.lateHelp(fl)
		return
	}
	if fl.fill != nil {
		n.feed(fl)
		return
	}
	if !fl.unchanged() {
		n.confirm(fl)
	}
	n.filling.end()
	n.flights.drop(fl)
	if err == nil && abandoned {
		resp.Body.Close()
	}
	if err != nil {
		fl.cancel(nil)
	}
}

// prepare decides what becomes of the body: a fill if it may be shared with
// other readers, kept, or continued from a copy.
func (n *Node) prepare(fl *flight) {
	p, resp := fl.plan, fl.resp
	get := p.req.HTTP.Method == http.MethodGet || p.req.HTTP.Method == ""
	if !get || !p.copies || p.own || resp.ContentLength == 0 || endless(resp.Header) {
		return
	}
	size := resp.ContentLength
	h := resp.Header
	if resp.StatusCode == http.StatusPartialContent {
		off, length, _, ok := parseContentRange(h.Get("Content-Range"))
		if !ok || size >= 0 && size != length {
			return
		}
		fl.base, size = off, length
		h = h.Clone()
		h.Del("Content-Range")
	} else if resp.StatusCode != http.StatusOK {
		return
	}
	if resource.Shareable(p.req.HTTP.Header, http.StatusOK, h) != nil {
		return
	}
	if verified(resp) {
		p.digest.Store(reprDigest(h))
	}
	fl.fill = newFill(size, n.spoolFor(fl, size), fl.cancel)
	fl.joinable = fl.key != "" && fl.fill.spool != nil && !hasDirective(h, "no-cache") && !hasDirective(h, "max-age=0")
}

// endless reports whether a response is a stream without an end.
func endless(h http.Header) bool {
	switch mediaType(h) {
	case "text/event-stream", "multipart/x-mixed-replace":
		return true
	}
	return false
}

// informed passes 1xx answers on for as long as the reader's Do runs.
func (p *plan) informed(ctx context.Context) context.Context {
	if p.req.Informational == nil {
		return ctx
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		p.informing.Lock()
		defer p.informing.Unlock()
		if p.returned {
			return nil
		}
		return p.req.Informational(code, h)
	}})
}
