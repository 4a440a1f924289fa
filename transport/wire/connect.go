package wire

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"nt/transport"
)

// ErrSymmetric reports that a peer could not be reached because both sides are
// behind NATs that show another port to each destination.
var ErrSymmetric = errors.New("wire: both sides are behind symmetric NATs")

// ErrSymmetricNAT reports that one side is, which is a likely reason, not a certain one.
var ErrSymmetricNAT = errors.New("symmetric NAT")

const (
	introduceAfter = 250 * time.Millisecond // a direct dial gets so long alone
	// introduceLate is the same for a node that knows of no NAT yet: a slow link is likelier, and a
	// round trip behind a full queue takes so long.
	introduceLate   = 500 * time.Millisecond
	maxIntroducers  = 4           // asked for one peer
	maxCandidates   = 4           // addresses dialled for one peer
	symmetricGrace  = time.Second // what is left to a direct dial when punching is hopeless
	punchesExpected = 4
)

// strangerRetries is when an introducer that did not know the peer is asked again, each after the one before: a peer that was heard of
// a moment ago is still opening its own session there, and is known half a round trip after that; then a lost packet later.
var strangerRetries = [...]time.Duration{50 * time.Millisecond, 150 * time.Millisecond}

// punchFrom is a punch that came from an address nobody was dialling.
type punchFrom struct {
	addr  netip.AddrPort
	token Token
}

// attempt is one Connect.
type attempt struct {
	node   *Node
	peer   transport.PeerID
	ch     Channel
	first  []byte
	cancel context.CancelFunc
	events chan event
	punch  chan punchFrom
	next   chan struct{} // the introducer asked last does not know the peer: no reason to wait before the next is asked

	running int // dials and introductions under way
	tried   map[netip.AddrPort]bool
	far     NATKind // what an introducer says of the peer
	reasons []string
}

// event is the end of a dial or of an introduction.
type event struct {
	session *Session
	intro   introduction
	err     error
	what    string // what was tried, for the error text
}

// Connect opens a session with a peer: directly, and when that is not answered
// within a moment also through the introducers, which have sessions with us and
// perhaps with the peer: one after another, the likeliest to know it first, each after twice as long, or at once when the
// one before does not know the peer. token is what came with the peer's address, if anything;
// first (may be nil) rides on every handshake that is tried, as in Dial, so that more than one may arrive.
// The first session that opens is returned and the other dials are
// broken off. The error wraps ErrSymmetric where both sides' NATs forbid it, else
// ErrNoAnswer; it also wraps the context's if that ended first.
func (n *Node) Connect(ctx context.Context, peer transport.Peer, token Token, ch Channel, first []byte, introducers ...*Session) (*Session, error) {
	if len(first) > MaxFirst {
		return nil, fmt.Errorf("%w: first packet of %d bytes", ErrTooLong, len(first))
	}
	ctx, cancel := context.WithCancel(ctx)
	a := &attempt{node: n, peer: peer.ID, ch: ch, first: first, cancel: cancel, events: make(chan event), punch: make(chan punchFrom, punchesExpected), next: make(chan struct{}, 1),
		tried: map[netip.AddrPort]bool{}}
	defer a.finish()
	if peer.Addr.IsValid() {
		a.dial(ctx, peer.Addr, token)
	}
	patience := n.patience(token == Token{} && n.tokenFor(unmap(peer.Addr)) == Token{})
	alone := time.NewTimer(patience)
	defer alone.Stop()
	var hopeless <-chan time.Time
	introducers = introducers[:min(len(introducers), maxIntroducers)]
	for asked := 0; ; {
		if a.running == 0 {
			if asked == len(introducers) {
				return nil, a.failure()
			}
			alone.Reset(0)
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return nil, ctx.Err()
			}
			return nil, fmt.Errorf("%w: %w", a.failure(), ctx.Err())
		case <-alone.C:
			if asked < len(introducers) {
				a.ask(ctx, introducers[asked], asked == 0)
				asked++
				alone.Reset(patience << asked)
			}
		case <-a.next:
			alone.Reset(0)
		case <-hopeless:
			return nil, a.failure()
		case p := <-a.punch:
			a.dial(ctx, p.addr, p.token)
		case e := <-a.events:
			a.running--
			switch {
			case e.session != nil:
				return e.session, nil
			case e.err != nil:
				a.reasons = append(a.reasons, fmt.Sprintf("%s: %v", e.what, e.err))
				if asked > 0 { // whether a dial or an introduction failed: there is nothing to wait for
					alone.Reset(0)
				}
			default:
				hopeless = a.introduced(ctx, e.intro, hopeless)
			}
		}
	}
}

// patience is how long a direct dial is given before introducers are asked: of two round trips if it has to ask for a token first.
func (n *Node) patience(asks bool) time.Duration {
	least := introduceAfter
	if n.NAT() == NATUnknown {
		least = introduceLate
	}
	usual := n.answerTime()
	if asks {
		usual *= 2
	}
	return max(least, usual)
}

