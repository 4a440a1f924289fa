package modes

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"nt/internal/resource"
	"nt/peer"
	"nt/tracker/client"
	"nt/transport"
)

// introducible is a transport that reaches peers behind NATs with the help of
// nodes that have sessions with them.
type introducible interface {
	AddIntroducer(ctx context.Context, addr netip.AddrPort, id transport.PeerID) error
}

// meeting keeps a UDP session with each tracker, so that peers can be introduced
// to this node and this node to peers (F43, F44). It starts with the first word to a tracker,
// not before: while origins answer, no tracker hears of a node that shares nothing.
type meeting struct {
	peer.Locator
	clients    []*client.Client
	transports []introducible

	ctx  context.Context
	stop context.CancelFunc
	once sync.Once
	work sync.WaitGroup
}

// How long to wait before a tracker's rendezvous is tried again.
const (
	meetAgain   = 2 * time.Second
	meetLongest = time.Minute
)

func newMeeting(l peer.Locator, clients []*client.Client, transports []transport.Transport) *meeting {
	m := &meeting{Locator: l, clients: clients}
	m.ctx, m.stop = context.WithCancel(context.Background())
	for _, t := range transports {
		if i, ok := t.(introducible); ok {
			m.transports = append(m.transports, i)
		}
	}
	return m
}

// Lookup implements peer.Locator.
func (m *meeting) Lookup(ctx context.Context, key resource.Key) (peer.Found, error) {
	m.start()
	return m.Locator.Lookup(ctx, key)
}

// Announce implements peer.Locator.
func (m *meeting) Announce(ctx context.Context, items []peer.Announcement) (peer.Announced, error) {
	m.start()
	return m.Locator.Announce(ctx, items)
}

func (m *meeting) start() {
	m.once.Do(func() {
		for _, c := range m.clients {
			for _, t := range m.transports {
				m.work.Go(func() { m.keep(c, t) })
			}
		}
	})
}

// keep holds a session with one tracker until close.
func (m *meeting) keep(c *client.Client, t introducible) {
	for wait := meetAgain; m.ctx.Err() == nil; wait = min(2*wait, meetLongest) {
		began := time.Now()
		if addr, id, ok := m.locate(c); ok {
			_ = t.AddIntroducer(m.ctx, addr, id) // ends when the session does; the next turn tries again
		}
		if time.Since(began) > meetLongest {
			wait = meetAgain
		}
		select {
		case <-m.ctx.Done():
		case <-time.After(wait):
		}
	}
}

// locate asks a tracker for the key of its UDP sessions, which are on its TCP port's number.
func (m *meeting) locate(c *client.Client) (netip.AddrPort, transport.PeerID, bool) {
	info, err := c.Info(m.ctx)
	if err != nil || info.Key == nil {
		return netip.AddrPort{}, transport.PeerID{}, false
	}
	host, port := c.Address()
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return netip.AddrPort{}, transport.PeerID{}, false
	}
	addrs, err := net.DefaultResolver.LookupNetIP(m.ctx, "ip", host)
	if err != nil || len(addrs) == 0 {
		return netip.AddrPort{}, transport.PeerID{}, false
	}
	return netip.AddrPortFrom(addrs[0].Unmap(), uint16(number)), *info.Key, true
}

func (m *meeting) close() {
	m.stop()
	m.work.Wait()
}
