package wire

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"nt/transport"
)

// loopback is a node on a socket of its own.
func loopback(t *testing.T, conf Config) *Node {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	conf.Conn = c
	if _, conf.Key, err = ed25519.GenerateKey(nil); err != nil {
		t.Fatal(err)
	}
	n, err := Listen(conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

// pair is two nodes; b hears a's questions with answer.
func pair(t *testing.T, answer func(*Query)) (a, b *Node) {
	t.Helper()
	return loopback(t, Config{}), loopback(t, Config{Query: answer, Accept: func(*Session) bool { return true }})
}

func addrOf(n *Node) netip.AddrPort { return n.LocalAddr().(*net.UDPAddr).AddrPort() }

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// TestAskIsOneRoundTrip: the answer is there after one datagram each way; from the second
// question on, with the token that came, it may be longer, and a session needs no question of its own.
func TestAskIsOneRoundTrip(t *testing.T) {
	long := bytes.Repeat([]byte("0123456789"), MaxAnswer/10)
	a, b := pair(t, func(q *Query) { go q.Answer(append(bytes.Clone(q.Question), long...)) })
	got, err := a.Ask(soon(t), addrOf(b), []byte("first"))
	if err != nil || len(got) != maxPart || !bytes.HasPrefix(got, []byte("first0123")) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if s := a.Stats(); s.Out != 1 || s.In != 1 {
		t.Errorf("%d datagrams out, %d in", s.Out, s.In)
	}
	if got, err = a.Ask(soon(t), addrOf(b), []byte("second")); err != nil || len(got) != MaxAnswer || !bytes.HasPrefix(got, []byte("second0123")) {
		t.Fatalf("with a token: %d bytes, %v", len(got), err)
	}
	before := a.Stats().Out
	if _, err := a.Dial(soon(t), addrOf(b), b.ID(), Token{}, ChannelDatagram, []byte("hi")); err != nil {
		t.Fatal(err)
	}
	if b.Stats().Sessions != 1 || a.Stats().Out-before > 3 { // Init, a CONFIRM or two
		t.Errorf("%d datagrams for a session", a.Stats().Out-before)
	}
	if a.NAT() != NATUnknown {
		t.Error("one node alone told what NAT there is")
	}
}

func TestAskFails(t *testing.T) {
	a, b := pair(t, nil) // b answers no questions
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, err := a.Ask(ctx, addrOf(b), []byte("anybody?")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if _, err := a.Ask(ctx, addrOf(b), make([]byte, MaxQuestion+1)); !errors.Is(err, ErrTooLong) {
		t.Errorf("%v", err)
	}
	if _, err := a.Ask(ctx, addrOf(b), nil); !errors.Is(err, ErrTooLong) {
		t.Errorf("%v", err)
	}
}

// TestAnswersOfOthersAreNotTaken: an answer counts from whom was asked, with the nonce of the question, each part once.
func TestAnswersOfOthersAreNotTaken(t *testing.T) {
	n, c, _ := tapped(t, 1, Config{})
	done := make(chan []byte, 1)
	go func() {
		got, _ := n.Ask(soon(t), source, []byte("question"))
		done <- got
	}()
	for c.bytes() == 0 {
		time.Sleep(time.Millisecond)
	}
	c.mu.Lock()
	m, err := parseQuery(c.written[0])
	c.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddrPort("198.51.100.1:1")
	part := func(nonce [nonceSize]byte, i, of byte, body string) []byte {
		return answerMsg{nonce, Token{1}, at, i, of, []byte(body)}.append(nil)
	}
	n.receive(part(m.nonce, 0, 1, "from elsewhere"), netip.MustParseAddrPort("203.0.113.8:4001"))
	n.receive(part([nonceSize]byte{1}, 0, 1, "another question's"), source)
	n.receive(part(m.nonce, 1, 2, " two"), source)
	n.receive(part(m.nonce, 1, 2, "twice"), source)
	n.receive(part(m.nonce, 0, 3, "of another length"), source)
	n.receive(part(m.nonce, 0, 2, "one"), source)
	if got := string(<-done); got != "one two" {
		t.Errorf("%q", got)
	}
	if n.tokenFor(source) != (Token{1}) {
		t.Error("the token was not kept")
	}
}

// TestRow16_AnIntroductionIsPaidFor: what the introduced peers send to a silent source, and the
// answer, are together no more than it sent; with no room left nobody is introduced.
func TestRow16_AnIntroductionIsPaidFor(t *testing.T) {
	for _, size := range []int{queryHead + 1, 200, 400, 700, MaxDatagram} {
		introduced := 0
		n, c, _ := tapped(t, 1, Config{Query: func(q *Query) {
			for i := range 20 {
				if q.Introduce(transport.PeerID{byte(i + 1)}) {
					introduced++
				}
			}
			q.Answer(make([]byte, MaxAnswer))
		}})
		for i := range 20 { // sessions whose peers have confirmed nothing about their NATs
			s := newSession(n, netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}), 9), 1, transport.PeerID{byte(i + 1)})
			s.state = stateOpen
			block, _ := aes.NewCipher(make([]byte, 32))
			s.send.aead, _ = cipher.NewGCM(block)
			n.mu.Lock()
			n.sessions[s.key], n.peers[s.peer] = s, s
			n.mu.Unlock()
		}
		q := queryMsg{question: []byte("?")}.append(nil)[:size]
		n.receive(q, source)
		out := 0
		c.mu.Lock()
		for i, to := range c.to {
			if to == source {
				out += len(c.written[i])
			}
		}
		c.mu.Unlock()
		if total := out + introduced*punches*tokenLen; total > size {
			t.Errorf("%d bytes in; %d out and %d introductions: %d bytes", size, out, introduced, total)
		}
		if size == MaxDatagram && introduced < 5 {
			t.Errorf("only %d introductions for %d bytes", introduced, size)
		}
	}
}

