package wire

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/flynn/noise"

	"nt/transport"
)

// Timing of the handshake. Tries back off: 0, 400 ms, 1.2 s, 2.8 s, and nobody is there after 6 s: on a link of 400 kbit/s with a
// queue a round trip takes more than 250 ms, and every other Init left twice.
const (
	firstRetry = 400 * time.Millisecond
	maxTries   = 4
	// maxNudges is how many datagrams a dial sends out of turn, because a token or
	// an introduction arrived: a forged Token must not draw an Init each time.
	maxNudges = 8
)

// dial is what a dialled session needs until it is open. The session's mu guards it.
type dial struct {
	handshake *noise.HandshakeState
	nonce     [nonceSize]byte // of the Ask
	first     []byte          // payload of Init
	datagram  []byte          // Ask or Init, replaced and never changed
	tries     int
	nudges    int
	again     bool      // send out of turn
	initAt    time.Time // when the first Init left
	nextTry   time.Time
}

// Dial opens a session to the peer with that key at addr. first (may be nil)
// rides on the first datagram and reaches the peer's handler of channel ch; it
// may arrive again if a datagram is replayed, so it must be safe to repeat.
// token is what an introducer handed out, zero if none. Dial returns when the
// peer has proved its key, or the context ends, or ErrNoAnswer.
func (n *Node) Dial(ctx context.Context, addr netip.AddrPort, peer transport.PeerID, token Token, ch Channel, first []byte) (*Session, error) {
	addr = unmap(addr)
	if !n.allowed(addr) {
		return nil, fmt.Errorf("wire: %v may not be dialled", addr)
	}
	if token == (Token{}) {
		token = n.tokenFor(addr)
	}
	if len(first) > MaxFirst {
		return nil, fmt.Errorf("%w: first packet of %d bytes", ErrTooLong, len(first))
	}
	s, err := n.newDial(addr, peer, token, ch, first)
	if err != nil {
		return nil, err
	}
	n.wakeUp()
	select {
	case <-s.established:
		return s, nil
	case <-s.done:
		return nil, s.Err()
	case <-ctx.Done():
		s.Close() // with a goodbye if it opened this very moment
		return nil, ctx.Err()
	}
}

