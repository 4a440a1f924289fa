package roulette

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"nt/transport"
)

// TestOneKeyOneNeighbour: all addresses of a key are dialled, and the first to open stays.
func TestOneKeyOneNeighbour(t *testing.T) {
	p := Tuned()
	mem := newMemContent(t, 1<<17)
	c := New(Config{Params: p, Rand: rand.New(rand.NewPCG(1, 2)), Object: mem.tree.Header().ID(), Content: mem, Ledger: NewLedger(), Uplink: NewUplink(&p, 72), Dials: true})
	at := func(port uint16) Introduction {
		return Introduction{Peer: transport.Peer{ID: transport.PeerID{7}, Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), port)}}
	}
	connects := func() (ids []NeighbourID, dropped []error) {
		for _, a := range c.Actions() {
			switch a := a.(type) {
			case Connect:
				ids = append(ids, a.To)
			case Drop:
				dropped = append(dropped, a.Why)
			}
		}
		return ids, dropped
	}
	c.Join(0, []Introduction{at(1), at(2), at(3)}, nil)
	ids, _ := connects()
	if len(ids) != 3 {
		t.Fatalf("%d addresses of 3 are dialled", len(ids))
	}
	c.Opened(1, 0, ids[1])
	if _, dropped := connects(); len(dropped) != 2 || dropped[0] != ErrTwice || c.Degree() != 1 {
		t.Errorf("dropped %v, %d neighbours", dropped, c.Degree())
	}
	c.AddPeers(2, []Introduction{at(4), at(1)})
	if ids, _ := connects(); len(ids) != 0 {
		t.Errorf("a peer that is there is dialled at %d more addresses", len(ids))
	}
	// A message says that a session is open before the driver does.
	c.Lost(3, ids[1])
	c.AddPeers(4, []Introduction{at(5), at(6)})
	ids, _ = connects()
	if len(ids) != 2 {
		t.Fatalf("%d addresses of 2 are dialled", len(ids))
	}
	c.Receive(5, ids[0], &Status{})
	c.Receive(6, ids[1], &Status{}) // of a neighbour that is gone
	c.Opened(7, 6, ids[1])
	if _, dropped := connects(); len(dropped) != 1 || c.Degree() != 1 {
		t.Errorf("dropped %v, %d neighbours", dropped, c.Degree())
	}
}
