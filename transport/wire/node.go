package wire

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/flynn/noise"

	"nt/transport"
)

// Config is what a Node is made of.
type Config struct {
	// Conn is the socket. The node reads it alone and closes it. Only the methods of
	// net.PacketConn are used.
	Conn net.PacketConn
	Key  ed25519.PrivateKey
	// Accept hears of every session that a peer opened, before its first packet,
	// and sets handlers; false refuses it. It runs on the reading goroutine. nil refuses all.
	Accept func(s *Session) bool
	// Allowed says whether datagrams may go to an address somebody else named
	// (dials and introductions); nil allows every address.
	Allowed func(netip.Addr) bool
	// MaxSessions caps all sessions, MaxPerGroup those of one /24 or /48 network
	// that peers opened; 0 means 256 and 32.
	MaxSessions, MaxPerGroup int
	// Idle closes a session after so long without a genuine packet; 0 means 30 s.
	Idle time.Duration
	Now  func() time.Time // nil means time.Now
	Log  *slog.Logger     // nil discards
}

// Timing of the handshake. Tries back off: 0, 250 ms, 750 ms, 1.75 s, 3.75 s.
const (
	firstRetry = 250 * time.Millisecond
	maxTries   = 5
	sweepEvery = time.Second
)

// Node owns a UDP socket and the sessions on it. It is safe for concurrent use.
type Node struct {
	conf Config
	gate gate
	dh   noise.DHKey
	id   transport.PeerID

	mu       sync.Mutex
	sessions map[sessionKey]*Session
	groups   map[netip.Prefix]int // sessions that peers opened, per network group
	asks     map[[nonceSize]byte]*Session
	watch    map[[nonceSize]byte]chan<- tokenMsg // Discover calls under way
	closed   bool
	stats    Stats

	wake chan struct{}
	done chan struct{}
	wg   sync.WaitGroup
}

// Stats counts what a node did. Bytes are UDP payload.
type Stats struct {
	In, Out                uint64 // datagrams
	BytesIn, BytesOut      uint64
	Refused                uint64 // datagrams dropped by the gate: malformed, no token, caps
	Sessions               int
	Introduced, Introduces uint64 // introductions acted on, and given
}

// Listen starts a node on conf.Conn.
func Listen(conf Config) (*Node, error) {
	dh, err := dhKey(conf.Key)
	if err != nil {
		return nil, fmt.Errorf("deriving the session key: %w", err)
	}
	setDefault(&conf.MaxSessions, 256)
	setDefault(&conf.MaxPerGroup, 32)
	setDefault(&conf.Idle, 30*time.Second)
	if conf.Now == nil {
		conf.Now = time.Now
	}
	if conf.Log == nil {
		conf.Log = slog.New(slog.DiscardHandler)
	}
	n := &Node{conf: conf, dh: dh, sessions: map[sessionKey]*Session{}, groups: map[netip.Prefix]int{},
		asks: map[[nonceSize]byte]*Session{}, watch: map[[nonceSize]byte]chan<- tokenMsg{},
		wake: make(chan struct{}, 1), done: make(chan struct{})}
	copy(n.id[:], conf.Key.Public().(ed25519.PublicKey))
	if _, err := rand.Read(n.gate.secret[:]); err != nil {
		return nil, err
	}
	n.wg.Add(2)
	go n.readLoop()
	go n.timeLoop()
	return n, nil
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// ID returns the node's own key.
func (n *Node) ID() transport.PeerID { return n.id }

// LocalAddr returns the socket's address.
func (n *Node) LocalAddr() net.Addr { return n.conf.Conn.LocalAddr() }

// Stats returns the counters.
func (n *Node) Stats() Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.stats
	s.Sessions = len(n.sessions)
	return s
}

// Close says goodbye in every session, closes the socket and waits for the
// node's goroutines.
func (n *Node) Close() error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.closed = true
	all := n.snapshot()
	n.mu.Unlock()
	for _, s := range all {
		s.Close()
	}
	close(n.done)
	err := n.conf.Conn.Close()
	n.wg.Wait()
	return err
}

// snapshot lists the sessions; the caller holds mu.
func (n *Node) snapshot() []*Session {
	all := make([]*Session, 0, len(n.sessions))
	for _, s := range n.sessions {
		all = append(all, s)
	}
	return all
}

func (n *Node) now() time.Time { return n.conf.Now() }

