package tracker

import (
	mrand "math/rand/v2"
	"net/netip"
	"time"

	"nt/chunker"
	"nt/internal/resource"
)

// Lookup answers who holds the keys (N9) to somebody at the address from.
func (t *Tracker) Lookup(now time.Time, from netip.Addr, req LookupRequest) (LookupResponse, error) {
	t.count.lookups.Add(1)
	if len(req.Keys) == 0 || len(req.Keys) > MaxKeys {
		return LookupResponse{}, t.refused(refuse(ReasonMalformed, "keys must have 1 to %d entries", MaxKeys))
	}
	if req.Want < 0 || req.Want > MaxWant {
		return LookupResponse{}, t.refused(refuse(ReasonMalformed, "want must be 1 to %d", MaxWant))
	}
	if req.Want == 0 {
		req.Want = DefaultWant
	}
	asker := netip.AddrPortFrom(from.Unmap(), req.Port)
	rnd := mrand.New(mrand.NewPCG(t.seed, t.draws.Add(1)))
	resp := LookupResponse{Results: make(Results, 0, len(req.Keys)), Settling: t.settling(now)}
	for _, key := range req.Keys {
		t.count.keys.Add(1)
		r, chosen, err := t.lookup(now, asker, key, req, rnd)
		if err != nil {
			return LookupResponse{}, t.refused(err)
		}
		reading, chosen := t.readers(asker, chosen, r.Statements, req, rnd)
		t.fill(now, asker, &r, beside(chosen, reading))
		resp.Results = append(resp.Results, r)
	}
	return resp, nil
}

// fill adds what the API tells of the peers that are named.
func (t *Tracker) fill(now time.Time, asker netip.AddrPort, res *Result, peers []named) {
	tickets := t.cfg.Secret.tickets(now, WideGroup(asker.Addr()))
	res.Peers = make(Peers, 0, len(peers))
	seen := make(map[chunker.ObjectID]bool)
	for _, h := range peers {
		res.Peers = append(res.Peers, PeerEntry{
			ID: h.ID, Addr: t.endpoint(h.Holder).String(), Transports: h.Transports, Object: h.Object,
			Ticket: tickets.ticket(res.Key, h.ID), Reading: h.reading,
		})
		if header, ok := t.fmds.get(h.Object); ok && !seen[h.Object] {
			seen[h.Object] = true
			res.FMDs = append(res.FMDs, header.AppendBinary(nil))
		}
	}
}

// lookup returns what is known of a key but its peers, and the holders to hand out. Who has
// everything gets none.
func (t *Tracker) lookup(now time.Time, asker netip.AddrPort, key resource.Key, req LookupRequest, rnd *mrand.Rand) (Result, []Holder, error) {
	swarm, err := t.cfg.Store.Lookup(now, key, candidates(req.Want, req.Near), rnd)
	if err != nil {
		return Result{}, nil, err
	}
	res := Result{Key: key, Statements: LoggedList{}, FirstOutage: swarm.FirstOutage}
	var chosen []Holder
	if !req.Complete {
		chosen = handOut(now, swarm.Holders, req.Want, asker, req.Near, rnd)
	}
	for _, k := range swarm.Statements {
		l := Logged{Statement: k.Statement, LoggedAt: k.LoggedAt, KeySince: t.keySince(k)}
		if !k.Relayed {
			l.Group = t.cfg.Secret.groupLabel(k.From.Widen())
		}
		res.Statements = append(res.Statements, l)
	}
	return res, chosen, nil
}

// settling is for how many seconds holders may be missing because of a restart, or because a node was lost.
func (t *Tracker) settling(now time.Time) int64 {
	until := t.cfg.Settled
	if t.cfg.LostAt != nil {
		if at := t.cfg.LostAt(); !at.IsZero() && at.Add(t.cfg.TTL).After(until) {
			until = at.Add(t.cfg.TTL)
		}
	}
	return max(0, seconds(until.Sub(now)+time.Second-1))
}

// endpoint returns where to reach a holder: behind a NAT that is where its
// session comes from, not what it announced (F43).
func (t *Tracker) endpoint(h Holder) netip.AddrPort {
	if seen, ok := t.sessionOf(h.ID); ok {
		return seen
	}
	return h.Addr
}

// Report counts that a peer which Lookup named to somebody in the same network
// group failed (N12).
func (t *Tracker) Report(now time.Time, from netip.Addr, req ReportRequest) (ReportResponse, error) {
	t.count.reports.Add(1)
	if req.Reason != "dead" && req.Reason != "bad" {
		return ReportResponse{}, t.refused(refuse(ReasonMalformed, `reason must be "dead" or "bad"`))
	}
	group := WideGroup(from)
	key, peer, ok := t.cfg.Secret.openTicket(now, req.Ticket, group)
	if !ok {
		return ReportResponse{}, t.refused(refuse(ReasonTicket, "the ticket is not one that was given to you lately").
			hint("send the ticket that came with the peer, from the same network, within half an hour"))
	}
	counted, err := t.cfg.Store.Report(now, key, peer, group)
	return ReportResponse{Counted: counted}, t.refused(err)
}
