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

// betweenTwo runs a test of two readers of one object in virtual time, each on a link of that delay.
// fetch fetches as reader i, who holds part and is told of the other once.
func betweenTwo(t *testing.T, delay time.Duration, body func(t *testing.T, original *Original, fetch func(ctx context.Context, i int, part *copyOf) error)) {
	synctest.Test(t, func(t *testing.T) {
		defer startKCPClock()()
		n := simnet.New(simnet.Config{Seed: 1})
		defer n.Close()
		original, err := NewOriginal(1, 64*kib)
		if err != nil {
			t.Fatal(err)
		}
		hosts := []*simnet.Host{n.Host(simnet.Link{Delay: delay}), n.Host(simnet.Link{Delay: delay})}
		body(t, original, func(ctx context.Context, i int, part *copyOf) error {
			tr := startImpatient(t, hosts[i], i)
			defer tr.Close()
			other := []transport.Peer{{ID: peerID(1 - i), Addr: (&Node{Host: hosts[1-i]}).Addr(), Transports: []string{swarm.Name}}}
			return tr.Fetch(ctx, transport.Request{Object: original.ID(), Sink: part, Peers: func(context.Context) ([]transport.Peer, error) {
				defer func() { other = nil }()
				return other, nil
			}})
		})
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

// TestCrossingDials: two readers that hold a half each are told of each other at the same moment, and
// dial each other at the same moment. Each gives the other its half, as fast as if one had
// dialled: neither closes the session that the other uses.
func TestCrossingDials(t *testing.T) {
	for _, delay := range []time.Duration{5 * time.Millisecond, 30 * time.Millisecond} {
		betweenTwo(t, delay, func(t *testing.T, original *Original, fetch func(context.Context, int, *copyOf) error) {
			chunks := uint32(original.Tree.Header().NumChunks())
			done := make(chan error, 2)
			begun := time.Now()
			for i := range 2 {
				part := &copyOf{of: original, tree: original.Tree}
				part.have.AddRange(nois.Interval{Start: uint32(i) * chunks / 2, End: uint32(i+1) * chunks / 2})
				go func() { done <- fetch(t.Context(), i, part) }()
			}
			for range 2 {
				if err := <-done; err != nil {
					t.Error(err)
				}
				if d := time.Since(begun); d > 16*delay+300*time.Millisecond {
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
	betweenTwo(t, delay, func(t *testing.T, original *Original, fetch func(context.Context, int, *copyOf) error) {
		begun := time.Now()
		stays := make(chan error, 1)
		go func() { stays <- fetch(t.Context(), 0, &copyOf{of: original, tree: original.Tree}) }()
		leaving, cancel := context.WithTimeout(t.Context(), 7*delay)
		defer cancel()
		if err := fetch(leaving, 1, &copyOf{of: original, tree: original.Tree}); err == nil {
			t.Error("the one that left has everything")
		}
		if err := <-stays; err == nil {
			t.Error("the one that stayed has everything")
		}
		if d := time.Since(begun); d > 1500*time.Millisecond {
			t.Errorf("gone after %v, given up after %v", 7*delay, d)
		} else {
			t.Logf("given up after %v", d)
		}
	})
}
