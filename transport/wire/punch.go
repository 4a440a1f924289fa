package wire

import (
	"context"
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

// Introduce asks the peer behind s to introduce us to target, and returns the
// address at which it sees target. It wraps ErrStranger if it does not know it.
func (s *Session) Introduce(ctx context.Context, target transport.PeerID) (netip.AddrPort, error) {
	answer := make(chan netip.AddrPort, 1)
	s.mu.Lock()
	if len(s.intros) >= introPending {
		s.mu.Unlock()
		return netip.AddrPort{}, ErrTooMany
	}
	if s.intros == nil {
		s.intros = map[transport.PeerID]chan netip.AddrPort{}
	}
	s.intros[target] = answer
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.intros, target)
		s.mu.Unlock()
	}()
	for try := range maxTries {
		if err := s.Send(channelControl, append([]byte{controlIntroduce}, target[:]...)); err != nil {
			return netip.AddrPort{}, err
		}
		timer := time.NewTimer(firstRetry << try)
		select {
		case addr := <-answer:
			timer.Stop()
			if !addr.IsValid() {
				return addr, fmt.Errorf("%v: %w", s.peer.Short(), ErrStranger)
			}
			return addr, nil
		case <-s.done:
			timer.Stop()
			return netip.AddrPort{}, s.Err()
		case <-ctx.Done():
			timer.Stop()
			return netip.AddrPort{}, ctx.Err()
		case <-timer.C:
		}
	}
	return netip.AddrPort{}, fmt.Errorf("asking for an introduction to %v: %w", target.Short(), ErrNoAnswer)
}

// introduce is the introducer's part: it names the asker to the target and the
// target to the asker, from the addresses at which it knows them to answer.
func (n *Node) introduce(asker *Session, target transport.PeerID, now time.Time) {
	if !asker.intro.allow(now) {
		return
	}
	t := n.openSession(target)
	if t == nil || target == asker.peer {
		asker.Send(channelControl, append([]byte{controlStranger}, target[:]...))
		return
	}
	n.mu.Lock()
	n.stats.Introduces++
	n.mu.Unlock()
	t.Send(channelControl, introPacket(asker.peer, asker.key.addr))
	asker.Send(channelControl, introPacket(target, t.key.addr))
}

func introPacket(peer transport.PeerID, addr netip.AddrPort) []byte {
	return appendAddr(append([]byte{controlIntro}, peer[:]...), addr)
}

// openSession finds a session with a peer that has shown its address and key.
func (n *Node) openSession(peer transport.PeerID) *Session {
	n.mu.Lock()
	all := n.snapshot()
	n.mu.Unlock()
	for _, s := range all {
		s.mu.Lock()
		open := s.peer == peer && (s.state == stateOpen || s.state == stateAccepted)
		s.mu.Unlock()
		if open {
			return s
		}
	}
	return nil
}

// introduced hears of a peer: as the answer to our own INTRODUCE, or because
// that peer wants to reach us.
func (n *Node) introduced(by *Session, peer transport.PeerID, addr netip.AddrPort, now time.Time) {
	if n.answerIntroduction(by, peer, addr) {
		return
	}
	if !by.intro.allow(now) || !n.allowed(addr) {
		return
	}
	n.mu.Lock()
	n.stats.Introduced++
	closed := n.closed
	if !closed {
		n.wg.Add(1)
	}
	n.mu.Unlock()
	if !closed {
		go n.punch(addr)
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

func (n *Node) answerIntroduction(by *Session, peer transport.PeerID, addr netip.AddrPort) bool {
	by.mu.Lock()
	answer := by.intros[peer]
	by.mu.Unlock()
	if answer == nil {
		return false
	}
	select {
	case answer <- addr:
	default:
	}
	return true
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
