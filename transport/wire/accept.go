package wire

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"time"

	"nt/transport"
)

func (n *Node) receive(b []byte, from netip.AddrPort) {
	n.count.in.Add(1)
	n.count.bytesIn.Add(uint64(len(b)))
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
	case typeQuery:
		ok = n.receiveQuery(b, from, now)
	case typeAnswer:
		ok = n.receiveAnswer(b, from, now)
	default:
		ok = n.receiveData(b, from, now)
	}
	if !ok {
		n.count.refused.Add(1)
	}
}

func (n *Node) receiveAsk(b []byte, from netip.AddrPort, now time.Time) bool {
	m, err := parseAsk(b)
	if err != nil {
		return false
	}
	n.write(tokenMsg{m.nonce, n.gate.token(from, now), from}.append(nil), from)
	return true
}

// receiveInit is the door: a token for the sender's address, then room, then a
// key that fits, and only then a session.
func (n *Node) receiveInit(b []byte, from netip.AddrPort, now time.Time) bool {
	m, err := parseInit(b)
	if err != nil {
		return false
	}
	key := sessionKey{from, uint16(m.conv)}
	if !n.gate.check(from, m.token, now) {
		return n.answerStale(m, from, now)
	}
	if s := n.lookup(key); s != nil {
		return s.repeatReply(m)
	}
	if n.crowded(m.token.handle()) {
		return n.answerStale(m, from, now)
	}
	if !n.admit(from.Addr(), m.token.handle()) {
		return false
	}
	s, first, ok := n.shakeHands(from, m)
	if !ok || !n.register(s) {
		n.mu.Lock()
		n.releaseGroup(from.Addr())
		n.ungrant(m.token.handle())
		n.mu.Unlock()
		return false
	}
	if !n.conf.Accept(s) {
		s.end(ErrClosed)
		return false
	}
	if b := s.replyBytes(); b != nil {
		n.write(b, from)
	}
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

// shakeHands makes the session that an Init asks for, and returns what rode on it.
func (n *Node) shakeHands(from netip.AddrPort, m initMsg) (*Session, []byte, bool) {
	hs, err := n.newHandshake(false, transport.PeerID{})
	if err != nil {
		return nil, nil, false
	}
	first, _, _, err := hs.ReadMessage(nil, m.noise)
	if err != nil || len(first) == 0 {
		return nil, nil, false
	}
	peer, err := idOf(hs.PeerStatic(), first[0]&firstSign != 0)
	if err != nil {
		return nil, nil, false
	}
	s := newSession(n, from, m.conv, peer)
	msg, recv, send, err := hs.WriteMessage(nil, n.Grant().AppendBinary([]byte{byte(n.NAT())}))
	if err != nil || s.send.setKey(send) != nil || s.recv.setKey(recv) != nil {
		return nil, nil, false
	}
	s.state, s.accepted, s.handle = stateAccepted, true, m.token.handle()
	s.reply = replyMsg{m.conv, msg}.append(nil)
	s.initSum = sha256.Sum256(m.noise)
	s.nat = NATKind(first[0] >> natShift)
	first[0] &= firstSign - 1
	close(s.established)
	return s, first, true
}

// register lists an accepted session, unless the node is being closed.
func (n *Node) register(s *Session) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false
	}
	n.sessions[s.key] = s
	return true
}

func (s *Session) replyBytes() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reply
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
	return s.open(b, m, now)
}
