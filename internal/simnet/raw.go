package simnet

import (
	"errors"
	"fmt"
	"net/netip"
)

// maxRaw is the longest IP packet, in bytes: the links' MTU.
const maxRaw = 1500

// ErrNotIPv4 reports a packet that is not whole IPv4.
var ErrNotIPv4 = errors.New("simnet: not an IPv4 packet")

// Attach makes the host the link of a computer outside of this process: IPv4 packets that
// reach it are handed to out, which must neither block nor keep them; those it sends
// come by Inject. Sockets opened on such a host hear nothing.
func (h *Host) Attach(out func(ip []byte)) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.out = out
}

// Inject sends an IPv4 packet from the host to whom its header names. What the packet says
// of its source is not looked at. It wraps ErrNotIPv4 for anything else.
func (h *Host) Inject(ip []byte) error {
	if len(ip) < 20 || ip[0]>>4 != 4 {
		return ErrNotIPv4
	}
	if len(ip) > maxRaw {
		return fmt.Errorf("a packet of %d bytes is over %d: %w", len(ip), maxRaw, ErrNotIPv4)
	}
	n := h.net
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.packet()
	p.src, p.dst, p.size, p.raw = h, n.hosts[netip.AddrFrom4([4]byte(ip[16:20]))], len(ip), true
	p.buf = append(p.buf, ip...)
	n.send(p, n.Now())
	return nil
}
