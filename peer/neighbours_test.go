package peer

import (
	"net/netip"
	"testing"
	"time"

	"nt/transport"
)

// TestNeighbours: what each peer sent is summed by transport, the latest comes first, and
// the oldest is forgotten when there are too many.
func TestNeighbours(t *testing.T) {
	n := new(Node)
	start := time.Unix(1_800_000_000, 0)
	peer := func(port int) transport.Peer {
		return transport.Peer{Addr: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(port))}
	}
	n.neighbours.received(peer(1), "http", 10, start)
	n.neighbours.received(peer(2), "http", 5, start.Add(time.Second))
	n.neighbours.received(peer(1), "http", 10, start.Add(2*time.Second))
	n.neighbours.received(peer(1), "roulette", 1, start.Add(3*time.Second))
	got := n.Neighbours()
	if len(got) != 3 || got[0].Transport != "roulette" || got[1].Received != 20 || got[2].Peer.Addr.Port() != 2 {
		t.Errorf("%+v", got)
	}
	for i := range maxPeersNamed - 2 {
		n.neighbours.received(peer(100+i), "http", 1, start.Add(time.Minute))
	}
	got = n.Neighbours()
	if len(got) != maxPeersNamed || got[len(got)-1].Received != 20 {
		t.Errorf("%d neighbours, the last is %+v; want %d without the oldest", len(got), got[len(got)-1], maxPeersNamed)
	}
}
