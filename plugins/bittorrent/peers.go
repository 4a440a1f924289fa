package bittorrent

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"nt/transport"
)

// dialSoon is how long the client may take to begin a dial.
const dialSoon = time.Second

// visitList asks for a list of peers and starts to visit those that are new, or
// have been lost.
func (f *fetch) visitList(ctx context.Context) {
	peers, err := f.req.Peers(ctx)
	if err != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.lastErr = fmt.Errorf("asking for peers: %w", err)
		return
	}
	unproved := f.firstProof() >= 0
	asked := make(map[netip.AddrPort]bool)
	for _, p := range peers {
		p.Addr = netip.AddrPortFrom(p.Addr.Addr().Unmap(), p.Addr.Port())
		if !usable(p) || asked[p.Addr] {
			continue
		}
		if asked[p.Addr] = true; len(asked) > f.t.opts.MaxPeers {
			return
		}
		l := f.link(p)
		if l == nil || !l.toVisit(unproved, f.count()) {
			continue
		}
		f.visits.Go(func() {
			defer f.rouse()
			defer l.visitEnded()
			select {
			case f.places <- struct{}{}:
				defer func() { <-f.places }()
				(&visit{f: f, l: l, from: -1}).run(ctx)
			case <-ctx.Done():
			}
		})
	}
}

// usable reports whether p can be asked at all. Whether its address may be
// dialled is the dialler's decision.
func usable(p transport.Peer) bool {
	a := p.Addr.Addr()
	return p.Addr.IsValid() && p.Addr.Port() != 0 && a.Zone() == "" && !a.IsUnspecified() && !a.IsMulticast() &&
		(len(p.Transports) == 0 || p.Speaks(Name))
}

// link returns the peer's link, or nil if there are too many.
func (f *fetch) link(p transport.Peer) *link {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.links[p.Addr]
	if l == nil && len(f.links) < maxLinks {
		l = &link{peer: p}
		f.links[p.Addr] = l
	}
	return l
}

// firstProof returns the first proof to ask for, or -1 if all are known.
func (f *fetch) firstProof() int {
	h, ok := f.req.Sink.Header()
	if !ok {
		return 0
	}
	if m := f.unproved(h); m < h.NumMetaChunks() {
		return m
	}
	return -1
}

// dial is the client's way to a peer.
func (f *fetch) dial(ctx context.Context, addr string, serves *content) (net.Conn, error) {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	l := f.links[ap]
	f.mu.Unlock()
	if l == nil || !l.dials() {
		return nil, fmt.Errorf("peer %s is not wanted", addr)
	}
	defer f.rouse()
	defer l.dialEnded()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(f.ctx, cancel)()
	nc, err := f.t.env.Dial(ctx, "tcp", addr)
	if err != nil {
		f.dead(l, err)
		return nil, err
	}
	c := f.wrap(l, nc, serves, func() {})
	if !l.opened(c) {
		c.Close()
		return nil, fmt.Errorf("peer %s is not wanted", addr)
	}
	return c, nil
}

// incoming is how a Fetch's swarm sees somebody who came by himself: as a peer
// that nobody named. Whoever was found bad may not come back from that address.
func (f *fetch) incoming(nc net.Conn, leave func(), serves *content) *conn {
	var p transport.Peer
	if ap, err := netip.ParseAddrPort(nc.RemoteAddr().String()); err == nil {
		p.Addr = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	l := &link{peer: p, guest: true}
	c := f.wrap(l, nc, serves, leave)
	f.mu.Lock()
	welcome := !f.banned[p.Addr.Addr()] && f.links[p.Addr] == nil && len(f.links) < maxLinks
	if welcome {
		f.links[p.Addr] = l
	}
	f.mu.Unlock()
	if !welcome || !l.opened(c) {
		c.Close()
	}
	return c
}

// wrap makes a connection one of the peer's.
func (f *fetch) wrap(l *link, nc net.Conn, serves *content, leave func()) *conn {
	c := &conn{Conn: nc, remote: l, content: serves, limit: f.limit}
	c.ctx, c.cancel = context.WithCancel(f.ctx)
	c.onEnd = func() {
		leave()
		if why, last := l.closed(c); last {
			f.dead(l, why)
			f.forget(l)
		}
		f.rouse()
	}
	return c
}

// forget drops a peer that came by itself once it has gone.
func (f *fetch) forget(l *link) {
	if !l.guest || !f.enter() {
		return
	}
	defer f.leave()
	f.tell(l)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.links, l.peer.Addr)
}

// blame leaves a peer that delivered wrong bytes or broke the protocol, and
// returns why. It must be called with the door held, or from a visit.
func (f *fetch) blame(l *link, why error) error {
	if l == nil || !l.condemn() {
		return why
	}
	f.mu.Lock()
	f.lastErr = fmt.Errorf("peer %s: %w", l, why)
	if l.guest {
		f.banned[l.peer.Addr.Addr()] = true
	}
	f.mu.Unlock()
	f.t.log.Debug("peer failed", "peer", l.peer.Addr, "bad", true, "err", why)
	f.observe(transport.Event{Kind: transport.EventBadPeer, Peer: l.peer, Err: why})
	l.cut(why)
	f.rouse()
	return why
}

// dead tells of a peer that did not answer or broke off.
func (f *fetch) dead(l *link, why error) {
	if f.ctx.Err() != nil || !f.enter() {
		return
	}
	defer f.leave()
	if f.complete() {
		return // there was nothing left to say to each other
	}
	f.mu.Lock()
	f.lastErr = fmt.Errorf("peer %s: %w", l, why)
	f.mu.Unlock()
	f.t.log.Debug("peer failed", "peer", l.peer.Addr, "bad", false, "err", why)
	f.observe(transport.Event{Kind: transport.EventDeadPeer, Peer: l.peer, Err: why})
}

// overhead tells of bytes that were not content.
func (f *fetch) overhead(l *link, n int) {
	if n > 0 {
		f.observe(transport.Event{Kind: transport.EventOverhead, Peer: l.peer, Bytes: n})
	}
}

// tell tells of the BitTorrent protocol's own bytes.
func (f *fetch) tell(l *link) { f.overhead(l, int(l.overhead())) }

func (f *fetch) observe(e transport.Event) {
	if f.req.Observe != nil {
		f.req.Observe(e)
	}
}
