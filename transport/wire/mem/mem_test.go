package mem_test

import (
	"fmt"
	"net/netip"
	"testing"

	"nt/transport"
	"nt/transport/wire/mem"
	"nt/transport/wire/wiretest"
)

func TestConformance(t *testing.T) {
	var n mem.Net
	wiretest.Run(t, wiretest.Wire{
		MaxMessage: mem.MaxMessage,
		Pump:       func() { n.Run() },
		Pair: func(_ *testing.T, onA, onB func([]byte)) (wiretest.Pipe, wiretest.Pipe) {
			a, b := n.Pair(end(1, onA), end(2, onB))
			return a, b
		},
	})
}

func end(i byte, f func([]byte)) mem.End {
	return mem.End{Peer: transport.PeerID{i}, Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, i}), 1), OnMessage: f}
}

// The order of delivery is the order of sending over all pipes of a Net.
func TestOneOrder(t *testing.T) {
	var n mem.Net
	var heard []string
	hear := func(name string) func([]byte) {
		return func(m []byte) { heard = append(heard, name+string(m)) }
	}
	a, b := n.Pair(end(1, hear("a")), end(2, hear("b")))
	c, d := n.Pair(end(3, hear("c")), end(4, hear("d")))
	for i, p := range []*mem.Pipe{a, c, b, d, a} {
		if err := p.Send(fmt.Appendf(nil, "%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if steps := n.Run(); steps != 5 || fmt.Sprint(heard) != "[b0 d1 a2 c3 b4]" {
		t.Errorf("%d steps: %v", steps, heard)
	}
}
