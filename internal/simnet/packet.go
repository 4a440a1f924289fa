package simnet

import (
	"net"
	"net/netip"
	"time"
)

// Bytes of header on the wire.
const (
	headUDP = 28
	headTCP = 40
)

// stage is what happens to a packet next.
type stage uint8

const (
	stageArrive  stage = iota // at the downlink
	stageDeliver              // out of the downlink
	stageAgain                // a lost segment, sent again
)

// packet is a datagram or a segment on its way.
type packet struct {
	stage stage
	src   *Host
	dst   *Host
	size  int // with headers
	buf   []byte

	// Datagrams.
	from   *net.UDPAddr
	source netip.AddrPort
	to     netip.AddrPort

	seg segment
	raw bool // buf is a whole IP packet, for Host.Attach
}

func (n *Net) packet() *packet {
	if k := len(n.spare); k > 0 {
		p := n.spare[k-1]
		n.spare = n.spare[:k-1]
		return p
	}
	return &packet{buf: make([]byte, 0, 1500)}
}

func (n *Net) release(p *packet) {
	*p = packet{buf: p.buf[:0]}
	n.spare = append(n.spare, p)
}

// send puts p into its host's uplink and on the path; the caller holds mu.
func (n *Net) send(p *packet, now time.Duration) {
	if p.src.gone || n.closed {
		n.release(p)
		return
	}
	must := p.seg.kind.reliable()
	at, ok := p.src.up.pass(now, p.size, must)
	if !ok {
		p.src.traffic.QueueDrops++
		n.lost(p, now)
		return
	}
	p.src.traffic.Out += int64(p.size)
	p.src.traffic.PacketsOut++
	n.tap(p.src, true, p)
	if !must && n.chance(n.cfg.Loss) {
		p.src.traffic.Lost++
		n.lost(p, at)
		return
	}
	if p.dst == nil || p.dst.gone {
		n.release(p)
		return
	}
	at += path(p.src, p.dst)
	if p.seg.kind == segNone {
		if n.chance(n.cfg.Duplicate) {
			n.planArrival(n.copy(p), at)
		}
		if n.chance(n.cfg.Reorder) {
			at += n.cfg.ReorderBy
		}
	}
	n.planArrival(p, at)
}

func (n *Net) tap(h *Host, out bool, p *packet) {
	if n.cfg.Tap != nil {
		n.cfg.Tap(h, out, p.size, p.buf)
	}
}

func (n *Net) planArrival(p *packet, at time.Duration) {
	p.stage = stageArrive
	n.plan(at, p)
}

func (n *Net) copy(p *packet) *packet {
	c := n.packet()
	buf := append(c.buf, p.buf...)
	*c = *p
	c.buf = buf
	return c
}

func (p *packet) fire(n *Net, now time.Duration) {
	switch p.stage {
	case stageArrive:
		if p.dst.gone {
			n.release(p)
			return
		}
		at, ok := p.dst.down.pass(now, p.size, p.seg.kind.reliable())
		if !ok {
			p.dst.traffic.QueueDrops++
			n.lost(p, now)
			return
		}
		if p.stage = stageDeliver; at > now {
			n.plan(at, p)
			return
		}
		n.deliver(p, now)
	case stageDeliver:
		n.deliver(p, now)
	case stageAgain:
		p.seg.again(n, p, now)
	}
}

func (n *Net) deliver(p *packet, now time.Duration) {
	if p.dst.gone {
		n.release(p)
		return
	}
	p.dst.traffic.In += int64(p.size)
	p.dst.traffic.PacketsIn++
	n.tap(p.dst, false, p)
	if p.seg.kind != segNone {
		p.seg.arrive(n, p, now)
		return
	}
	if p.raw {
		if p.dst.out != nil {
			p.dst.out(p.buf)
		}
		n.release(p)
		return
	}
	port, ok := p.to.Port(), true
	if p.dst.nat != nil {
		port, ok = p.dst.nat.in(port, p.source, now)
	}
	if c := p.dst.sockets[port]; ok && c != nil {
		c.put(p)
		return
	}
	n.release(p)
}

// lost handles a packet that will not arrive: a datagram is gone, a segment
// is sent again once its sender would have noticed.
func (n *Net) lost(p *packet, now time.Duration) {
	if p.seg.kind == segNone || p.src.gone || p.dst == nil || p.dst.gone {
		n.release(p)
		return
	}
	p.stage = stageAgain
	n.plan(p.seg.noticed(p, now), p)
}
