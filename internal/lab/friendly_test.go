package lab

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"nt/internal/simnet"
	"nt/plugins/roulette/swarm"
	"nt/transport"
)

// TestTCPKeepsItsShareOfADownlink: a download over roulette/kcp from eight neighbours and one TCP
// stream share a downlink of 2 Mbit/s with the queue of a home router; TCP keeps at least
// 40 % of it, whoever was there first. (The same with the kernel's TCP: testscripts/netns.)
func TestTCPKeepsItsShareOfADownlink(t *testing.T) {
	for _, c := range []struct {
		name     string
		tcpFirst bool
		delay    time.Duration // one way, each end's part
	}{{"TCP first, RTT 40 ms", true, 10 * time.Millisecond}, {"TCP second, RTT 40 ms", false, 10 * time.Millisecond},
		{"TCP first, RTT 2 ms", true, time.Millisecond / 2}, {"TCP second, RTT 2 ms", false, time.Millisecond / 2}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := race(t, c.tcpFirst, c.delay)
				t.Logf("TCP %.0f %%, Roulette %.0f %% of the link, %d packets dropped", 100*r.tcp, 100*r.roulette, r.drops)
				if r.tcp < 0.4 || r.tcp+r.roulette < 0.9 {
					t.Errorf("TCP has %.0f %%, want at least 40 %%; both have %.0f %%", 100*r.tcp, 100*(r.tcp+r.roulette))
				}
			})
		})
	}
}

type raced struct {
	tcp, roulette float64 // of the link, content and everything else
	drops         int64
}

// race lets the first run alone for three seconds, both settle for two, and counts for ten.
func race(t *testing.T, tcpFirst bool, delay time.Duration) raced {
	const bits, holders = 2_000_000, 8
	defer startKCPClock()()
	n := simnet.New(simnet.Config{Seed: 1, Window: 256 << 10})
	defer n.Close()
	original, err := NewOriginal(1, 8<<20)
	if err != nil {
		t.Fatal(err)
	}
	reader := n.Host(simnet.Link{Down: bits, Delay: delay, DownQueue: 32 << 10})
	var peers []transport.Peer
	var open []transport.Transport
	for i := range holders {
		h := n.Host(simnet.Link{Delay: delay})
		open = append(open, startSwarm(t, h, i+1, (&copyOf{of: original}).fill()))
		peers = append(peers, transport.Peer{ID: peerID(i + 1), Addr: (&Node{Host: h}).Addr(), Transports: []string{swarm.Name}})
	}
	node := startSwarm(t, reader, 0, nil)
	open = append(open, node)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	download := func() {
		go func() {
			ended <- node.Fetch(ctx, transport.Request{Object: original.ID(), Sink: &copyOf{of: original}, Peers: func(context.Context) ([]transport.Peer, error) { return peers, nil }})
		}()
	}
	server := n.Host(simnet.Link{Delay: delay})
	l, err := server.Listen(port)
	if err != nil {
		t.Fatal(err)
	}
	go pour(l)
	var stream net.Conn
	var got atomic.Int64
	flow := func() {
		if stream, err = reader.Dial(ctx, "tcp", l.Addr().String()); err != nil {
			t.Fatal(err)
		}
		go io.Copy(counter{&got}, stream)
	}
	first, second := download, flow
	if tcpFirst {
		first, second = flow, download
	}
	first()
	time.Sleep(3 * time.Second)
	second()
	time.Sleep(2 * time.Second)
	before, tcp := reader.Traffic(), got.Load()
	time.Sleep(10 * time.Second)
	after := reader.Traffic()
	tcp = (got.Load() - tcp) * (1460 + 40) / 1460
	r := raced{float64(tcp) / 10 * 8 / bits, float64(after.In-before.In-tcp) / 10 * 8 / bits, after.QueueDrops - before.QueueDrops}
	select {
	case err := <-ended:
		t.Errorf("the download ended too early: %v", err)
	default:
	}
	cancel()
	stream.Close()
	l.Close()
	for _, tr := range open {
		tr.Close()
	}
	return r
}

func startSwarm(t *testing.T, h *simnet.Host, i int, source transport.Source) transport.Transport {
	t.Helper()
	socket, err := h.ListenPacket(port)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := swarm.Open(transport.Env{Key: nodeKey(i), Packet: socket, Source: source, AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// pour sends for ever to everybody who connects.
func pour(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			for b := make([]byte, 32<<10); ; {
				if _, err := c.Write(b); err != nil {
					return
				}
			}
		}()
	}
}

// counter counts what is written to it.
type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}
