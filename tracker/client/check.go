package client

import (
	"fmt"
	"net/netip"
	"slices"

	"nt/internal/resource"
	"nt/tracker"
)

// checkResults checks that the answer is about the keys asked for, and drops
// peers and statements that cannot be what they claim.
func (c *Client) checkResults(keys []resource.Key, results tracker.Results) error {
	if len(results) != len(keys) {
		return fmt.Errorf("tracker %s: %d results for %d keys", c.Name(), len(results), len(keys))
	}
	self, err := c.id()
	serving := err == nil && c.cfg.Port != 0
	for i := range results {
		r := &results[i]
		if r.Key != keys[i] {
			return fmt.Errorf("tracker %s: result %d is about another key", c.Name(), i)
		}
		r.Peers = slices.DeleteFunc(r.Peers, func(p tracker.PeerEntry) bool { return serving && p.ID == self || !plausible(p) })
		r.Statements = slices.DeleteFunc(r.Statements, func(l tracker.Logged) bool {
			return l.Statement.Key != r.Key || len(l.Group) > 64 || l.LoggedAt <= 0 || l.Statement.Verify() != nil
		})
	}
	return nil
}

func plausible(p tracker.PeerEntry) bool {
	addr, err := netip.ParseAddrPort(p.Addr)
	return err == nil && addr.Port() != 0 && addr.Addr().Zone() == "" && !addr.Addr().IsUnspecified() && !addr.Addr().IsMulticast() &&
		!p.ID.IsZero() && len(p.Transports) <= tracker.MaxTransports && len(p.Ticket) <= tracker.MaxTicket
}
