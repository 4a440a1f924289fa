package trackerlocator

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"nt/chunker"
	"nt/internal/resource"
	"nt/peer"
	"nt/peer/trust"
	"nt/tracker"
	"nt/tracker/client"
	"nt/transport"
)

// Locator asks all its trackers at once. It implements peer.Locator.
type Locator struct {
	clients []*client.Client
	want    int // holders asked of every tracker
}

// New returns a Locator over the clients; there must be one at least. want is
// how many holders to ask every tracker for, 0 for the tracker's own choice.
func New(clients []*client.Client, want int) (*Locator, error) {
	if len(clients) == 0 {
		return nil, errors.New("no tracker is configured")
	}
	return &Locator{clients: clients, want: want}, nil
}

// each runs f for every tracker at once and returns its errors by tracker.
func (l *Locator) each(f func(i int, c *client.Client) error) []error {
	errs := make([]error, len(l.clients))
	var wg sync.WaitGroup
	for i, c := range l.clients {
		wg.Go(func() { errs[i] = f(i, c) })
	}
	wg.Wait()
	return errs
}

// allFailed returns the errors if every tracker failed, and nil otherwise.
func allFailed(errs []error) error {
	for _, err := range errs {
		if err == nil {
			return nil
		}
	}
	return errors.Join(errs...)
}

// Lookup implements peer.Locator. It fails only if no tracker could be asked.
func (l *Locator) Lookup(ctx context.Context, key resource.Key) (peer.Found, error) {
	answers := make([]client.Answer, len(l.clients))
	errs := l.each(func(i int, c *client.Client) (err error) {
		answers[i], err = c.Find(ctx, key, l.want)
		return err
	})
	if err := allFailed(errs); err != nil {
		return peer.Found{}, fmt.Errorf("looking up holders: %w", err)
	}
	return l.merge(answers), nil
}

// merge puts the trackers' answers together, in turns, so that no tracker's
// holders come before all of another's.
func (l *Locator) merge(answers []client.Answer) peer.Found {
	found := peer.Found{Headers: map[chunker.ObjectID]chunker.Header{}}
	seen := make(map[netip.AddrPort]int)
	for turn := 0; turn < tracker.MaxWant; turn++ {
		for i, a := range answers {
			if turn < len(a.Peers) {
				addHolder(&found, seen, i, a.Peers[turn])
			}
		}
	}
	for i, a := range answers {
		for _, s := range a.Statements {
			found.Evidence = append(found.Evidence, trust.Evidence{
				Statement: s.Statement, LoggedAt: time.Unix(s.LoggedAt, 0).UTC(), Group: s.Group, Locator: l.clients[i].Name(),
				KeySince: unixOrZero(s.KeySince),
			})
		}
		for _, fmd := range a.FMDs {
			if h, err := chunker.ParseHeader(fmd); err == nil {
				found.Headers[h.ID()] = h
			}
		}
		found.Settling = max(found.Settling, a.Settling)
		if t := time.Unix(a.FirstOutage, 0).UTC(); a.FirstOutage > 0 && (found.FirstOutage.IsZero() || t.Before(found.FirstOutage)) {
			found.FirstOutage = t
		}
	}
	return found
}

// unixOrZero is the zero Time for 0.
func unixOrZero(seconds int64) time.Time {
	if seconds <= 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// addHolder adds what tracker i says of a peer. A peer that several trackers
// name for the same object is one holder with all their tickets.
func addHolder(found *peer.Found, seen map[netip.AddrPort]int, i int, p tracker.PeerEntry) {
	addr, err := netip.ParseAddrPort(p.Addr)
	if err != nil {
		return
	}
	ticket := strconv.Itoa(i) + ":" + p.Ticket
	if at, ok := seen[addr]; ok {
		if h := &found.Holders[at]; h.ID == p.ID && h.Object == p.Object {
			h.Ticket += "," + ticket
			if h.Reading && !p.Reading { // who has it all speaks more
				h.Reading, h.Transports = false, p.Transports
			}
			return
		}
	}
	seen[addr] = len(found.Holders)
	found.Holders = append(found.Holders, peer.Holder{
		Peer:   transport.Peer{ID: p.ID, Addr: addr, Transports: p.Transports, Ticket: ticket, Token: p.Token, Reading: p.Reading},
		Object: p.Object,
	})
}

// Announce implements peer.Locator. A URL goes to notaries only. An item counts as
// refused if every tracker that answered refused it; the TTL is the shortest.
func (l *Locator) Announce(ctx context.Context, items []peer.Announcement) (peer.Announced, error) {
	answers := make([]client.Announced, len(l.clients))
	errs := l.each(func(i int, c *client.Client) error {
		notary, err := c.Notary(ctx)
		if err != nil {
			return err
		}
		answers[i], err = c.Announce(ctx, toItems(items, notary != nil))
		return err
	})
	if err := allFailed(errs); err != nil {
		return peer.Announced{}, fmt.Errorf("announcing: %w", err)
	}
	out := peer.Announced{Refused: map[int]string{}}
	taken := make(map[int]bool)
	for i, a := range answers {
		if errs[i] != nil {
			continue
		}
		if out.TTL == 0 || a.TTL < out.TTL {
			out.TTL = a.TTL
		}
		for n := range items {
			if reason, refused := a.Refused[n]; refused {
				out.Refused[n] = string(reason)
			} else {
				taken[n] = true
			}
		}
	}
	for n := range taken {
		delete(out.Refused, n)
	}
	return out, nil
}

func toItems(items []peer.Announcement, withURL bool) []tracker.Item {
	out := make([]tracker.Item, len(items))
	for i, it := range items {
		out[i] = tracker.Item{Statement: it.Statement}
		if it.Header != (chunker.Header{}) {
			out[i].FMD = it.Header.AppendBinary(nil)
		}
		if withURL {
			out[i].URL = it.URL
		}
	}
	return out
}

// Report implements peer.Locator: every tracker that named the peer hears of it.
func (l *Locator) Report(ctx context.Context, f peer.Failure) error {
	var errs []error
	for t := range strings.SplitSeq(f.Peer.Ticket, ",") {
		number, ticket, ok := strings.Cut(t, ":")
		i, err := strconv.Atoi(number)
		if !ok || err != nil || i < 0 || i >= len(l.clients) {
			continue // another locator named this peer
		}
		if _, err := l.clients[i].Report(ctx, ticket, string(f.Reason)); err != nil {
			errs = append(errs, fmt.Errorf("reporting %s: %w", f.Peer.Addr, err))
		}
	}
	return errors.Join(errs...)
}

// Leave implements peer.Locator.
func (l *Locator) Leave(ctx context.Context) error {
	return errors.Join(l.each(func(_ int, c *client.Client) error { return c.Leave(ctx) })...)
}

// Close closes the clients' idle connections.
func (l *Locator) Close() {
	for _, c := range l.clients {
		c.Close()
	}
}
