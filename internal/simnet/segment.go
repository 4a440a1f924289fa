package simnet

import "time"

// segKind is what a TCP segment is for.
type segKind uint8

const (
	segNone segKind = iota // a datagram
	segSyn
	segSynAck
	segData // with the end of the stream or not
	segAck
	segReset
)

// reliable reports whether the emulation never loses such a segment: the
// recovery of these is not worth emulating.
func (k segKind) reliable() bool { return k == segAck || k == segReset }

// mss is the payload of a full segment.
const mss = 1460

const (
	synRetry    = time.Second // doubled each time (RFC 6298)
	maxSynTries = 5
)

// segment is the TCP part of a packet. Its payload is the packet's buf.
type segment struct {
	kind  segKind
	to    *stream
	dial  *dialing // of a SYN
	seq   int64
	fin   bool // one more number than the payload has bytes
	push  bool // the last of a burst
	ack   int64
	edge  int64 // the receiver takes numbers below it
	sent  time.Duration
	echo  time.Duration // when what is acknowledged was sent; 0: do not measure
	tries int
}

func (s *segment) end(payload int) int64 {
	if s.fin {
		return s.seq + int64(payload) + 1
	}
	return s.seq + int64(payload)
}

// arrive handles a segment out of the downlink.
func (s *segment) arrive(n *Net, p *packet, now time.Duration) {
	switch s.kind {
	case segSyn:
		s.dial.arrived(p, now)
		n.release(p)
	case segSynAck:
		s.dial.answered(now)
		n.release(p)
	case segReset:
		s.to.fail(errReset)
		n.release(p)
	case segAck:
		s.to.acknowledged(s, now)
		n.release(p)
	case segData:
		s.to.acknowledged(s, now)
		s.to.take(p, now)
	}
}

// noticed returns when the sender of a lost segment knows.
func (s *segment) noticed(p *packet, now time.Duration) time.Duration {
	s.tries++
	if s.kind != segData {
		return s.sent + synRetry<<(s.tries-1)
	}
	rtt := max(s.to.far.srtt, 2*path(p.src, p.dst))
	return max(now, s.sent+rtt<<min(s.tries-1, 4))
}

// again sends a lost segment once more.
func (s *segment) again(n *Net, p *packet, now time.Duration) {
	if s.kind != segData && s.tries > maxSynTries {
		s.dial.failed(errTimeout)
		n.release(p)
		return
	}
	if s.kind == segData {
		from := s.to.far
		if from.err != nil {
			n.release(p)
			return
		}
		from.backOff(s.seq)
		s.ack, s.edge, s.echo = from.rcvd, from.edge(), 0
	}
	s.sent = now
	n.send(p, now)
}
