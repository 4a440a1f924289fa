package wiretest

import (
	"context"
	"crypto/ed25519"
	"net"
	"testing"
	"time"

	"nt/transport/wire"
)

// Node starts a node on loopback whose key is made from seed; it ends with t.
func Node(t testing.TB, seed byte, conf wire.Config) *wire.Node {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	key := make([]byte, ed25519.SeedSize)
	key[0] = seed
	conf.Conn, conf.Key = c, ed25519.NewKeyFromSeed(key)
	n, err := wire.Listen(conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

// Pair makes the two ends of a pipe in a session between two nodes on loopback:
// open runs for each end before its first packet, the dialler's first.
func Pair[P any](t testing.TB, open func(s *wire.Session, dialled bool) P) (a, b P) {
	t.Helper()
	accepted, dialled := make(chan P, 1), make(chan P, 1)
	server := Node(t, 2, wire.Config{Accept: func(s *wire.Session) bool {
		accepted <- open(s, false)
		return true
	}})
	client := Node(t, 1, wire.Config{Opened: func(s *wire.Session) { dialled <- open(s, true) }})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	addr := server.LocalAddr().(*net.UDPAddr).AddrPort()
	if _, err := client.Dial(ctx, addr, server.ID(), wire.Token{}, wire.ChannelDatagram, nil); err != nil {
		t.Fatal(err)
	}
	return <-dialled, <-accepted
}