func (n *Node) write(b []byte, to netip.AddrPort) error {
	n.mu.Lock()
	n.stats.Out++
	n.stats.BytesOut += uint64(len(b))
	n.mu.Unlock()
	_, err := n.conf.Conn.WriteTo(b, net.UDPAddrFromAddrPort(to))
	return err
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
	if len(first) > MaxFirst {
		return nil, fmt.Errorf("%w: first packet of %d bytes", ErrTooLong, len(first))
	}
	s, err := n.newDial(addr, peer, token, ch, first)
	if err != nil {
		return nil, err
	}
	n.nudge()
	select {
	case <-s.established:
		return s, nil
	case <-s.done:
		return nil, s.Err()
	case <-ctx.Done():
		s.end(ctx.Err())
		return nil, ctx.Err()
	}
}

// newDial registers a session that is being dialled; the time loop sends for it.
func (n *Node) newDial(addr netip.AddrPort, peer transport.PeerID, token Token, ch Channel, first []byte) (*Session, error) {
	s := newSession(n, sessionKey{addr: addr}, peer)
	var random [nonceSize + 4]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, err
	}
	copy(s.nonce[:], random[:])
	s.key.conv = binary.BigEndian.Uint32(random[nonceSize:])
	var err error
	if s.handshake, err = n.newHandshake(true, peer); err != nil {
		return nil, fmt.Errorf("dialling %v: %w", addr, err)
	}
	s.first = append(append(append([]byte(nil), n.id[:]...), byte(ch)), first...)
	s.datagram = askMsg{s.nonce}.append(nil)
	if token != (Token{}) {
		if err := s.initiate(token); err != nil {
			return nil, err
		}
	}
	s.nextTry = n.now()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, ErrClosed
	}
	if _, taken := n.sessions[s.key]; taken || len(n.sessions) >= n.conf.MaxSessions {
		return nil, ErrTooMany
	}
	n.sessions[s.key] = s
	n.asks[s.nonce] = s
	return s, nil
}

func newSession(n *Node, key sessionKey, peer transport.PeerID) *Session {
	s := &Session{node: n, key: key, peer: peer, established: make(chan struct{}), done: make(chan struct{})}
	s.lastHeard.Store(n.now().UnixNano())
	return s
}

// initiate moves a dialled session to stateInitiating; the caller owns s or holds s.mu.
func (s *Session) initiate(token Token) error {
	msg, _, _, err := s.handshake.WriteMessage(nil, s.first)
	if err != nil {
		return fmt.Errorf("starting the handshake: %w", err)
	}
	s.state = stateInitiating
	s.datagram = initMsg{s.key.conv, token, msg}.append(nil)
	s.tries = 0
	return nil
}

// forget removes an ended session.
func (n *Node) forget(s *Session) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.sessions[s.key] == s {
		delete(n.sessions, s.key)
		if s.accepted {
			n.releaseGroup(s.key.addr.Addr())
		}
	}
	delete(n.asks, s.nonce)
}

func (n *Node) releaseGroup(a netip.Addr) {
	g := group(a)
	if n.groups[g]--; n.groups[g] <= 0 {
		delete(n.groups, g)
	}
}

// group returns the network group an address counts in: /24 or /48.
func group(a netip.Addr) netip.Prefix {
	bits := 24
	if a.Is6() {
		bits = 48
	}
	p, _ := a.Prefix(bits)
	return p
}

// allowed reports whether datagrams may go to an address that somebody named.
func (n *Node) allowed(a netip.AddrPort) bool {
	ip := a.Addr()
	return a.IsValid() && a.Port() != 0 && !ip.IsUnspecified() && !ip.IsMulticast() && (n.conf.Allowed == nil || n.conf.Allowed(ip))
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// readLoop is the one reader of the socket.
func (n *Node) readLoop() {
	defer n.wg.Done()
	buf := make([]byte, MaxDatagram+1)
	for {
		size, from, err := n.conf.Conn.ReadFrom(buf)
		if err != nil {
			if n.isClosed() || errors.Is(err, net.ErrClosed) {
				return
			}
			n.conf.Log.Debug("reading the UDP socket", "error", err)
			continue // ICMP errors of other peers surface here
		}
		udp, ok := from.(*net.UDPAddr)
		if !ok {
			continue
		}
		n.receive(buf[:size], unmap(udp.AddrPort()))
	}
}

func (n *Node) isClosed() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.closed
}

