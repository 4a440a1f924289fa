package lab

import (
	"fmt"
	"time"

	"nt/plugins/roulette/sim"
	"nt/plugins/roulette/swarm"
	"nt/transport"
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
	grant := tr.(*swarm.Node).Grant
	c := &overTransport{node: n, tr: tr, peers: n.World.locator.peers(n)}
	switch {
	case n.Seed:
		n.grants = everyMinute(grant)
	case profile == "classic": // as the paper's readers, who knew the server and nothing else
		c.peers = n.World.locator.holders(n)
	default:
		if err := n.Copy.Begin(n.World.Original.Tree.Header()); err != nil {
			return nil, err
		}
		c.begun = func() func() { return n.World.locator.follow(n, grant) }
	}
	return c, nil
}
