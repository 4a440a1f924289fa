package peer

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"nt/transport"
)

// Neighbour is a peer that sent content to this node, over one transport.
type Neighbour struct {
	Peer      transport.Peer
	Transport string
	Received  int64 // bytes of new, proved content
	Last      time.Time
}

// neighbours remembers who sent content lately, maxPeersNamed at most. The zero value is ready.
type neighbours struct {
	mu sync.Mutex
	m  map[peerOver]*Neighbour
}

// peerOver is a peer over one transport.
type peerOver struct {
	who  peerName
	over string
}

// received counts bytes of content.
func (ns *neighbours) received(p transport.Peer, over string, bytes int, now time.Time) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	name := peerOver{nameOfPeer(p), over}
	x := ns.m[name]
	if x == nil {
		x = &Neighbour{Peer: p, Transport: over}
		if ns.m == nil {
			ns.m = make(map[peerOver]*Neighbour)
		}
		if len(ns.m) >= maxPeersNamed {
			ns.forgetOldest()
		}
		ns.m[name] = x
	}
	x.Received += int64(bytes)
	x.Last = now
}

func (ns *neighbours) forgetOldest() {
	var oldest *Neighbour
	for _, x := range ns.m {
		if oldest == nil || x.Last.Before(oldest.Last) {
			oldest = x
		}
	}
	delete(ns.m, peerOver{nameOfPeer(oldest.Peer), oldest.Transport})
}

// Neighbours returns the peers that sent content to this node, the latest first.
func (n *Node) Neighbours() []Neighbour {
	ns := &n.neighbours
	ns.mu.Lock()
	defer ns.mu.Unlock()
	var out []Neighbour
	for x := range maps.Values(ns.m) {
		out = append(out, *x)
	}
	slices.SortFunc(out, func(a, b Neighbour) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(b.Received, a.Received), cmp.Compare(peerLabel(a.Peer), peerLabel(b.Peer)))
	})
	return out
}