func (n *Node) receive(b []byte, from netip.AddrPort) {
	n.count(len(b))
	if len(b) == 0 {
		return
	}
	now := n.now()
	ok := false
	switch b[0] {
	case typeAsk:
		ok = n.receiveAsk(b, from, now)
	case typeToken:
		ok = n.receiveToken(b, from)
	case typeInit:
		ok = n.receiveInit(b, from, now)
	case typeReply:
		ok = n.receiveReply(b, from, now)
	case typeData:
		ok = n.receiveData(b, from, now)
	}
	if !ok {
		n.mu.Lock()
		n.stats.Refused++
		n.mu.Unlock()
	}
}

func (n *Node) count(size int) {
	n.mu.Lock()
	n.stats.In++
	n.stats.BytesIn += uint64(size)
	n.mu.Unlock()
}

func (n *Node) lookup(k sessionKey) *Session {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sessions[k]
}

func (n *Node) receiveAsk(b []byte, from netip.AddrPort, now time.Time) bool {
	m, err := parseAsk(b)
	if err != nil {
		return false
	}
	n.write(tokenMsg{m.nonce, n.gate.token(from, now), from}.append(nil), from)
	return true
}

// receiveToken goes on with the dial that asked. A punch carries the zero
// nonce and counts for whoever is being dialled at that address.
func (n *Node) receiveToken(b []byte, from netip.AddrPort) bool {
	m, err := parseToken(b)
	if err != nil {
		return false
	}
	n.mu.Lock()
	s, seen := n.asks[m.nonce], n.watch[m.nonce]
	if m.nonce == ([nonceSize]byte{}) {
		s = n.askingAt(from)
	} else if conv, stale := staleConv(m.nonce); stale {
		s = n.sessions[sessionKey{from, conv}]
	}
	n.mu.Unlock()
	if seen != nil {
		select {
		case seen <- m:
		default:
		}
		return true
	}
	if s == nil || s.key.addr != from {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.state {
	case stateAsking:
		if s.initiate(m.token) != nil {
			return false
		}
	case stateInitiating: // the introducer's token was stale: the same message under the new one
		copy(s.datagram[5:], m.token[:])
	default:
		return false
	}
	s.nextTry = time.Time{}
	n.nudge()
	return true
}

// askingAt finds a dial to addr that has no token yet; the caller holds mu.
func (n *Node) askingAt(addr netip.AddrPort) *Session {
	for _, s := range n.asks {
		if s.key.addr == addr {
			return s
		}
	}
	return nil
}

// receiveInit is the door: a token for the sender's address, then room, then a
// key that fits, and only then a session.
func (n *Node) receiveInit(b []byte, from netip.AddrPort, now time.Time) bool {
	m, err := parseInit(b)
	if err != nil {
		return false
	}
	key := sessionKey{from, m.conv}
	if !n.gate.check(from, m.token, now) {
		return n.answerStale(m, from, now)
	}
	if s := n.lookup(key); s != nil {
		return s.repeatReply(m)
	}
	if !n.admit(key) {
		return false
	}
	s, first, ok := n.accept(key, m, now)
	if !ok {
		n.mu.Lock()
		n.releaseGroup(from.Addr())
		n.mu.Unlock()
		return false
	}
	n.write(s.datagram, from)
	if len(first) > 1 && first[0] != byte(channelControl) && first[0] < byte(numChannels) {
		if f := s.handler(Channel(first[0])); f != nil {
			f(first[1:])
		}
	}
	return true
}

// answerStale hands out a fresh token for an Init whose token was not good. The
// answer is shorter than any Init.
func (n *Node) answerStale(m initMsg, from netip.AddrPort, now time.Time) bool {
	n.write(tokenMsg{staleNonce(m.conv), n.gate.token(from, now), from}.append(nil), from)
	return false
}

// staleNonce names a dial by its conv.
func staleNonce(conv uint32) (nonce [nonceSize]byte) {
	binary.BigEndian.PutUint32(nonce[:], conv)
	copy(nonce[4:], "init")
	return nonce
}

func staleConv(nonce [nonceSize]byte) (conv uint32, ok bool) {
	conv = binary.BigEndian.Uint32(nonce[:])
	return conv, nonce == staleNonce(conv)
}

// admit takes a place for a session from an address, if there is one.
func (n *Node) admit(key sessionKey) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	g := group(key.addr.Addr())
	if n.closed || n.conf.Accept == nil || len(n.sessions) >= n.conf.MaxSessions || n.groups[g] >= n.conf.MaxPerGroup {
		return false
	}
	n.groups[g]++
	return true
}

