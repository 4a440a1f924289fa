package modes

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"time"

	"nt/plugins/roulette/swarm"
	"nt/tracker/rendezvous"
)

// prober asks announced endpoints whether something answers there (docs/adr/0021): by a question of the
// wire that only its receiver sees, and where other transports are announced by a connection to
// the TCP port of the same number.
type prober struct{ udp *rendezvous.Server }

// connectAfter is what an answer by UDP is given before the TCP port is tried.
const connectAfter = 250 * time.Millisecond

// Probe implements tracker.Prober.
func (p *prober) Probe(ctx context.Context, addr netip.AddrPort, transports []string) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	datagrams := slices.Contains(transports, swarm.Name)
	streams := len(transports) > 1 || !datagrams
	answers := make(chan bool, 2)
	asked := 0
	connect := time.NewTimer(0)
	defer connect.Stop()
	if datagrams {
		asked++
		connect.Reset(connectAfter)
		go func() { answers <- p.udp.Probe(ctx, addr) }()
	}
	for {
		select {
		case <-connect.C:
			if streams {
				asked++
				go func() { answers <- connects(ctx, addr) }()
			}
		case yes := <-answers:
			if asked--; yes || asked == 0 {
				return yes
			}
		case <-ctx.Done():
			return false
		}
	}
}

// connects reports whether a TCP port takes connections.
func connects(ctx context.Context, addr netip.AddrPort) bool {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return false
	}
	c.Close()
	return true
}
