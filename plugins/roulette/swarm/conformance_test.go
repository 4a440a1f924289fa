package swarm

import (
	"crypto/ed25519"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"nt/transport"
	"nt/transport/transporttest"
)

func TestF8_ConformanceOverKCP(t *testing.T) { conformance(t, "kcp") }
func TestF8_ConformanceOverUDP(t *testing.T) { conformance(t, "udp") }

func conformance(t *testing.T, wire string) {
	transporttest.Run(t, transporttest.Harness{Start: func(t testing.TB, sources ...transport.Source) []transporttest.Node {
		nodes := make([]transporttest.Node, len(sources))
		for i, src := range sources {
			nodes[i] = startNode(t, byte(i+1), wire, src)
		}
		return nodes
	}})
}

func startNode(t testing.TB, n byte, wire string, src transport.Source) transporttest.Node {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = n
	env := transport.Env{Key: ed25519.NewKeyFromSeed(seed), Source: src, Packet: conn, AllowPrivate: true, Log: slog.New(slog.DiscardHandler),
		Options: func(v any) error {
			o := v.(*Options)
			o.Wire, o.Stall, o.AskWait, o.DialTimeout = wire, 2500*time.Millisecond, 20*time.Millisecond, 2*time.Second
			return nil
		}}
	if os.Getenv("NT_TEST_LOG") != "" {
		env.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("node", n)
	}
	tr, err := Open(env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	node := tr.(*Node)
	return transporttest.Node{Transport: tr,
		Peer: transport.Peer{ID: node.wire.ID(), Addr: conn.LocalAddr().(*net.UDPAddr).AddrPort(), Transports: []string{Name}},
		Kill: sync.OnceFunc(func() { conn.Close() }),
	}
}