// TestProbe: only an answer from the very address counts, and it tells nothing of ourselves.
func TestProbe(t *testing.T) {
	a, b := pair(t, nil)
	if !a.Probe(soon(t), addrOf(b)) {
		t.Error("a node that is there does not answer")
	}
	closed, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if a.Probe(ctx, closed.LocalAddr().(*net.UDPAddr).AddrPort()) {
		t.Error("nobody answered")
	}
	n, c, _ := tapped(t, 3, Config{})
	answered := make(chan bool, 1)
	ctx, cancel = context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	go func() { answered <- n.Probe(ctx, source) }()
	for c.bytes() == 0 {
		time.Sleep(time.Millisecond)
	}
	c.mu.Lock()
	m, err := parseAsk(c.written[0])
	c.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	n.receive(tokenMsg{nonce: m.nonce, addr: source}.append(nil), netip.MustParseAddrPort("203.0.113.8:4001"))
	if <-answered {
		t.Error("an answer from elsewhere counted")
	}
}

// TestGrantsMakeTokensForTheAsked: a peer that keeps granting lets the node it has a session with make
// tokens for its gate, and whoever asks that node opens a session with the peer in one round trip.
func TestGrantsMakeTokensForTheAsked(t *testing.T) {
	holder := loopback(t, Config{})
	a, b := pair(t, func(q *Query) { q.Answer(q.Token(holder.ID())) })
	s, err := holder.Dial(soon(t), addrOf(b), b.ID(), Token{}, ChannelDatagram, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.KeepGranting()
	var token []byte
	for ctx := soon(t); len(token) == 0 && ctx.Err() == nil; {
		if token, err = a.Ask(ctx, addrOf(b), []byte("who?")); err != nil {
			t.Fatal(err)
		}
	}
	if len(token) != tokenSize {
		t.Fatalf("a token of %d bytes", len(token))
	}
	if !holder.gate.check(addrOf(a), Token(token), time.Now()) {
		t.Error("the token does not open the holder's gate to the asker")
	}
	if holder.gate.check(addrOf(b), Token(token), time.Now()) {
		t.Error("the token opens the gate to somebody else")
	}
}
