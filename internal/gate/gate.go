// Package gate counts who is being served, over all and per network group, so that one
// reader cannot hold every place (N15, security row 42). It knows addresses and nothing of
// what is served.
package gate

import (
	"net/netip"
	"sync"
)

// Gate has a number of places. It is safe for concurrent use.
type Gate struct {
	max, perGroup int

	mu     sync.Mutex
	total  int
	groups map[netip.Prefix]int // entries above 0 only
}

// New returns a gate with max places, of which one network group may hold perGroup.
func New(max, perGroup int) *Gate {
	return &Gate{max: max, perGroup: perGroup, groups: make(map[netip.Prefix]int)}
}

// Enter takes a place for the reader at remote, HOST:PORT, and returns how to give it back,
// once, or false if there is none.
func (g *Gate) Enter(remote string) (leave func(), ok bool) {
	group := groupOf(remote)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.total >= g.max || g.groups[group] >= g.perGroup {
		return nil, false
	}
	g.total++
	g.groups[group]++
	return sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.total--
		if g.groups[group]--; g.groups[group] == 0 {
			delete(g.groups, group)
		}
	}), true
}

// groupOf returns the IPv4 address or the IPv6 /64 of host:port; what is
// neither shares the zero group.
func groupOf(remote string) netip.Prefix {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	addr, bits := ap.Addr().Unmap().WithZone(""), 64
	if addr.Is4() {
		bits = 32
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
