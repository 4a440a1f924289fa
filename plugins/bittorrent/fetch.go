package bittorrent

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"nt/chunker/nois"
	"nt/transport"
)

const (
	// maxWait bounds the doubling pause between two lists of peers.
	maxWait = 10 * time.Second
	// maxVisits is how many peers are asked for their hint at a time.
	maxVisits = 8
	// maxLinks is how many peers one Fetch remembers.
	maxLinks = 4096
)

// fetch is one running Fetch.
type fetch struct {
	t     *Transport
	req   transport.Request
	ctx   context.Context
	limit *rate.Limiter // nil: unlimited
	wake  chan struct{} // something happened that the loop should look at

	door sync.RWMutex // held to read while the Sink is touched
	over bool         // nothing may touch the Sink or Observe any more

	visits  sync.WaitGroup
	places  chan struct{} // one for each visit that may run
	proving sync.Mutex    // held by the visit that fetches proofs

	mu      sync.Mutex
	links   map[netip.AddrPort]*link
	rooms   map[infohash]*room
	banned  map[netip.Addr]bool // guests from there
	have    nois.Set            // chunks that are known to be there
	told    nois.Set            // chunks that were there at the start, or that Observe heard of
	proved  int                 // MetaChunks below are proved
	last    time.Time
	failed  error // of the Sink
	lastErr error // of the last peer that failed
}

// Fetch joins the object's swarm until the sink is complete.
func (t *Transport) Fetch(ctx context.Context, req transport.Request) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(t.ctx, func() { cancel(errClosed) })()
	f := newFetch(ctx, t, req)
	err := f.run(ctx)
	f.end(cancel)
	switch {
	case err == nil || ctx.Err() == nil || f.failed != nil:
		return err
	case t.ctx.Err() != nil:
		return fmt.Errorf("fetching %s: %w", req.Object, errClosed)
	default:
		return err
	}
}

func newFetch(ctx context.Context, t *Transport, req transport.Request) *fetch {
	f := &fetch{
		t: t, req: req, ctx: ctx, limit: newLimit(req.Limit), wake: make(chan struct{}, 1), places: make(chan struct{}, maxVisits),
		links: make(map[netip.AddrPort]*link), rooms: make(map[infohash]*room), banned: make(map[netip.Addr]bool),
	}
	f.have.Union(req.Sink.Have())
	f.told.Union(&f.have)
	return f
}

// run asks for list after list until the sink is complete or nobody helps.
func (f *fetch) run(ctx context.Context) error {
	f.last = time.Now()
	for idle := 0; !f.complete(); {
		before := f.count()
		f.visitList(ctx)
		nobody, err := f.watch(ctx)
		if err != nil {
			return err
		}
		if !nobody || f.count() > before {
			idle = 0
		} else if idle++; idle >= f.t.opts.MaxRounds {
			return f.noProgress(errors.New("nobody is there"))
		}
		if nobody && !f.complete() {
			if err := sleep(ctx, min(f.t.opts.RetryWait<<min(idle, 6), maxWait)); err != nil {
				return fmt.Errorf("fetching %s: %w", f.req.Object, err)
			}
		}
	}
	return nil
}

// watch waits until it is time for the next list, the sink is complete, or nobody
// is left to wait for.
func (f *fetch) watch(ctx context.Context) (nobody bool, err error) {
	next := time.NewTimer(f.t.opts.PeersInterval)
	defer next.Stop()
	look := time.NewTicker(max(f.t.opts.StallTimeout/8, time.Millisecond))
	defer look.Stop()
	for {
		f.mu.Lock()
		failed, quiet := f.failed, time.Since(f.last)
		f.mu.Unlock()
		switch {
		case failed != nil:
			return false, failed
		case ctx.Err() != nil:
			return false, fmt.Errorf("fetching %s: %w", f.req.Object, ctx.Err())
		case f.complete():
			return false, nil
		case quiet > f.t.opts.NoProgressTimeout:
			return false, f.noProgress(fmt.Errorf("nothing came for %v", quiet.Round(time.Millisecond)))
		case !f.alive():
			return true, nil
		}
		select {
		case <-ctx.Done():
		case <-next.C:
			return false, nil
		case <-look.C:
			f.look()
		case <-f.wake:
		}
	}
}

// look finds stalled peers, and pieces that others have completed.
func (f *fetch) look() {
	least := int64(float64(f.t.opts.MinRate) * f.t.opts.StallTimeout.Seconds())
	if f.limit != nil {
		least = 1
	}
	now := time.Now()
	for _, l := range f.allLinks() {
		if l.stalled(now, f.t.opts.StallTimeout, least) {
			l.cut(errStalled)
		}
	}
	f.sync()
}

// end stops everything that could touch the Sink, and waits for it.
func (f *fetch) end(cancel context.CancelCauseFunc) {
	cancel(errClosed)
	f.visits.Wait()
	for _, r := range f.allRooms() {
		f.t.rooms.leave(r)
		r.shut()
	}
	f.door.Lock()
	defer f.door.Unlock()
	f.over = true
	for _, l := range f.allLinks() {
		f.tell(l)
	}
}

// rouse makes the loop look.
func (f *fetch) rouse() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// fail ends the Fetch with an error of the Sink.
func (f *fetch) fail(err error) {
	f.mu.Lock()
	if f.failed == nil {
		f.failed = err
	}
	f.mu.Unlock()
	f.rouse()
}

func (f *fetch) noProgress(why error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lastErr != nil {
		return fmt.Errorf("fetching %s: %w: %w; last failure: %w", f.req.Object, transport.ErrNoProgress, why, f.lastErr)
	}
	return fmt.Errorf("fetching %s: %w: %w", f.req.Object, transport.ErrNoProgress, why)
}

// alive reports whether anything may come without asking anybody else.
func (f *fetch) alive() bool {
	for _, l := range f.allLinks() {
		if l.alive() {
			return true
		}
	}
	return false
}

func (f *fetch) allLinks() []*link {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]*link, 0, len(f.links))
	for _, l := range f.links {
		all = append(all, l)
	}
	return all
}

func (f *fetch) allRooms() []*room {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]*room, 0, len(f.rooms))
	for _, r := range f.rooms {
		all = append(all, r)
	}
	return all
}
