package wire

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// NATKind says how a node's addresses look from outside.
type NATKind uint8

const (
	// NATUnknown: not enough different nodes have told yet.
	NATUnknown NATKind = iota
	// NATNone: others see the address the node itself has.
	NATNone
	// NATCone: one outside address for everybody: punching works.
	NATCone
	// NATSymmetric: another outside address for each destination: nobody can be told where to punch.
	NATSymmetric
)

// Init's channel byte carries the dialler's NATKind from natShift on, and at firstSign the sign of its key.
const (
	natShift  = 6
	firstSign = 1 << 5
)

func (k NATKind) String() string {
	switch k {
	case NATNone:
		return "none"
	case NATCone:
		return "cone"
	case NATSymmetric:
		return "symmetric"
	}
	return "unknown"
}

const (
	natReports = 8               // reporters remembered
	natMemory  = 5 * time.Minute // mappings change; older reports say nothing
)

// natObserver draws the NAT's kind from the addresses that other nodes report.
// A liar among them can make the kind wrong, which only words an error.
type natObserver struct {
	mu      sync.Mutex
	local   []netip.Addr // the node's own addresses
	reports []natReport  // latest last, one per reporter
	kind    NATKind
}

type natReport struct {
	by, seen netip.AddrPort
	at       time.Time
}

// add takes a report and returns the kind and whether it changed.
func (o *natObserver) add(by, seen netip.AddrPort, port uint16, now time.Time) (NATKind, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reports = slices.DeleteFunc(o.reports, func(r natReport) bool {
		return r.by == by || now.Sub(r.at) > natMemory
	})
	if len(o.reports) == natReports {
		o.reports = slices.Delete(o.reports, 0, 1)
	}
	o.reports = append(o.reports, natReport{by, seen, now})
	old := o.kind
	if k := o.judge(port); k != NATUnknown {
		o.kind = k
	}
	return o.kind, o.kind != old
}

// judge compares the reports. Neighbours in the same private network see a
// private address while others see a public one: only the outermost count.
func (o *natObserver) judge(port uint16) NATKind {
	public := slices.ContainsFunc(o.reports, func(r natReport) bool { return !r.seen.Addr().IsPrivate() })
	own := 0
	outside := map[netip.AddrPort]bool{}
	reporters := 0
	for _, r := range o.reports {
		switch {
		case r.seen.Port() == port && slices.Contains(o.local, r.seen.Addr()):
			own++
		case !public || !r.seen.Addr().IsPrivate():
			reporters++
			outside[r.seen] = true
		}
	}
	switch {
	case len(outside) > 1:
		return NATSymmetric
	case reporters > 1:
		return NATCone
	case reporters == 0 && own > 1:
		return NATNone
	}
	return NATUnknown
}

// NAT returns what kind of NAT the node is behind, as far as the answers to its own
// questions tell: two different nodes must have answered.
func (n *Node) NAT() NATKind {
	n.nat.mu.Lock()
	defer n.nat.mu.Unlock()
	return n.nat.kind
}

// observe hears from a node that we asked under which address it sees us.
func (n *Node) observe(by, seen netip.AddrPort) {
	var port uint16
	if a, ok := n.LocalAddr().(*net.UDPAddr); ok {
		port = a.AddrPort().Port()
	}
	kind, changed := n.nat.add(by, seen, port, n.now())
	if !changed {
		return
	}
	n.conf.Log.Info("the NAT in front of this node", "kind", kind, "seen", seen)
	n.mu.Lock()
	all := n.snapshot()
	n.mu.Unlock()
	for _, s := range all {
		s.confirm() // fails where there is no key yet
	}
}

// askWhereTime bounds askWhere.
const askWhereTime = 2 * time.Second

// askWhere asks a node, one at a time, under which address it sees us, until the NAT is known. Who
// opens sessions with tokens that a tracker's answer brought has no other occasion to hear it from two.
func (n *Node) askWhere(addr netip.AddrPort) {
	if n.NAT() != NATUnknown {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	_, told := n.tokens[addr]
	if n.asking || n.closed || told || len(n.tokens) == 0 {
		return
	}
	n.asking = true
	n.wg.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), askWhereTime)
		defer cancel()
		_, _ = n.Discover(ctx, addr) // it is observed when it comes
		n.mu.Lock()
		n.asking = false
		n.mu.Unlock()
	})
}

// ownAddrs lists the addresses under which a socket can be reached without a NAT.
func ownAddrs(bound net.Addr) []netip.Addr {
	udp, ok := bound.(*net.UDPAddr)
	if !ok {
		return nil
	}
	if a := udp.AddrPort().Addr().Unmap(); a.IsValid() && !a.IsUnspecified() {
		return []netip.Addr{a}
	}
	var own []netip.Addr
	nets, _ := net.InterfaceAddrs() // none known: the kind stays unknown longer
	for _, x := range nets {
		if p, err := netip.ParsePrefix(x.String()); err == nil {
			own = append(own, p.Addr().Unmap())
		}
	}
	return own
}
