package wire

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"nt/transport"
)

// Questions outside of sessions. Whoever asks a node something in one round trip sends a Query,
// padded as long as the answer may be; the node answers with the asker's address, a token for
// its own gate, and what its Config.Query says. An asker that brings a token for its address may
// get more: several datagrams.
const (
	typeQuery  = 0xC6
	typeAnswer = 0xC7

	queryHead  = 1 + nonceSize + tokenSize + 2
	answerHead = 1 + nonceSize + tokenSize + 18 + 1 + 1
	// MaxQuestion is the longest question, MaxAnswer the longest answer, in bytes.
	MaxQuestion = MaxDatagram - queryHead
	MaxAnswer   = maxParts * maxPart

	maxParts = 8 // datagrams of an answer to who has shown a token
	maxPart  = MaxDatagram - answerHead
	// punchCost is what an introduction may draw towards the asker, in bytes.
	punchCost = punches * tokenLen
)

// Query is a question that somebody asked outside of any session.
type Query struct {
	From     netip.AddrPort
	Proved   bool   // the asker has shown a token for From
	Question []byte // the receiver's own

	node  *Node
	nonce [nonceSize]byte
	room  int
}

// Room is how long the answer may be, in bytes. Before the asker has proved its address, that and
// what else goes there because of it is never more than it sent.
func (q *Query) Room() int { return max(q.room, 0) }

// Introduce asks a peer that has a session with this node to open its NAT towards the asker; what the
// peer sends for that is taken from Room. It reports whether the peer will: one that
// knows it is behind no NAT need not, and nobody is sent to an address that is not allowed.
func (q *Query) Introduce(peer transport.PeerID) bool {
	s := q.node.Session(peer)
	if s == nil || s.NAT() == NATNone || !q.node.allowed(q.From) || !q.Proved && q.room < punchCost {
		return false
	}
	// The asker has shown no key, so it is introduced without a name.
	if s.Send(channelControl, introPacket(transport.PeerID{}, introduction{q.From, NATUnknown})) != nil {
		return false
	}
	if !q.Proved {
		q.room -= punchCost
	}
	q.node.count.introduces.Add(1)
	return true
}

// Token returns a token that opens a peer's gate to the asker, made from the grant that the
// peer gave this node in its session; nil if there is none.
func (q *Query) Token(peer transport.PeerID) []byte {
	s := q.node.Session(peer)
	if s == nil {
		return nil
	}
	s.mu.Lock()
	g, at := s.granted, s.grantedAt
	s.mu.Unlock()
	if g.Handle == 0 || q.node.now().Sub(at) >= tokenEpoch {
		return nil
	}
	t := g.Token(q.From)
	return t[:]
}

// Answer sends the answer. It is cut off at Room. It may be called from any goroutine, once.
func (q *Query) Answer(b []byte) {
	b = b[:min(len(b), q.Room())]
	token := q.node.gate.token(q.From, q.node.now())
	parts := max(1, (len(b)+maxPart-1)/maxPart)
	for i := range parts {
		part := b[i*maxPart : min(len(b), (i+1)*maxPart)]
		q.node.write(answerMsg{q.nonce, token, q.From, byte(i), byte(parts), part}.append(nil), q.From)
	}
}

func (n *Node) receiveQuery(b []byte, from netip.AddrPort, now time.Time) bool {
	m, err := parseQuery(b)
	if err != nil || n.conf.Query == nil {
		return false
	}
	q := &Query{From: from, Question: slices.Clone(m.question), node: n, nonce: m.nonce, room: len(b) - answerHead}
	if m.token != (Token{}) && n.gate.check(from, m.token, now) {
		q.Proved, q.room = true, MaxAnswer
	}
	if q.room < 0 {
		return false
	}
	n.conf.Query(q)
	return true
}

// queryMsg is a question. It is padded with zeros to MaxDatagram.
type queryMsg struct {
	nonce    [nonceSize]byte
	token    Token
	question []byte // aliases the datagram
}

func (m queryMsg) append(b []byte) []byte {
	b = append(b, typeQuery)
	b = append(b, m.nonce[:]...)
	b = append(b, m.token[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(m.question)))
	b = append(b, m.question...)
	return append(b, make([]byte, MaxDatagram-len(b))...)
}

func parseQuery(b []byte) (m queryMsg, err error) {
	if len(b) < queryHead || len(b) > MaxDatagram || b[0] != typeQuery {
		return m, errDatagram
	}
	copy(m.nonce[:], b[1:])
	copy(m.token[:], b[1+nonceSize:])
	size := int(binary.BigEndian.Uint16(b[queryHead-2:]))
	if size == 0 || size > len(b)-queryHead {
		return m, errDatagram
	}
	m.question = b[queryHead : queryHead+size]
	return m, nil
}

