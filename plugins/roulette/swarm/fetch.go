package swarm

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"nt/plugins/roulette"
	"nt/transport"
	"time"
)

// fetch is one call of Fetch.
type fetch struct {
	swarm *swarm
	ctx   context.Context
	req   transport.Request
	named map[netip.AddrPort]transport.Peer // as the locator named them
	done  chan error                        // buffered

	over      bool
	moved     time.Duration             // last new chunk
	stored    int64                     // bytes of new content
	heard     int64                     // bytes of content received, new or not
	unreached error                     // why the last peer that could not be reached could not; of all, that NATs forbid it
	checks    int                       // how often it was looked at
	foreign   map[transport.PeerID]bool // peers on another wire

	asking bool          // a Peers call is under way
	asked  int           // Peers calls since the last new chunk, or word of a peer that has some
	alone  int           // of those, calls made while there was nobody, not even somebody to be dialled
	askAt  time.Duration // not before
}

// Pacing of Peers calls, and how many without success end a fetch that has nobody.
const (
	askLongest = 5 * time.Second
	askInVain  = 4
	askAlone   = 2 // and as many of them without anybody: who is dialled is there, and a crowded holder answers late
	joinAtOnce = 3
	maxNamed   = 1024
)

// progress notes a new chunk, or what is worth as much.
func (f *fetch) progress() { f.moved, f.asked, f.alone = f.swarm.node.now(), 0, 0 }

// askPeers asks the locator, unless that is under way or was just done.
func (f *fetch) askPeers(now time.Duration) {
	if f.asking || f.over || f.req.Peers == nil || now < f.askAt {
		return
	}
	f.asking = true
	if f.swarm.core.Degree() == 0 {
		f.alone++
	}
	n := f.swarm.node
	n.work.Go(func() {
		peers, err := f.req.Peers(f.ctx)
		n.post(func() { f.offer(peers, err) })
	})
}

// offer gives the core the peers a locator named. The first few are asked as
// seeds are, for what a locator lists usually holds everything; who is fetching itself is greeted.
func (f *fetch) offer(peers []transport.Peer, err error) {
	n := f.swarm.node
	now := n.now()
	f.asking = false
	if f.over {
		return
	}
	if err != nil {
		n.log.Debug("no more peers for now", "object", f.swarm.object, "err", err)
	}
	f.askAt = now + min(n.opts.AskWait<<min(f.asked, 8), askLongest)
	f.asked++
	var joins, readers, rest []roulette.Introduction
	for _, p := range peers {
		if !n.mayMeet(p) || f.foreign[p.ID] {
			continue
		}
		if len(f.named) < maxNamed {
			f.named[p.Addr] = p
		}
		switch in := (roulette.Introduction{Peer: p, Token: p.Token}); {
		case p.Reading:
			readers = append(readers, in)
		case len(joins) < joinAtOnce:
			joins = append(joins, in)
		default:
			rest = append(rest, in)
		}
	}
	f.swarm.core.Join(now, joins, readers)
	f.swarm.core.AddPeers(now, rest)
	f.swarm.act()
	f.checkForeign()
}

// blockedAfter is how often a node to which no datagram ever came is looked at before it gives up:
// after 2.5 s, when a dial has been repeated twice, or later on a machine too busy to look.
const blockedAfter = int(2500 * time.Millisecond / housekeeping)

// check ends a fetch that does not move.
func (f *fetch) check(now time.Duration) {
	if f.over {
		return
	}
	f.checks++
	switch {
	case f.checks >= blockedAfter && len(f.named) > 0 && f.swarm.node.wire.Stats().In == 0:
		f.finish(fmt.Errorf("%w: nothing at all came back by UDP, from %d peers: it is blocked here, or they are gone", transport.ErrNoProgress, len(f.named)))
	case now-f.moved >= f.swarm.node.opts.Stall:
		f.finish(f.because(fmt.Errorf("%w: nothing new for %v from %d neighbours", transport.ErrNoProgress, f.swarm.node.opts.Stall, f.swarm.core.Degree())))
	case f.swarm.core.Degree() > 0 || f.asking:
	case f.asked >= askInVain && f.alone >= askAlone:
		f.finish(f.because(fmt.Errorf("%w: none of %d peers answers", transport.ErrNoProgress, len(f.named))))
	default:
		if f.alone < askAlone {
			f.askAt = min(f.askAt, now)
		}
		f.askPeers(now)
	}
}

// because adds why a peer could not be reached, if one could not.
func (f *fetch) because(err error) error {
	if f.unreached == nil {
		return err
	}
	return fmt.Errorf("%w; %w", err, f.unreached)
}

// finish ends the fetch; nothing touches the Sink after it.
func (f *fetch) finish(err error) {
	if f.over {
		return
	}
	f.over = true
	if extra := f.heard - f.stored; extra > 0 {
		f.swarm.observe(transport.EventOverhead, transport.Peer{}, int(extra), nil)
	}
	n := f.swarm.node
	delete(n.fetching, f.swarm.object)
	n.tellAfter(f.swarm.object, false)
	n.later(func() { // after the core's present actions
		f.swarm.leave()
		f.done <- err
	})
}

// Fetch implements transport.Transport.
func (n *Node) Fetch(ctx context.Context, req transport.Request) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	started := make(chan *fetch, 1)
	n.post(func() { started <- n.begin(ctx, req, done) })
	var f *fetch
	select {
	case f = <-started:
	case <-n.ctx.Done():
		return fmt.Errorf("%w: the transport is closed", transport.ErrNoProgress)
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	case <-n.ctx.Done():
		return fmt.Errorf("%w: the transport is closed", transport.ErrNoProgress)
	}
	n.post(func() { f.finish(ctx.Err()) })
	select {
	case err := <-done:
		return err
	case <-n.ctx.Done():
		return ctx.Err()
	}
}

var errTwice = errors.New("the object is being fetched already")

// begin starts a swarm for a fetch.
func (n *Node) begin(ctx context.Context, req transport.Request, done chan error) *fetch {
	f := &fetch{ctx: ctx, req: req, named: map[netip.AddrPort]transport.Peer{}, foreign: map[transport.PeerID]bool{}, done: done, moved: n.now()}
	if n.fetching[req.Object] != nil {
		f.over = true
		done <- fmt.Errorf("%w: %w", transport.ErrNoProgress, errTwice)
		return f
	}
	f.swarm = n.newSwarm(req.Object, newFilling(req.Sink), fetching, req.Limit)
	f.swarm.fetch = f
	n.fetching[req.Object] = f.swarm
	if f.swarm.core.Done() {
		f.finish(nil)
		return f
	}
	f.askPeers(n.now())
	n.tellAfter(req.Object, true)
	if req.Arrivals != nil {
		n.work.Go(func() { f.hearArrivals() })
	}
	return f
}

// hearArrivals tells the core of chunks that came by another way, until the fetch ends.
func (f *fetch) hearArrivals() {
	n := f.swarm.node
	for {
		select {
		case i := <-f.req.Arrivals:
			n.post(func() {
				if !f.over {
					f.moved = n.now()
					f.swarm.core.Arrived(f.moved, i)
					f.swarm.act()
				}
			})
		case <-f.ctx.Done():
			return
		case <-n.ctx.Done():
			return
		}
	}
}