// accept runs the handshake and registers the session.
func (n *Node) accept(key sessionKey, m initMsg, now time.Time) (*Session, []byte, bool) {
	hs, err := n.newHandshake(false, transport.PeerID{})
	if err != nil {
		return nil, nil, false
	}
	payload, _, _, err := hs.ReadMessage(nil, m.noise)
	if err != nil || len(payload) < len(transport.PeerID{}) {
		return nil, nil, false
	}
	s := newSession(n, key, transport.PeerID(payload[:32]))
	if pub, err := dhPublic(s.peer); err != nil || !bytes.Equal(pub, hs.PeerStatic()) {
		return nil, nil, false // it names a key that is not its own
	}
	msg, recv, send, err := hs.WriteMessage(nil, nil)
	if err != nil {
		return nil, nil, false
	}
	s.state, s.accepted = stateAccepted, true
	s.send, s.recv = send.Cipher(), recv.Cipher()
	s.datagram = replyMsg{key.conv, msg}.append(nil)
	s.initSum = sha256.Sum256(m.noise)
	close(s.established)
	if !n.conf.Accept(s) {
		return nil, nil, false
	}
	n.mu.Lock()
	n.sessions[key] = s
	n.mu.Unlock()
	return s, payload[32:], true
}

// receiveReply completes a dial.
func (n *Node) receiveReply(b []byte, from netip.AddrPort, now time.Time) bool {
	m, err := parseReply(b)
	if err != nil {
		return false
	}
	s := n.lookup(sessionKey{from, m.conv})
	if s == nil {
		return false
	}
	s.mu.Lock()
	if s.state != stateInitiating {
		s.mu.Unlock()
		return false
	}
	// A forged Reply fails here; flynn/noise rolls its state back, so the genuine one still fits.
	_, send, recv, err := s.handshake.ReadMessage(nil, m.noise)
	if err != nil {
		s.mu.Unlock()
		return false
	}
	s.send, s.recv = send.Cipher(), recv.Cipher()
	s.state, s.handshake, s.datagram, s.first = stateOpen, nil, nil, nil
	s.lastHeard.Store(now.UnixNano())
	close(s.established)
	s.mu.Unlock()
	n.mu.Lock()
	delete(n.asks, s.nonce)
	n.mu.Unlock()
	// The accepter holds back until our first packet, so confirm at once.
	s.Send(channelControl, []byte{controlConfirm})
	return true
}

func (n *Node) receiveData(b []byte, from netip.AddrPort, now time.Time) bool {
	m, err := parseData(b)
	if err != nil {
		return false
	}
	s := n.lookup(sessionKey{from, m.conv})
	if s == nil {
		return false
	}
	return s.open(m, now)
}

func (n *Node) nudge() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// timeLoop sends what handshakes have to repeat and ends idle sessions.
func (n *Node) timeLoop() {
	defer n.wg.Done()
	for {
		timer := time.NewTimer(n.runTimers(n.now()))
		select {
		case <-n.done:
			timer.Stop()
			return
		case <-n.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// runTimers does what is due and returns how long nothing will be.
func (n *Node) runTimers(now time.Time) time.Duration {
	n.mu.Lock()
	all := n.snapshot()
	n.mu.Unlock()
	wait := sweepEvery
	for _, s := range all {
		wait = min(wait, s.runTimer(now))
	}
	return max(wait, time.Millisecond)
}

// runTimer repeats the handshake's datagram, or ends the session.
func (s *Session) runTimer(now time.Time) time.Duration {
	s.mu.Lock()
	waiting := s.state == stateAsking || s.state == stateInitiating
	idle := now.Sub(time.Unix(0, s.lastHeard.Load())) >= s.node.conf.Idle
	switch {
	case !waiting:
		s.mu.Unlock()
		if idle {
			s.end(ErrIdle)
		}
		return sweepEvery
	case now.Before(s.nextTry):
		defer s.mu.Unlock()
		return s.nextTry.Sub(now)
	case s.tries == maxTries:
		s.mu.Unlock()
		s.end(ErrNoAnswer)
		return sweepEvery
	}
	backoff := firstRetry << s.tries
	s.tries++
	s.nextTry = now.Add(backoff)
	b := s.datagram
	s.mu.Unlock()
	s.node.write(b, s.key.addr)
	return backoff
}
