package wire

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"nt/transport"
)

// Control packets: the first byte on channelControl.
//
//	BYE       01
//	CONFIRM   02 | NAT 1                    the dialler has its key; either side's NAT has become known
//	PING      03 | nonce 8                  answered by PONG
//	PONG      04 | nonce 8
//	INTRODUCE 05 | peer 32                  asks to be introduced to a peer the receiver is connected with
//	INTRO     06 | peer 32 | address 18 | NAT 1   names each of two peers to the other
//	STRANGER  07 | peer 32                  the receiver of INTRODUCE does not know that peer
//	GRANT     08 | grant 20                 the receiver may make tokens for the sender's gate (introducers)
//	SPARE     09                            BYE to this session only: the two have another
//	AFTER     0a | topic 32                 the sender is after something: the receiver may name it to others who are
//	ENOUGH    0b | topic 32                 it is no more
const (
	controlBye       = 0x01
	controlConfirm   = 0x02
	controlPing      = 0x03
	controlPong      = 0x04
	controlIntroduce = 0x05
	controlIntro     = 0x06
	controlStranger  = 0x07
	controlGrant     = 0x08
	controlSpare     = 0x09
	controlAfter     = 0x0a
	controlEnough    = 0x0b
)

// ErrStranger reports that an introducer does not know the peer asked for.
var ErrStranger = errors.New("wire: the introducer does not know that peer")

// control handles a genuine packet of channelControl. Unknown ones are ignored, so
// that the protocol can grow.
func (s *Session) control(p []byte, now time.Time) {
	if len(p) == 0 {
		return
	}
	switch body := p[1:]; {
	case p[0] == controlBye && len(body) == 0:
		s.end(ErrBye)
	case p[0] == controlSpare && len(body) == 0:
		s.end(ErrSpare)
	case p[0] == controlConfirm && len(body) == 1 && body[0] <= byte(NATSymmetric):
		s.mu.Lock()
		s.nat = NATKind(body[0])
		s.mu.Unlock()
	case p[0] == controlPing && len(body) == nonceSize:
		s.Send(channelControl, append([]byte{controlPong}, body...))
	case p[0] == controlIntroduce && len(body) == 32:
		s.node.introduce(s, transport.PeerID(body), now)
	case p[0] == controlIntro && len(body) == 32+18+1:
		s.node.introduced(s, transport.PeerID(body[:32]), introduction{parseAddr(body[32:]), NATKind(body[50])}, now)
	case p[0] == controlStranger && len(body) == 32:
		s.node.answerIntroduction(s, transport.PeerID(body), introduction{})
	case (p[0] == controlAfter || p[0] == controlEnough) && len(body) == 32:
		if s.node.conf.After != nil {
			s.node.conf.After(s, [32]byte(body), p[0] == controlAfter)
		}
	case p[0] == controlGrant && len(body) == GrantSize:
		if g, ok := ParseGrant(body); ok {
			s.mu.Lock()
			s.granted, s.grantedAt = g, now
			s.mu.Unlock()
		}
	}
}

// KeepGranting lets the peer behind s, an introducer, make tokens of this node's for whom it
// names us to: a reader that hears of us in an answer opens a session in one round trip.
func (s *Session) KeepGranting() {
	s.granting.Store(true)
	s.giveGrant() // the sweep repeats it, should it be lost
}

// After tells the peer behind s, an introducer, that this node is after a topic, or no more: it may name us to others who are.
// The topic means nothing to the wire. What gets lost is said again by who cares.
func (s *Session) After(topic [32]byte, is bool) error {
	word := byte(controlEnough)
	if is {
		word = controlAfter
	}
	return s.Send(channelControl, append([]byte{word}, topic[:]...))
}

func (s *Session) giveGrant() error {
	return s.Send(channelControl, s.node.Grant().AppendBinary([]byte{controlGrant}))
}

// Discover asks a node for the address it sees us under. Any node answers, without
// keeping anything.
func (n *Node) Discover(ctx context.Context, addr netip.AddrPort) (netip.AddrPort, error) {
	got, err := n.exchange(ctx, unmap(addr), false)
	return got.addr, err
}

// Probe reports whether a node answers at that very address, to a question that nobody else sees.
// What the answer says of our own address counts for nothing: any stranger may be asked.
func (n *Node) Probe(ctx context.Context, addr netip.AddrPort) bool {
	_, err := n.exchange(ctx, unmap(addr), true)
	return err == nil
}

// watch is an Ask outside of any dial that waits for its Token.
type watch struct {
	of     netip.AddrPort
	probe  bool // an answer from elsewhere is none, and is believed in nothing
	answer chan tokenMsg
}

// exchange sends an Ask until its Token comes.
func (n *Node) exchange(ctx context.Context, addr netip.AddrPort, probe bool) (tokenMsg, error) {
	var m askMsg
	rand.Read(m.nonce[:]) // never fails
	w := watch{addr, probe, make(chan tokenMsg, 1)}
	n.mu.Lock()
	n.watch[m.nonce] = w
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		delete(n.watch, m.nonce)
		n.mu.Unlock()
	}()
	got, err := repeat(ctx, n.answerTime(), n.done, w.answer, func(int) error {
		n.write(m.append(nil), addr) // an address that nothing can be sent to does not answer
		return nil
	})
	if err != nil {
		return got, fmt.Errorf("asking %v for our address: %w", addr, err)
	}
	return got, nil
}

// tell gives a Token to the Ask that waits for it.
func (w watch) tell(n *Node, m tokenMsg, from netip.AddrPort) bool {
	if w.probe && from != w.of {
		return false
	}
	if !w.probe {
		n.observe(from, m.addr)
	}
	select {
	case w.answer <- m:
	default:
	}
	return true
}
