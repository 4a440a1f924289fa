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
func checkResults(keys []resource.Key, results tracker.Results) error {
	if len(results) != len(keys) {
		return fmt.Errorf("%d results for %d keys", len(results), len(keys))
	}
	for i := range results {
		r := &results[i]
		if r.Key != keys[i] {
			return fmt.Errorf("result %d is about another key", i)
		}
		r.Peers = slices.DeleteFunc(r.Peers, func(p tracker.PeerEntry) bool { return !plausible(p) })
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
