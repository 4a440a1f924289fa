package simnet

import (
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Link is how a host is connected. Zero fields take the value in parentheses.
type Link struct {
	Up, Down  int           // bits per second (unlimited)
	Delay     time.Duration // the host's part of the one-way delay: a path takes the sum of both ends'
	UpQueue   int           // bytes, the packet being sent included (65,536)
	DownQueue int           // (65,536)
	NAT       NAT           // (none)
}

// Traffic is what passed a host's link, headers counted. In and Out are bytes.
type Traffic struct {
	In, Out               int64
	PacketsIn, PacketsOut int64
	// QueueDrops counts packets that found the host's uplink or downlink queue full.
	QueueDrops int64
	// Lost counts packets of this host that were lost on the path.
	Lost int64
	// Overruns counts datagrams that the socket's owner did not read in time.
	Overruns int64
}

// Host is one computer and its link.
type Host struct {
	net     *Net
	addr    netip.Addr // as others see it
	local   netip.Addr // as it sees itself: another one behind a NAT
	link    Link
	up      line
	down    line
	nat     *natTable // nil: none
	traffic Traffic
	sockets map[uint16]*packetConn
	listens map[uint16]*listener
	streams map[*stream]struct{}
	dials   map[*dialing]struct{}
	ring    []*stream // those with something to send, in turn
	pumpAt  time.Duration
	port    uint16 // last ephemeral port
	gone    bool
	out     func(ip []byte) // see Attach
}

// line is one direction of a link.
type line struct {
	rate  int64 // bits per second; 0: unlimited
	queue int64 // bytes
	busy  time.Duration
}

// pass queues size bytes and returns when the last has left; false if the
// queue is full, unless it must take them.
func (l *line) pass(now time.Duration, size int, must bool) (time.Duration, bool) {
	if l.rate == 0 {
		return now, true
	}
	if wait := l.busy - now; wait > 0 && !must {
		backlog := int64(wait) * l.rate / (8 * int64(time.Second))
		if backlog+int64(size) > l.queue {
			return 0, false
		}
	}
	l.busy = max(l.busy, now) + l.time(size)
	return l.busy, true
}

// time is what size bytes take on the line.
func (l *line) time(size int) time.Duration {
	if l.rate == 0 {
		return 0
	}
	return time.Duration(int64(size) * 8 * int64(time.Second) / l.rate)
}

const defaultQueue = 64 << 10

// Host adds a host. Each stands in a /24 network of its own, with a public address.
func (n *Net) Host(link Link) *Host {
	if link.UpQueue == 0 {
		link.UpQueue = defaultQueue
	}
	if link.DownQueue == 0 {
		link.DownQueue = defaultQueue
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	i := n.made
	n.made++
	h := &Host{net: n, addr: netip.AddrFrom4([4]byte{byte(20 + i>>16), byte(i >> 8), byte(i), 1}), link: link,
		up:      line{rate: int64(link.Up), queue: int64(link.UpQueue)},
		down:    line{rate: int64(link.Down), queue: int64(link.DownQueue)},
		sockets: make(map[uint16]*packetConn), listens: make(map[uint16]*listener), streams: make(map[*stream]struct{}), dials: make(map[*dialing]struct{}), port: 32767}
	h.local = h.addr
	if link.NAT != NoNAT {
		h.local = netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 2})
		h.nat = newNATTable(link.NAT, n.cfg.NATIdle)
	}
	n.hosts[h.addr] = h
	return h
}

// Addr returns the address others see.
func (h *Host) Addr() netip.Addr { return h.addr }

// Traffic returns what has passed the link so far.
func (h *Host) Traffic() Traffic {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	return h.traffic
}

// Close pulls the plug: nothing reaches the host any more and nothing leaves
// it, without a word to anybody. Packets beyond its uplink go on.
func (h *Host) Close() error {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.unplug()
	delete(h.net.hosts, h.addr)
	return nil
}

func (h *Host) unplug() {
	if h.gone {
		return
	}
	h.gone = true
	for _, c := range h.sockets {
		c.shut()
	}
	for _, l := range h.listens {
		l.shut()
	}
	for d := range h.dials {
		d.failed(net.ErrClosed)
	}
	for s := range h.streams {
		s.fail(net.ErrClosed)
	}
}

// freePort finds a port that taken does not know, or checks the one asked for.
func (h *Host) freePort(port uint16, taken func(uint16) bool) (uint16, error) {
	if h.gone {
		return 0, net.ErrClosed
	}
	if port != 0 {
		if taken(port) {
			return 0, fmt.Errorf("port %d is in use", port)
		}
		return port, nil
	}
	for range 1 << 15 {
		if h.port++; h.port < 32768 {
			h.port = 32768
		}
		if !taken(h.port) {
			return h.port, nil
		}
	}
	return 0, fmt.Errorf("no free port on %s", h.addr)
}

// pump lets the host's streams send a segment each in turn, as long as the uplink
// has less than one segment before it: what waits, waits with its sender and
// not in the modem, as under a fair queue.
func (h *Host) pump(now time.Duration) {
	for len(h.ring) > 0 && !h.gone {
		if room := h.up.busy - h.up.time(mss+headTCP); room > now {
			if h.pumpAt <= now || room < h.pumpAt {
				h.pumpAt = room
				h.net.plan(room, h)
			}
			return
		}
		s := h.ring[0]
		h.ring[0] = nil
		h.ring = h.ring[1:]
		s.queued = false
		size, fin, ok := s.sendable()
		if !ok {
			continue
		}
		s.emit(size, fin, now)
		if _, _, more := s.sendable(); more {
			s.queued = true
			h.ring = append(h.ring, s)
		}
	}
}

// fire is the uplink's: there is room for another segment.
func (h *Host) fire(_ *Net, now time.Duration) { h.pump(now) }

// path returns the one-way delay between two hosts.
func path(a, b *Host) time.Duration { return a.link.Delay + b.link.Delay }
