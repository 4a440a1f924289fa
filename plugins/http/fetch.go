package http

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/time/rate"

	"nt/chunker/nois"
	"nt/transport"
)

// maxWait bounds the doubling pause between two lists of peers.
const maxWait = 10 * time.Second

// maxAsks bounds the requests of one visit: a holder of crumbs gets its turn
// again with the next list.
const maxAsks = 256

// fetch is one running Fetch. One goroutine owns it.
type fetch struct {
	t       *Transport
	req     transport.Request
	limit   *rate.Limiter           // nil: unlimited
	bad     map[netip.AddrPort]bool // never asked again
	got     int                     // chunks delivered so far
	lastErr error                   // of the last peer that failed
	buf     []byte                  // one chunk
	others  nois.Set                // chunks that came by another way
	silent  map[netip.AddrPort]int  // got, when this peer let us wait for nothing
	inVain  int                     // such waits in a row
}

// Fetch asks the peers one after another until the sink is complete (N11).
func (t *Transport) Fetch(ctx context.Context, req transport.Request) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(t.ctx, func() { cancel(errClosed) })()
	f := &fetch{t: t, req: req, limit: newLimit(req.Limit), bad: make(map[netip.AddrPort]bool), silent: make(map[netip.AddrPort]int)}
	err := f.run(ctx)
	switch {
	case err == nil || ctx.Err() == nil:
		return err
	case t.ctx.Err() != nil:
		return fmt.Errorf("fetching %s: %w", req.Object, errClosed)
	default:
		return fmt.Errorf("fetching %s: %w", req.Object, ctx.Err())
	}
}

// run asks list after list, until a number of them in a row brought nothing.
func (f *fetch) run(ctx context.Context) error {
	for idle := 0; ; {
		if f.complete() {
			return nil
		}
		before := f.got
		asked, err := f.askList(ctx)
		if err != nil {
			return err
		}
		if f.complete() {
			return nil
		}
		if idle++; f.got > before {
			idle = 0
		}
		if idle >= f.t.opts.MaxRounds || idle > 1 && asked == 0 && len(f.silent) > 0 {
			return f.noProgress()
		}
		if err := sleep(ctx, min(f.t.opts.RetryWait<<min(idle, 6), maxWait)); err != nil {
			return err
		}
	}
}

func (f *fetch) noProgress() error {
	if f.lastErr == nil {
		return fmt.Errorf("fetching %s: %w", f.req.Object, transport.ErrNoProgress)
	}
	return fmt.Errorf("fetching %s: %w; last failure: %w", f.req.Object, transport.ErrNoProgress, f.lastErr)
}

// askList asks for a list of peers, visits each once, in order, and returns how many there were
// to visit. It returns an error only for what ends the whole fetch.
func (f *fetch) askList(ctx context.Context) (visits int, err error) {
	peers, err := f.req.Peers(ctx)
	if err != nil {
		f.lastErr = fmt.Errorf("asking for peers: %w", err)
		return 0, ctx.Err()
	}
	asked := make(map[netip.AddrPort]bool)
	for _, p := range peers {
		p.Addr = netip.AddrPortFrom(p.Addr.Addr().Unmap(), p.Addr.Port())
		if !usable(p) || f.bad[p.Addr] || asked[p.Addr] {
			continue
		}
		if asked[p.Addr] = true; len(asked) > f.t.opts.MaxPeers {
			break
		}
		if f.stillSilent(p) {
			continue
		}
		visits++
		err := f.visit(ctx, p)
		if ctx.Err() != nil {
			return visits, ctx.Err()
		}
		if err := f.judge(p, err); err != nil || f.complete() {
			return visits, err
		}
	}
	return visits, nil
}

// stillSilent reports whether p is not worth another wait: it let us wait in vain, and since then
// nothing has come from anybody that would say the network is better than that.
func (f *fetch) stillSilent(p transport.Peer) bool {
	got, was := f.silent[p.Addr]
	return was && got == f.got
}

