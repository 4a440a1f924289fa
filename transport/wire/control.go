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
const (
	controlBye       = 0x01
	controlConfirm   = 0x02
	controlPing      = 0x03
	controlPong      = 0x04
	controlIntroduce = 0x05
	controlIntro     = 0x06
	controlStranger  = 0x07
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
	}
}

// Discover asks a node for the address it sees us under. Any node answers, without
// keeping anything.
func (n *Node) Discover(ctx context.Context, addr netip.AddrPort) (netip.AddrPort, error) {
	addr = unmap(addr)
	var m askMsg
	if _, err := rand.Read(m.nonce[:]); err != nil {
		return netip.AddrPort{}, err
	}
	answer := make(chan tokenMsg, 1)
	n.mu.Lock()
	n.watch[m.nonce] = answer
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		delete(n.watch, m.nonce)
		n.mu.Unlock()
	}()
	for try := range maxTries {
		n.write(m.append(nil), addr)
		timer := time.NewTimer(firstRetry << try)
		select {
		case got := <-answer:
			timer.Stop()
			return got.addr, nil
		case <-ctx.Done():
			timer.Stop()
			return netip.AddrPort{}, ctx.Err()
		case <-timer.C:
		}
	}
	return netip.AddrPort{}, fmt.Errorf("asking %v for our address: %w", addr, ErrNoAnswer)
}