// newDial registers a session that is being dialled; the time loop sends for it.
func (n *Node) newDial(addr netip.AddrPort, peer transport.PeerID, token Token, ch Channel, first []byte) (*Session, error) {
	d := &dial{nextTry: n.now()}
	if _, err := rand.Read(d.nonce[:]); err != nil {
		return nil, err
	}
	conv, err := n.freeConv(addr)
	if err != nil {
		return nil, err
	}
	s := newSession(n, addr, conv, peer)
	s.dial = d
	if d.handshake, err = n.newHandshake(true, peer); err != nil {
		return nil, fmt.Errorf("dialling %v: %w", addr, err)
	}
	head := byte(ch) | byte(n.NAT())<<natShift
	if signOf(n.id) {
		head |= firstSign
	}
	d.first = append([]byte{head}, first...)
	d.datagram = askMsg{d.nonce}.append(nil)
	if token != (Token{}) {
		if err := s.initiate(token); err != nil {
			return nil, err
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, ErrClosed
	}
	if _, taken := n.sessions[s.key]; taken || len(n.sessions) >= n.conf.MaxSessions {
		return nil, ErrTooMany
	}
	n.sessions[s.key] = s
	n.dials[d.nonce] = s
	return s, nil
}

// freeConv draws a conv whose half is not taken among the sessions with addr.
func (n *Node) freeConv(addr netip.AddrPort) (uint32, error) {
	var b [4]byte
	for range convTries {
		if _, err := rand.Read(b[:]); err != nil {
			return 0, err
		}
		if conv := binary.BigEndian.Uint32(b[:]); n.lookup(sessionKey{addr, uint16(conv)}) == nil {
			return conv, nil
		}
	}
	return 0, ErrTooMany
}

// convTries is how often a conv is drawn: of 65,536 halves all but a few are free.
const convTries = 8

func newSession(n *Node, addr netip.AddrPort, conv uint32, peer transport.PeerID) *Session {
	s := &Session{node: n, key: sessionKey{addr, uint16(conv)}, conv: conv, peer: peer, established: make(chan struct{}), done: make(chan struct{})}
	s.lastHeard.Store(n.now().UnixNano())
	return s
}

// initiate moves a dialled session to stateInitiating; the caller owns s or holds s.mu.
func (s *Session) initiate(token Token) error {
	msg, _, _, err := s.dial.handshake.WriteMessage(nil, s.dial.first)
	if err != nil {
		return fmt.Errorf("starting the handshake: %w", err)
	}
	s.state = stateInitiating
	s.dial.datagram = initMsg{s.conv, token, msg}.append(nil)
	s.dial.tries, s.dial.nextTry = 0, time.Time{}
	return nil
}

// receiveToken goes on with the dial that asked. A punch carries the zero
// nonce and counts for whoever is being dialled at that address.
func (n *Node) receiveToken(b []byte, from netip.AddrPort) bool {
	m, err := parseToken(b)
	if err != nil {
		return false
	}
	n.mu.Lock()
	s := n.dials[m.nonce]
	w, watched := n.watch[m.nonce]
	if m.nonce == ([nonceSize]byte{}) {
		s = n.diallingAt(from)
	} else if conv, stale := staleConv(m.nonce); stale {
		if s = n.sessions[sessionKey{from, uint16(conv)}]; s != nil && s.conv != conv {
			s = nil
		}
	}
	n.mu.Unlock()
	switch {
	case watched:
		return w.tell(n, m, from)
	case s == nil && m.nonce == ([nonceSize]byte{}):
		return n.punchedFrom(from, m.token)
	case s == nil || s.key.addr != from:
		return false
	}
	answer := m.nonce == s.dialNonce()
	if answer {
		n.observe(from, m.addr)
	}
	return s.useToken(m.token, answer)
}

func (s *Session) dialNonce() (nonce [nonceSize]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dial != nil {
		nonce = s.dial.nonce
	}
	return nonce
}

// useToken goes on with a dial. answer says that its own Ask is answered, not that somebody opens a NAT.
func (s *Session) useToken(token Token, answer bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.state {
	case stateAsking:
		if s.initiate(token) != nil {
			return false
		}
	case stateInitiating: // the one it has is stale, or its Init died at a NAT that is open now
		if answer && Token(s.dial.datagram[5:5+len(token)]) == token {
			return true // of an Ask that left again before it could be answered: Init is on its way
		}
		if !s.dial.nudge() {
			return false
		}
		b := append([]byte(nil), s.dial.datagram...)
		copy(b[5:], token[:])
		s.dial.datagram = b
	default:
		return false
	}
	s.node.wakeUp()
	return true
}

func (d *dial) nudge() bool {
	if d.nudges == maxNudges {
		return false
	}
	d.nudges++
	d.again = true
	return true
}

// diallingAt finds a dial to addr; the caller holds mu.
func (n *Node) diallingAt(addr netip.AddrPort) *Session {
	for _, s := range n.dials {
		if s.key.addr == addr {
			return s
		}
	}
	return nil
}

// receiveReply completes a dial.
func (n *Node) receiveReply(b []byte, from netip.AddrPort, now time.Time) bool {
	m, err := parseReply(b)
	if err != nil {
		return false
	}
	s := n.lookup(sessionKey{from, uint16(m.conv)})
	if s == nil || s.conv != m.conv {
		return false
	}
	rode, took := s.handshaking(now)
	if !s.finish(m, now) {
		return false
	}
	n.mu.Lock()
	n.undial(s)
	if took > 0 {
		n.answers.Add(took)
	}
	n.mu.Unlock()
	n.confirmed(s)
	if n.conf.Opened != nil {
		n.conf.Opened(s)
	}
	s.confirmSoon(rode) // the accepter holds back until our first packet
	close(s.established)
	n.askWhere(from)
	return true
}

// handshaking reports whether a packet rides on the handshake, and how long the Reply took that comes now; 0 if
// that says nothing. Of several Inits it is not known which one is answered: one that was
// lost must not look like a slow link, nor a slow link like a loss. What opened a NAT says nothing.
func (s *Session) handshaking(now time.Time) (rides bool, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.dial
	if d == nil {
		return false, 0
	}
	if d.nudges == 0 {
		took = min(now.Sub(d.initAt), 2*now.Sub(s.initSent))
	}
	return len(d.first) > 1, took
}

// finish takes the keys out of a Reply.
func (s *Session) finish(m replyMsg, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateInitiating {
		return false
	}
	// A forged Reply fails here; flynn/noise rolls its state back, so the genuine one still fits.
	says, send, recv, err := s.dial.handshake.ReadMessage(nil, m.noise)
	if err != nil || len(says) != replySays || says[0] > byte(NATSymmetric) || s.send.setKey(send) != nil || s.recv.setKey(recv) != nil {
		return false
	}
	s.nat = NATKind(says[0])
	s.granted, _ = ParseGrant(says[1:])
	s.grantedAt = now
	s.state, s.dial = stateOpen, nil
	s.lastHeard.Store(now.UnixNano())
	return true
}

// confirm tells the peer that we have our key, and what NAT we are behind.
func (s *Session) confirm() error {
	return s.Send(channelControl, []byte{controlConfirm, byte(s.node.NAT())})
}
