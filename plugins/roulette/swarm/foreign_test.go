package swarm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"nt/transport"
	"nt/transport/transporttest"
)

// fetchFrom fetches c from peers and returns what was told of it.
func fetchFrom(t *testing.T, reader transporttest.Node, c *transporttest.Content, peers ...transport.Peer) (*transporttest.Log, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	log := new(transporttest.Log)
	return log, reader.Fetch(ctx, transport.Request{Object: c.ID(), Sink: transporttest.NewSink(c.ID()), Observe: log.Observe,
		Peers: func(context.Context) ([]transport.Peer, error) { return peers, nil }})
}

// TestOtherWire: a peer on the other wire cannot be understood. That is told at once, and not as
// if the peer were dead; with somebody else there the fetch goes on.
func TestOtherWire(t *testing.T) {
	c, err := transporttest.NewContent(1, 100<<10)
	if err != nil {
		t.Fatal(err)
	}
	for reads, holds := range map[string]string{"kcp": "udp", "udp": "kcp"} {
		t.Run(reads+" from "+holds, func(t *testing.T) {
			holder, same, reader := startNode(t, 1, holds, transporttest.Holding(c)), startNode(t, 2, reads, transporttest.Holding(c)), startNode(t, 3, reads, nil)
			node := reader.Transport.(*Node)
			node.opts.Stall = time.Hour // if it is not noticed, the case hangs
			log, err := fetchFrom(t, reader, c, holder.Peer)
			if want := fmt.Sprintf("%v speaks Roulette over %s and this node over %s", holder.Peer.Addr, holds, reads); !errors.Is(err, transport.ErrNoProgress) || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %s", err, want)
			}
			if n := log.Failures(transport.EventDeadPeer, holder.Peer.Addr); n != 0 {
				t.Errorf("the peer was named dead %d times", n)
			}
			if _, err := fetchFrom(t, reader, c, holder.Peer, same.Peer); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestNothingComesBack: where no datagram ever comes in, a fetch ends soon and says so.
func TestNothingComesBack(t *testing.T) {
	c, err := transporttest.NewContent(1, 100<<10)
	if err != nil {
		t.Fatal(err)
	}
	gone, err := net.ListenPacket("udp4", "127.0.0.1:0") // hears and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer gone.Close()
	reader := startNode(t, 3, "kcp", nil)
	reader.Transport.(*Node).opts.Stall, reader.Transport.(*Node).opts.DialTimeout = time.Hour, time.Hour
	other := startNode(t, 1, "kcp", nil)
	other.Kill()
	peer := other.Peer
	peer.Addr = gone.LocalAddr().(*net.UDPAddr).AddrPort()
	_, err = fetchFrom(t, reader, c, peer)
	if !errors.Is(err, transport.ErrNoProgress) || !strings.Contains(err.Error(), "nothing at all came back by UDP, from 1 peers") {
		t.Error(err)
	}
}

// TestOneKeyAtSeveralAddresses: a peer that is listed at several addresses, of which some are out of
// date, is one neighbour.
func TestOneKeyAtSeveralAddresses(t *testing.T) {
	c, err := transporttest.NewContent(1, 3<<20)
	if err != nil {
		t.Fatal(err)
	}
	gone, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer gone.Close()
	holder, reader := startNode(t, 1, "kcp", transporttest.Holding(c)), startNode(t, 2, "kcp", nil)
	stale := holder.Peer
	stale.Addr = gone.LocalAddr().(*net.UDPAddr).AddrPort()
	node := reader.Transport.(*Node)
	most := make(chan int, 1)
	most <- 0
	sink := transporttest.NewSink(c.ID())
	sink.OnPut = func(int) { // on the loop
		if s := node.fetching[c.ID()]; s != nil {
			most <- max(<-most, s.core.Degree())
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err = reader.Fetch(ctx, transport.Request{Object: c.ID(), Sink: sink,
		Peers: func(context.Context) ([]transport.Peer, error) { return []transport.Peer{stale, holder.Peer}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	if n := <-most; n != 1 {
		t.Errorf("%d neighbours for one key", n)
	}
}
