package swarm

import (
	"testing"

	"nt/plugins/roulette"
	"nt/transport"
	"nt/transport/wire"
)

// Whoever named a peer is asked first for the introduction, then trackers, then others; who has no session is asked nothing.
func TestWhoNamedAPeerIntroduces(t *testing.T) {
	named, tracker, other := new(wire.Session), new(wire.Session), new(wire.Session)
	n := &Node{introducers: map[transport.PeerID]introducer{{9}: {session: tracker}}}
	s := &swarm{links: map[roulette.NeighbourID]*link{1: {session: other}, 2: {session: named}, 3: {}, 4: {session: new(wire.Session), closed: true}}}
	for by, want := range map[roulette.NeighbourID][]*wire.Session{2: {named, tracker, other}, 1: {other, tracker, named}} {
		got := n.introducersFor(&link{swarm: s, by: by})
		if len(got) != len(want) {
			t.Fatalf("%d introducers, want %d", len(got), len(want))
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("named by %d: the wrong one is asked in place %d", by, i)
			}
		}
	}
	for _, by := range []roulette.NeighbourID{0, 3, 4, 5} {
		if got := n.introducersFor(&link{swarm: s, by: by}); len(got) != 3 || got[0] != tracker {
			t.Errorf("named by %d, who cannot introduce: %d are asked", by, len(got))
		}
	}
}
