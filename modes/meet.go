package modes

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"nt/chunker"
	"nt/internal/resource"
	"nt/peer"
	"nt/tracker/client"
	"nt/transport"
)

// introducible is a transport that reaches peers behind NATs with the help of
// nodes that have sessions with them.
type introducible interface {
	AddIntroducer(ctx context.Context, addr netip.AddrPort, id transport.PeerID, topicOf func(chunker.ObjectID) [32]byte) error
}

// asking is a transport that sends questions from the socket that its peers meet: a tracker's answer by UDP brings
// introductions to that very address.
type asking interface {
	Ask(ctx context.Context, addr netip.AddrPort, question []byte) ([]byte, error)
}

// askThrough returns how to ask trackers by UDP; nil if no transport can.
func askThrough(transports []transport.Transport) func(context.Context, netip.AddrPort, []byte) ([]byte, error) {
	for _, t := range transports {
		if a, ok := t.(asking); ok {
			return a.Ask
		}
	}
	return nil
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

// How long a lookup goes alone, and how long to wait before a tracker's rendezvous is tried again.
const (
	meetBeside  = 500 * time.Millisecond
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
	// The answer says where to open the session, and opens the tracker's gate for it. When that takes long the
	// session is opened meanwhile.
	defer time.AfterFunc(meetBeside, m.start).Stop()
	defer m.start()
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
		if addr, id, err := c.Rendezvous(m.ctx); err == nil && id != nil {
			_ = t.AddIntroducer(m.ctx, addr, *id, c.TopicOf) // ends when the session does; the next turn tries again
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

func (m *meeting) close() {
	m.stop()
	m.work.Wait()
}