// introduced goes on with what an introducer said.
func (a *attempt) introduced(ctx context.Context, in introduction, hopeless <-chan time.Time) <-chan time.Time {
	if !a.dial(ctx, in.addr, Token{}) {
		a.node.nudgeDial(in.addr)
	}
	a.far = in.nat
	if !a.symmetric() {
		return hopeless
	}
	return time.After(symmetricGrace)
}

// dial tries one more address, and reports whether it was a new one.
func (a *attempt) dial(ctx context.Context, addr netip.AddrPort, token Token) bool {
	addr = unmap(addr)
	if a.tried[addr] || len(a.tried) == maxCandidates {
		return false
	}
	a.tried[addr] = true
	a.node.expectPunch(addr.Addr(), a.punch)
	a.run(func() event {
		s, err := a.node.Dial(ctx, addr, a.peer, token, a.ch, a.first)
		return event{session: s, err: err, what: addr.String()}
	})
	return true
}

// ask asks an introducer, again if it does not know the peer yet.
func (a *attempt) ask(ctx context.Context, by *Session, again bool) {
	a.run(func() event {
		in, err := by.introduce(ctx, a.peer)
		if again && errors.Is(err, ErrStranger) {
			a.next <- struct{}{} // one introducer is asked again, and says so once
			in, err = a.askAgain(ctx, by, err)
		}
		return event{intro: in, err: err, what: "through " + by.peer.Short()}
	})
}

// askAgain asks an introducer to which the peer was a stranger, as err says.
func (a *attempt) askAgain(ctx context.Context, by *Session, err error) (in introduction, _ error) {
	for _, wait := range strangerRetries {
		if !errors.Is(err, ErrStranger) {
			break
		}
		select {
		case <-ctx.Done():
			return in, err
		case <-time.After(wait):
			in, err = by.introduce(ctx, a.peer)
		}
	}
	return in, err
}

func (a *attempt) run(f func() event) {
	a.running++
	go func() { a.events <- f() }()
}

// finish breaks off and waits for what is still under way.
func (a *attempt) finish() {
	a.cancel()
	a.node.unexpectPunch(a.punch)
	for ; a.running > 0; a.running-- {
		if e := <-a.events; e.session != nil {
			e.session.Close()
		}
	}
}

// symmetric reports whether punching is hopeless.
func (a *attempt) symmetric() bool { return a.far == NATSymmetric && a.node.NAT() == NATSymmetric }

func (a *attempt) failure() error {
	if a.symmetric() {
		return fmt.Errorf("%v: %w: no introduction helps; one side needs a port mapping or IPv6", a.peer.Short(), ErrSymmetric)
	}
	text := strings.Join(a.reasons, "; ")
	if text == "" {
		text = "no address and nobody to ask"
		if len(a.tried) > 0 {
			text = "not in time"
		}
	}
	switch {
	case a.node.NAT() == NATSymmetric:
		return fmt.Errorf("%v: %w (%s; this node is behind a %w: only peers with an open port can be reached)", a.peer.Short(), ErrNoAnswer, text, ErrSymmetricNAT)
	case a.far == NATSymmetric:
		return fmt.Errorf("%v: %w (%s; that peer is behind a %w: only nodes with an open port or a full-cone NAT can reach it)", a.peer.Short(), ErrNoAnswer, text, ErrSymmetricNAT)
	}
	return fmt.Errorf("%v: %w (%s)", a.peer.Short(), ErrNoAnswer, text)
}

// nudgeDial sends a dial's datagram again now: the peer's NAT is being opened.
func (n *Node) nudgeDial(addr netip.AddrPort) {
	n.mu.Lock()
	s := n.diallingAt(unmap(addr))
	n.mu.Unlock()
	if s == nil {
		return
	}
	s.mu.Lock()
	if s.dial != nil {
		s.dial.nudge()
	}
	s.mu.Unlock()
	n.wakeUp()
}

func (n *Node) expectPunch(ip netip.Addr, to chan<- punchFrom) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.punched[punchKey{ip, to}] = struct{}{}
}

func (n *Node) unexpectPunch(to chan<- punchFrom) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for k := range n.punched {
		if k.to == to {
			delete(n.punched, k)
		}
	}
}

// punchedFrom hears a punch from an address that is not being dialled: the NAT of a
// peer that is being dialled elsewhere may have given it another port.
func (n *Node) punchedFrom(from netip.AddrPort, token Token) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	used := false
	for k := range n.punched {
		if k.ip != from.Addr() {
			continue
		}
		select {
		case k.to <- punchFrom{from, token}:
			used = true
		default:
		}
	}
	return used
}

// punchKey is a Connect under way that tries an address.
type punchKey struct {
	ip netip.Addr
	to chan<- punchFrom
}
