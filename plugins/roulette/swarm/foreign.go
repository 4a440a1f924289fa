package swarm

import (
	"errors"
	"fmt"

	"nt/transport"
	"nt/transport/wire"
)

// errForeign reports a peer on the other wire: neither understands the other's messages.
var errForeign = errors.New("the wires differ")

// foreign hears that a peer's messages come by another wire than ours. To wait for an answer that
// can be read is in vain.
func (n *Node) foreign(s *wire.Session) {
	l := n.links[s]
	switch {
	case l == nil && s.Err() == nil && len(n.strange) < maxEarly:
		n.strange[s] = true // its dial's end is still to be heard of
		return
	case l == nil || l.closed:
		return
	}
	l.foreign = true
	other := "kcp"
	if n.opts.Wire == "kcp" {
		other = "udp"
	}
	err := fmt.Errorf("%w: %v speaks Roulette over %s and this node over %s; [transport.roulette] wire must be the same at both ends", errForeign, l.peer.Addr, other, n.opts.Wire)
	n.log.Debug("peer on another wire", "peer", l.peer.Addr, "err", err)
	if l.swarm == nil || l.swarm.fetch == nil {
		n.drop(l)
		return
	}
	if !n.toldForeign {
		n.toldForeign = true
		n.log.Warn("a peer cannot be used, trying others", "peer", l.peer.Addr, "err", err)
	}
	f := l.swarm.fetch
	f.foreign[l.peer.ID] = true
	f.unreached = err
	n.drop(l)
	f.checkForeign()
}

// checkForeign ends a fetch when every peer that the locator named is on another wire.
func (f *fetch) checkForeign() {
	if f.over || f.asking || len(f.foreign) == 0 || f.swarm.core.Degree() > 0 {
		return
	}
	for _, p := range f.named {
		if !f.foreign[p.ID] {
			return
		}
	}
	f.finish(fmt.Errorf("%w: %w", transport.ErrNoProgress, f.unreached))
}
