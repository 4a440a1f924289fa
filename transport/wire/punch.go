package wire

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"nt/transport"
)

// Hole punching (F43, F44). A wants B, both know I. A sends INTRODUCE(B) in its
// session with I; I sends INTRO(A, A's address) to B and INTRO(B, B's address)
// to A. B sends A a Token for A's address: that opens B's NAT and spares A the
// question. A's Ask or Init opens A's NAT. Whichever passes first goes on.
//
//	A            I            B
//	| INTRODUCE  |            |
//	|----------->|   INTRO    |
//	|   INTRO    |----------->|
//	|<-----------|   Token    |
//	|<------------------------|  (may die at A's NAT: A's own datagram opens it)
//	|  Init (or Ask)          |
//	|------------------------>|
//	|          Reply          |
//	|<------------------------|
//
// Any node introduces its neighbours, so no single server is in each punch. An
// introduction counts only inside a live session with the introducer, whose
// AEAD authenticates it and whose counter forbids replay; B spends at most
// punches datagrams of 43 bytes on it, at allowed addresses only, at most
// introRate a second per introducer (security row 20).
const (
	punches      = 3
	punchEvery   = 200 * time.Millisecond
	introRate    = 10 // introductions acted on, per second and introducer
	introPending = 32 // INTRODUCE calls under way per session
)

// introduction is what an introducer says of a peer.
type introduction struct {
	addr netip.AddrPort // not valid: the introducer does not know the peer
	nat  NATKind
}

// Introduce asks the peer behind s to introduce us to target, and returns the
// address at which it sees target. It wraps ErrStranger if it does not know it.
func (s *Session) Introduce(ctx context.Context, target transport.PeerID) (netip.AddrPort, error) {
	got, err := s.introduce(ctx, target)
	return got.addr, err
}

func (s *Session) introduce(ctx context.Context, target transport.PeerID) (introduction, error) {
	answer := make(chan introduction, 1)
	s.mu.Lock()
	if len(s.intros) >= introPending {
		s.mu.Unlock()
		return introduction{}, ErrTooMany
	}
	if s.intros == nil {
		s.intros = map[chan introduction]transport.PeerID{}
	}
	s.intros[answer] = target
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.intros, answer)
		s.mu.Unlock()
	}()
	got, err := repeat(ctx, s.node.answerTime(), s.done, answer, func(int) error {
		return s.Send(channelControl, append([]byte{controlIntroduce}, target[:]...))
	})
	switch {
	case errors.Is(err, ErrNoAnswer):
		return got, fmt.Errorf("asking for an introduction to %v: %w", target.Short(), err)
	case errors.Is(err, ErrClosed):
		return got, s.Err()
	case err == nil && !got.addr.IsValid():
		return got, fmt.Errorf("%v: %w", s.peer.Short(), ErrStranger)
	}
	return got, err
}

// introduce is the introducer's part: it names the asker to the target and the
// target to the asker, from the addresses at which it knows them to answer.
func (n *Node) introduce(asker *Session, target transport.PeerID, now time.Time) {
	if !asker.intro.allow(now) {
		return
	}
	t := n.Session(target)
	if t == nil || target == asker.peer {
		asker.Send(channelControl, append([]byte{controlStranger}, target[:]...))
		return
	}
	n.count.introduces.Add(1)
	t.Send(channelControl, introPacket(asker.peer, introduction{asker.key.addr, asker.NAT()}))
	asker.Send(channelControl, introPacket(target, introduction{t.key.addr, t.NAT()}))
}

func introPacket(peer transport.PeerID, in introduction) []byte {
	return append(appendAddr(append([]byte{controlIntro}, peer[:]...), in.addr), byte(in.nat))
}

// NAT returns what the peer found itself behind.
func (s *Session) NAT() NATKind {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nat
}

// introduced hears of a peer: as the answer to our own INTRODUCE, or because
// that peer wants to reach us.
func (n *Node) introduced(by *Session, peer transport.PeerID, in introduction, now time.Time) {
	if n.answerIntroduction(by, peer, in) {
		return
	}
	if !by.intro.allow(now) || !n.allowed(in.addr) {
		return
	}
	n.mu.Lock()
	closed := n.closed
	if !closed {
		n.wg.Add(1)
	}
	n.mu.Unlock()
	if !closed {
		n.count.introduced.Add(1)
		go n.punch(in.addr)
	}
}

// punch opens our NAT towards addr and hands it the token it will need.
func (n *Node) punch(addr netip.AddrPort) {
	defer n.wg.Done()
	for i := range punches {
		if i > 0 {
			timer := time.NewTimer(punchEvery)
			select {
			case <-n.done:
				timer.Stop()
				return
			case <-timer.C:
			}
		}
		n.write(tokenMsg{token: n.gate.token(addr, n.now()), addr: addr}.append(nil), addr)
	}
}

// answerIntroduction hands an introduction to the calls that asked for it.
func (n *Node) answerIntroduction(by *Session, peer transport.PeerID, in introduction) bool {
	by.mu.Lock()
	defer by.mu.Unlock()
	asked := false
	for answer, target := range by.intros {
		if target != peer {
			continue
		}
		asked = true
		select {
		case answer <- in:
		default:
		}
	}
	return asked
}

// allowance is a count per second.
type allowance struct {
	second int64
	used   int
}

func (a *allowance) allow(now time.Time) bool {
	if s := now.Unix(); s != a.second {
		a.second, a.used = s, 0
	}
	a.used++
	return a.used <= introRate
}
