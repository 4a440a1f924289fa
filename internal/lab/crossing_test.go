package lab

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"nt/chunker/nois"
	"nt/internal/simnet"
	"nt/plugins/roulette/swarm"
	"nt/transport"
)

// TestCrossingDials: two readers that hold a half each are told of each other at the same moment, and
// dial each other at the same moment. Each gives the other its half, as fast as if one had
// dialled: neither closes the session that the other uses.
func TestCrossingDials(t *testing.T) {
	for _, delay := range []time.Duration{5 * time.Millisecond, 30 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			defer startKCPClock()()
			n := simnet.New(simnet.Config{Seed: 1})
			defer n.Close()
			original, err := NewOriginal(1, 64*kib)
			if err != nil {
				t.Fatal(err)
			}
			chunks := uint32(original.Tree.Header().NumChunks())
			took := make(chan time.Duration, 2)
			begun := time.Now()
			hosts := []*simnet.Host{n.Host(simnet.Link{Delay: delay}), n.Host(simnet.Link{Delay: delay})}
			for i, h := range hosts {
				part := &copyOf{of: original, tree: original.Tree}
				part.have.AddRange(nois.Interval{Start: uint32(i) * chunks / 2, End: uint32(i+1) * chunks / 2})
				tr := startSwarm(t, h, i, nil)
				defer tr.Close()
				other := transport.Peer{ID: peerID(1 - i), Addr: (&Node{Host: hosts[1-i]}).Addr(), Transports: []string{swarm.Name}}
				go func() {
					if err := tr.Fetch(t.Context(), transport.Request{Object: original.ID(), Sink: part,
						Peers: func(context.Context) ([]transport.Peer, error) { return []transport.Peer{other}, nil }}); err != nil {
						t.Error(err)
					}
					took <- time.Since(begun)
				}()
			}
			for range hosts {
				if d := <-took; d > 16*delay+300*time.Millisecond {
					t.Errorf("%v at a delay of %v", d, delay)
				} else {
					t.Logf("%v at a delay of %v", d, delay)
				}
			}
		})
	}
}

// TestCrossingDialsAndGone: one of two that dial each other leaves before its own dial is through. The other hears
// of it at once, and does not wait for an answer on the session that was never used.
func TestCrossingDialsAndGone(t *testing.T) {
	const delay = 30 * time.Millisecond // of each of the two links: Inits cross after 6 of them, the answers are there after 8
	synctest.Test(t, func(t *testing.T) {
		defer startKCPClock()()
		n := simnet.New(simnet.Config{Seed: 1})
		defer n.Close()
		original, err := NewOriginal(1, 64*kib)
		if err != nil {
			t.Fatal(err)
		}
		hosts := []*simnet.Host{n.Host(simnet.Link{Delay: delay}), n.Host(simnet.Link{Delay: delay})}
		fetch := func(i int, ctx context.Context) {
			tr := startImpatient(t, hosts[i], i)
			defer tr.Close()
			other := []transport.Peer{{ID: peerID(1 - i), Addr: (&Node{Host: hosts[1-i]}).Addr(), Transports: []string{swarm.Name}}}
			err := tr.Fetch(ctx, transport.Request{Object: original.ID(), Sink: &copyOf{of: original, tree: original.Tree},
				Peers: func(context.Context) ([]transport.Peer, error) {
					defer func() { other = nil }()
					return other, nil
				}})
			if err == nil {
				t.Errorf("%d has everything", i)
			}
		}
		begun := time.Now()
		stays := make(chan time.Duration, 1)
		go func() {
			fetch(0, t.Context())
			stays <- time.Since(begun)
		}()
		leaving, cancel := context.WithTimeout(t.Context(), 7*delay)
		defer cancel()
		fetch(1, leaving)
		if d := <-stays; d > 1500*time.Millisecond {
			t.Errorf("gone after %v, given up after %v", 7*delay, d)
		} else {
			t.Logf("given up after %v", d)
		}
	})
}

// startImpatient starts a node that ends a fetch as soon as it has nobody.
func startImpatient(t *testing.T, h *simnet.Host, i int) transport.Transport {
	t.Helper()
	socket, err := h.ListenPacket(port)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := swarm.Open(transport.Env{Key: nodeKey(i), Packet: socket, AllowPrivate: true, Options: func(v any) error {
		v.(*swarm.Options).AskWait = time.Millisecond
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}
