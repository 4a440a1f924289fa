package lab

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"nt/plugins/roulette/sim"
	"nt/plugins/roulette/swarm"
	"nt/transport"
	"nt/transport/wire"
)

// Roulette is this project's protocol as nodes run it: profile "tuned" or "classic",
// over the wire "kcp" or "udp". The seed knows its uplink, as `nt seed --uplink`
// says it; readers measure theirs. Over kcp, around sets up virtual time.
func Roulette(profile, wire string, around func() func()) System {
	return System{Name: "roulette-" + profile, Wire: wire, Around: around, Open: func(n *Node) (Client, error) {
		return openRoulette(n, profile, wire)
	}}
}

func openRoulette(n *Node, profile, wire string) (Client, error) {
	socket, err := n.Host.ListenPacket(port)
	if err != nil {
		return nil, fmt.Errorf("opening the socket: %w", err)
	}
	env := transport.Env{Key: nodeKey(n.Index), Packet: socket, Dial: n.Host.Dial, Options: func(v any) error {
		o := v.(*swarm.Options)
		o.Profile, o.Wire = profile, wire
		if n.Tyrant && profile == "tuned" {
			o.Params = sim.Tyrant()
		}
		if profile == "classic" { // the paper's readers wait; its pool tells what does not stabilise
			o.Stall = time.Minute
		}
		if n.Seed {
			o.Uplink = n.World.Case.SeedUp * 125
			o.MaxSessions = 1 << 14
		}
		o.Tap = n.World.Case.Trace.messages(n)
		return nil
	}}
	if !n.Free {
		env.Source = n.Copy
	}
	tr, err := swarm.Open(env)
	if err != nil {
		return nil, err
	}
	if n.Seed {
		n.vouch = voucher(tr.(*swarm.Node))
	}
	var named []transport.Peer
	if !n.Seed {
		for _, h := range n.World.Holding() {
			named = append(named, transport.Peer{ID: peerID(h.Index), Addr: h.Addr(), Transports: []string{swarm.Name}, Token: h.vouch(n.Addr())})
		}
	}
	return &overTransport{node: n, tr: tr, peers: func(context.Context) ([]transport.Peer, error) { return named, nil }}, nil
}

// voucher makes tokens that open a node's gate, as a tracker does whose answer to a join names the node.
func voucher(n *swarm.Node) func(netip.AddrPort) []byte {
	var mu sync.Mutex
	var grant wire.Grant
	var at time.Time
	return func(to netip.AddrPort) []byte {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); at.IsZero() || now.Sub(at) > time.Minute {
			grant, at = n.Grant(), now
		}
		t := grant.Token(to)
		return t[:]
	}
}