// leastPatience is what a peer gets at least for its first byte: a lost SYN costs a second.
const leastPatience = 1500 * time.Millisecond

// patience is how long the next peer may take for its first byte: less when those before it
// said nothing at all, as whole lists of peers that are gone do.
func (f *fetch) patience() time.Duration {
	usual := f.t.opts.FirstByteTimeout
	return min(usual, max(usual>>min(f.inVain, 8), leastPatience))
}

// usable reports whether p can be asked at all. Whether its address may be
// dialled is the dialler's decision.
func usable(p transport.Peer) bool {
	a := p.Addr.Addr()
	return p.Addr.IsValid() && p.Addr.Port() != 0 && a.Zone() == "" && !a.IsUnspecified() && !a.IsMulticast() &&
		(len(p.Transports) == 0 || p.Speaks(Name))
}

// judge turns how a visit ended into an event. It returns the error if it is not
// the peer's.
func (f *fetch) judge(p transport.Peer, err error) error {
	var fault *peerFault
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &fault):
		return fmt.Errorf("storing %s: %w", f.req.Object, err)
	}
	if fault.silent {
		f.silent[p.Addr] = f.got
		f.inVain++
	}
	f.lastErr = fmt.Errorf("peer %s: %w", p.Addr, fault.err)
	kind := transport.EventDeadPeer
	if fault.bad {
		kind = transport.EventBadPeer
		f.bad[p.Addr] = true
	}
	f.t.log.Debug("peer failed", "peer", p.Addr, "bad", fault.bad, "err", fault.err)
	f.observe(transport.Event{Kind: kind, Peer: p, Err: fault.err})
	return nil
}

// visit takes from p what is missing and p holds, from the first chunk on.
func (f *fetch) visit(ctx context.Context, p transport.Peer) error {
	from := 0
	for range maxAsks {
		asked := f.missing(from)
		if asked.empty() {
			return nil
		}
		next, err := f.ask(ctx, p, asked)
		if err != nil {
			return err
		}
		from = next
	}
	return nil
}

// missing returns the first run of missing chunks at or after from; it is open
// as long as the header is not known, and empty if nothing is missing.
func (f *fetch) missing(from int) span {
	h, ok := f.req.Sink.Header()
	if !ok {
		return span{from, maxChunks}
	}
	return missingRun(f.req.Sink.Have(), span{from, h.NumChunks()})
}

// complete reports whether the sink holds the whole object.
func (f *fetch) complete() bool {
	_, ok := f.req.Sink.Header()
	return ok && f.missing(0).empty()
}

// arrived reports whether all chunks of iv came by another way (transport.Request.Arrivals).
func (f *fetch) arrived(iv nois.Interval) bool {
	for {
		select {
		case i := <-f.req.Arrivals:
			f.others.Add(uint32(i))
		default:
			return f.others.Count() > 0 && f.others.ContainsRange(iv)
		}
	}
}

func (f *fetch) observe(e transport.Event) {
	if f.req.Observe != nil {
		f.req.Observe(e)
	}
}

// newLimit returns the limiter of a Fetch. Its burst, and with it the largest
// single read, is a tenth of a second's worth within 1 and 64 KiB.
func newLimit(bytesPerSecond int64) *rate.Limiter {
	if bytesPerSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(bytesPerSecond), int(min(max(bytesPerSecond/10, 1<<10), 64<<10)))
}

// pace waits until lim lets n bytes through. Unlike WaitN it does not give up
// early because the context will end before.
func pace(ctx context.Context, lim *rate.Limiter, n int) error {
	if lim == nil {
		return ctx.Err()
	}
	if d := lim.ReserveN(time.Now(), n).Delay(); d > 0 {
		return sleep(ctx, d)
	}
	return ctx.Err()
}

// sleep waits, or returns the context's error when that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
