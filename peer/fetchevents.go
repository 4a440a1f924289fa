package peer

import (
	"context"

	"nt/transport"
)

// event counts what a transport tells and reports peers that failed (N12).
func (f *fetch) event(over string, e transport.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	label := "" // of the peer whose bytes changed
	switch e.Kind {
	case transport.EventChunk:
		label = f.label(e.Peer)
		if f.met[label] > 0 || len(f.met) < maxPeersNamed {
			f.met[label] += int64(e.Bytes)
		}
		f.by[over] += int64(e.Bytes)
		f.n.neighbours.received(e.Peer, over, e.Bytes, f.n.cfg.Now())
	case transport.EventOverhead:
		f.seen.Overhead += int64(e.Bytes)
	case transport.EventBadPeer:
		f.bad[nameOfPeer(e.Peer)] = true
		f.seen.ProofsFailed++
		f.complain(e.Peer, FailureBad)
	case transport.EventDeadPeer:
		f.seen.PeersFailed++
		if !e.Peer.Reading { // who was fetching itself may well be done and gone
			f.complain(e.Peer, FailureDead)
		}
	}
	for _, l := range f.lives {
		f.tell(l, label)
	}
}

// label is peerLabel, spelled once for each peer; mu is held.
func (f *fetch) label(p transport.Peer) string {
	name := nameOfPeer(p)
	label, ok := f.labels[name]
	if !ok {
		label = peerLabel(p)
		if len(f.labels) < maxPeersNamed {
			f.labels[name] = label
		}
	}
	return label
}

// complaint is what is reported of a peer once.
type complaint struct {
	who peerName
	why FailureReason
}

// complain queues one report per peer and reason; mu is held.
func (f *fetch) complain(p transport.Peer, why FailureReason) {
	k := complaint{nameOfPeer(p), why}
	if f.told[k] || f.over {
		return
	}
	f.told[k] = true
	select {
	case f.reports <- Failure{Key: f.entry.Statement.Key, Peer: p, Reason: why}:
	default: // the locator is slower than peers fail; enough was said
	}
}

// report sends the queued reports, in its own time.
func (f *fetch) report() {
	for r := range f.reports {
		ctx, cancel := context.WithTimeout(f.n.ctx, reportTimeout)
		if err := f.n.cfg.Locator.Report(ctx, r); err != nil {
			f.n.cfg.Log.Debug("failure not reported", "peer", r.Peer.Addr, "err", err)
		}
		cancel()
	}
}