// answerMsg is a part of an answer.
type answerMsg struct {
	nonce       [nonceSize]byte
	token       Token
	addr        netip.AddrPort // of whom it is sent to, as the sender sees it
	part, parts byte
	body        []byte // aliases the datagram
}

func (m answerMsg) append(b []byte) []byte {
	b = append(b, typeAnswer)
	b = append(b, m.nonce[:]...)
	b = append(b, m.token[:]...)
	b = appendAddr(b, m.addr)
	b = append(b, m.part, m.parts)
	return append(b, m.body...)
}

func parseAnswer(b []byte) (m answerMsg, err error) {
	if len(b) < answerHead || len(b) > MaxDatagram || b[0] != typeAnswer {
		return m, errDatagram
	}
	copy(m.nonce[:], b[1:])
	copy(m.token[:], b[1+nonceSize:])
	m.addr = parseAddr(b[1+nonceSize+tokenSize:])
	m.part, m.parts = b[answerHead-2], b[answerHead-1]
	if m.parts == 0 || m.parts > maxParts || m.part >= m.parts {
		return m, errDatagram
	}
	m.body = b[answerHead:]
	return m, nil
}

// question is an Ask under way. node.mu guards it.
type question struct {
	to     netip.AddrPort
	tries  [maxTries]collected // the answer to a repeated question may be another
	answer []byte
	done   chan struct{} // closed when answer is there
}

// collected is what is here of one answer.
type collected struct {
	parts [][]byte // by number; nil: not here yet
	left  int
}

// Ask asks a node something in one round trip, and returns the answer. Its token is kept for a while, so that
// the next question, or a session with that node, need not prove the address again. It wraps ErrNoAnswer.
func (n *Node) Ask(ctx context.Context, to netip.AddrPort, text []byte) ([]byte, error) {
	if len(text) == 0 || len(text) > MaxQuestion {
		return nil, fmt.Errorf("%w: question of %d bytes", ErrTooLong, len(text))
	}
	to = unmap(to)
	m := queryMsg{question: text}
	rand.Read(m.nonce[:]) // never fails
	q := &question{to: to, done: make(chan struct{})}
	id := m.nonce
	id[nonceSize-1] = 0 // the try
	n.mu.Lock()
	if n.closed || len(n.questions) >= maxQuestions {
		n.mu.Unlock()
		return nil, ErrTooMany
	}
	n.questions[id] = q
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		delete(n.questions, id)
		n.mu.Unlock()
	}()
	_, err := repeat(ctx, n.answerTime(), n.done, q.done, func(try int) error {
		m.nonce[nonceSize-1] = byte(try)
		m.token = n.tokenFor(to)
		return n.write(m.append(nil), to)
	})
	if err != nil {
		return nil, fmt.Errorf("asking %v: %w", to, err)
	}
	return q.answer, nil
}

// maxQuestions bounds the Asks under way.
const maxQuestions = 64

// receiveAnswer takes a part of an answer to one of our questions.
func (n *Node) receiveAnswer(b []byte, from netip.AddrPort, now time.Time) bool {
	m, err := parseAnswer(b)
	if err != nil {
		return false
	}
	try := m.nonce[nonceSize-1]
	m.nonce[nonceSize-1] = 0
	n.mu.Lock()
	q := n.questions[m.nonce]
	if q == nil || q.to != from || try >= maxTries {
		n.mu.Unlock()
		return false
	}
	n.keepToken(from, m.token, now)
	q.take(&q.tries[try], m)
	n.mu.Unlock()
	n.observe(from, m.addr)
	return true
}

func (q *question) take(c *collected, m answerMsg) {
	if c.parts == nil {
		c.parts, c.left = make([][]byte, m.parts), int(m.parts)
	}
	if len(c.parts) != int(m.parts) || c.parts[m.part] != nil || q.answer != nil {
		return
	}
	c.parts[m.part] = append([]byte{}, m.body...)
	if c.left--; c.left == 0 {
		q.answer = append([]byte{}, slices.Concat(c.parts...)...)
		close(q.done)
	}
}

// keptToken is a token that a node gave us for its gate.
type keptToken struct {
	token Token
	at    time.Time
}

// maxTokens bounds the tokens that are kept; they are of trackers, of which there are few.
const maxTokens = 64

// keepToken remembers a token; the caller holds mu.
func (n *Node) keepToken(of netip.AddrPort, t Token, now time.Time) {
	if len(n.tokens) >= maxTokens {
		clear(n.tokens)
	}
	n.tokens[of] = keptToken{t, now}
}

// tokenFor returns a token for a node's gate that is certainly not too old, or the zero Token.
func (n *Node) tokenFor(to netip.AddrPort) Token {
	n.mu.Lock()
	defer n.mu.Unlock()
	k, ok := n.tokens[to]
	if !ok || n.now().Sub(k.at) >= tokenEpoch {
		return Token{}
	}
	return k.token
}
