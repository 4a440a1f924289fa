package wire

import (
	"crypto/ed25519"
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"nt/transport"
)

// tap is a socket whose other side is the test: what is written is kept, nothing is read.
type tap struct {
	mu      sync.Mutex
	written [][]byte
	to      []netip.AddrPort
	closed  chan struct{}
	once    sync.Once
}

func (c *tap) ReadFrom([]byte) (int, net.Addr, error) { <-c.closed; return 0, nil, net.ErrClosed }
func (c *tap) WriteTo(b []byte, to net.Addr) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written = append(c.written, append([]byte(nil), b...))
	c.to = append(c.to, to.(*net.UDPAddr).AddrPort())
	return len(b), nil
}
func (c *tap) Close() error                     { c.once.Do(func() { close(c.closed) }); return nil }
func (c *tap) LocalAddr() net.Addr              { return &net.UDPAddr{IP: net.IPv4(198, 51, 100, 1), Port: 1} }
func (c *tap) SetDeadline(time.Time) error      { return nil }
func (c *tap) SetReadDeadline(time.Time) error  { return nil }
func (c *tap) SetWriteDeadline(time.Time) error { return nil }

func (c *tap) bytes() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range c.written {
		n += len(b)
	}
	return n
}

// tapped is a node on a tap with a clock the test sets.
func tapped(t *testing.T, seed byte, conf Config) (*Node, *tap, *clock) {
	t.Helper()
	c := &tap{closed: make(chan struct{})}
	clock := &clock{at: time.Unix(1_800_000_000, 0)}
	key := make([]byte, ed25519.SeedSize)
	key[0] = seed
	conf.Conn, conf.Key, conf.Now = c, ed25519.NewKeyFromSeed(key), clock.now
	if conf.Accept == nil {
		conf.Accept = func(*Session) bool { return true }
	}
	n, err := Listen(conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n, c, clock
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = t
}

var source = netip.MustParseAddrPort("203.0.113.7:4001")

// dialled returns the Init with which a dialler at source would open a session with n.
func dialled(t *testing.T, n *Node, token Token) (*Session, []byte) {
	t.Helper()
	d, _, _ := tapped(t, 77, Config{})
	s, err := d.newDial(netip.MustParseAddrPort("198.51.100.1:1"), n.id, token, ChannelDatagram, []byte("hi"))
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s, append([]byte(nil), s.dial.datagram...)
}

func TestRow16_NoTypeAmplifies(t *testing.T) {
	for name, b := range examples() {
		for _, size := range []int{1, len(b) - 1, len(b), len(b) + 1, MaxDatagram} {
			n, c, _ := tapped(t, 1, Config{Query: func(q *Query) { q.Answer(make([]byte, MaxAnswer)) }})
			d := make([]byte, max(size, 1))
			copy(d, b)
			for range 100 {
				n.receive(d, source)
			}
			if in, out := 100*len(d), c.bytes(); out > in {
				t.Errorf("%s of %d bytes: %d bytes in, %d out", name, len(d), in, out)
			}
			if s := n.Stats(); s.Sessions != 0 {
				t.Errorf("%s of %d bytes made %d sessions", name, len(d), s.Sessions)
			}
		}
	}
}

func TestRow17_TokenIsForOneAddressAndAShortTime(t *testing.T) {
	n, c, clock := tapped(t, 1, Config{})
	token := n.gate.token(source, clock.now())
	_, init := dialled(t, n, token)
	start := clock.now()
	for _, x := range []struct {
		name string
		from netip.AddrPort
		at   time.Duration
		good bool
	}{
		{"another port", netip.AddrPortFrom(source.Addr(), 4002), 0, false},
		{"another address", netip.MustParseAddrPort("203.0.113.8:4001"), 0, false},
		{"after five minutes", source, 5 * time.Minute, false},
		{"in time", source, 2 * time.Minute, true},
	} {
		clock.set(start.Add(x.at))
		before := c.bytes()
		n.receive(init, x.from)
		if got := n.Stats().Sessions > 0; got != x.good {
			t.Errorf("%s: session %v, want %v", x.name, got, x.good)
		}
		if out := c.bytes() - before; out > len(init) {
			t.Errorf("%s: %d bytes out for %d in", x.name, out, len(init))
		}
	}
}

func TestRow18_SpoofedSourcesMakeNoState(t *testing.T) {
	n, c, _ := tapped(t, 1, Config{})
	_, init := dialled(t, n, Token{1})
	in := 0
	for i := range 50_000 {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{100, byte(i >> 16), byte(i >> 8), byte(i)}), 9)
		binary.BigEndian.PutUint32(init[1:], uint32(i))
		n.receive(init, from)
		in += len(init)
	}
	if len(n.sessions) != 0 || len(n.groups) != 0 || len(n.dials) != 0 {
		t.Errorf("50,000 spoofed sources left %d sessions, %d groups, %d dials", len(n.sessions), len(n.groups), len(n.dials))
	}
	if out := c.bytes(); out > in {
		t.Errorf("%d bytes in, %d out", in, out)
	}
}

func TestRow18_Caps(t *testing.T) {
	n, _, clock := tapped(t, 1, Config{MaxSessions: 10, MaxPerGroup: 3})
	for i := range 40 {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{100, 0, byte(i / 20), byte(i)}), 9)
		_, init := dialled(t, n, n.gate.token(from, clock.now()))
		n.receive(init, from)
	}
	if got := n.Stats().Sessions; got != 6 {
		t.Errorf("%d sessions from two groups of 20 with a cap of 3 each", got)
	}
	for _, s := range n.snapshot() {
		s.end(ErrIdle)
	}
	if len(n.groups) != 0 {
		t.Errorf("ended sessions keep their places: %v", n.groups)
	}
}

// couple is an open session seen from both ends, with everything that passed.
func couple(t *testing.T) (server *Node, serverTap *tap, dialler *Session, got *[]string) {
	t.Helper()
	got = new([]string)
	server, serverTap, clock := tapped(t, 1, Config{Accept: func(s *Session) bool {
		s.Handle(ChannelDatagram, func(p []byte) { *got = append(*got, string(p)) })
		return true
	}})
	d, init := dialled(t, server, server.gate.token(source, clock.now()))
	server.receive(init, source)
	reply := serverTap.written[len(serverTap.written)-1]
	d.node.receive(reply, d.key.addr)
	select {
	case <-d.established:
	default:
		t.Fatal("the session did not open")
	}
	return server, serverTap, d, got
}

func diallerSays(t *testing.T, d *Session, p string) []byte {
	t.Helper()
	b, err := d.seal(nil, ChannelDatagram, appending([]byte(p)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRow19_ForgedDatagramsLeaveASessionAlive(t *testing.T) {
	server, serverTap, d, got := couple(t)
	first := diallerSays(t, d, "one")
	server.receive(first, source)
	forged := [][]byte{
		first, // replayed
		append(appendDataHead(nil, ChannelKCP, d.key.conv, 99), make([]byte, 1+aeadTag)...), // right conv, no key
		append(appendDataHead(nil, ChannelKCP, d.key.conv+1, 0), make([]byte, 200)...),      // another conv from the same address
		{typeData, 0, 0, 0, 0},
		initMsg{d.conv, server.gate.token(source, server.now()), make([]byte, noiseMsg1)}.append(nil), // takes over the conv
		replyMsg{d.conv, make([]byte, noiseMsg2)}.append(nil),
	}
	for i, f := range forged {
		before := serverTap.bytes()
		server.receive(f, source)
		d.node.receive(f, d.key.addr)
		if out := serverTap.bytes() - before; out > len(f) {
			t.Errorf("forgery %d: %d bytes out for %d", i, out, len(f))
		}
	}
	server.receive(diallerSays(t, d, "two"), source)
	if len(*got) != 3 || (*got)[0] != "hi" || (*got)[1] != "one" || (*got)[2] != "two" {
		t.Errorf("heard %q, want hi, one, two", *got)
	}
	if d.Err() != nil || server.Stats().Sessions != 1 {
		t.Errorf("the session ended: %v", d.Err())
	}
}

// A replayed Init opens nothing new and draws at most the Reply again, and an
// accepter that hears nothing more stays nearly silent.
func TestRow16_UnconfirmedAccepterIsNearlySilent(t *testing.T) {
	n, c, clock := tapped(t, 1, Config{})
	_, init := dialled(t, n, n.gate.token(source, clock.now()))
	n.receive(init, source)
	s := n.snapshot()[0]
	sent := 0
	for range 1000 {
		if s.Send(ChannelDatagram, make([]byte, 10)) == nil {
			sent++
		}
	}
	if sent != MaxUnconfirmed {
		t.Errorf("%d packets went out before the dialler's first, want %d", sent, MaxUnconfirmed)
	}
	before := c.bytes()
	for range 10 {
		n.receive(init, source)
	}
	if out := c.bytes() - before; out > 10*len(init) || n.Stats().Sessions != 1 {
		t.Errorf("replayed Init: %d bytes out, %d sessions", out, n.Stats().Sessions)
	}
}

func TestRow20_IntroductionsAreBounded(t *testing.T) {
	server, serverTap, d, _ := couple(t)
	server.conf.Allowed = func(a netip.Addr) bool { return !a.IsPrivate() && !a.IsLoopback() }
	target := netip.MustParseAddrPort("192.0.2.55:5000")
	intro := func(a netip.AddrPort) {
		b, err := d.seal(nil, channelControl, appending(introPacket(transport.PeerID{5}, introduction{addr: a})))
		if err != nil {
			t.Fatal(err)
		}
		server.receive(b, source)
	}
	intro(netip.MustParseAddrPort("10.0.0.1:22"))
	intro(netip.MustParseAddrPort("127.0.0.1:22"))
	intro(netip.AddrPort{})
	for range 500 {
		intro(target)
	}
	server.Close() // waits for the punches under way
	probes := 0
	serverTap.mu.Lock()
	defer serverTap.mu.Unlock()
	for i, to := range serverTap.to {
		switch {
		case to == target:
			probes++
			if len(serverTap.written[i]) > 64 {
				t.Errorf("a probe of %d bytes", len(serverTap.written[i]))
			}
		case to != source:
			t.Errorf("a datagram went to %v", to)
		}
	}
	if probes == 0 || probes > introRate*punches {
		t.Errorf("%d probes for 500 introductions in one second, want 1 to %d", probes, introRate*punches)
	}
}

func TestReplayWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w replayWindow
		seen := map[uint32]bool{}
		highest := uint32(0)
		base := rapid.SampledFrom([]uint32{0, 1000, 1<<32 - 5000}).Draw(t, "base")
		for range rapid.IntRange(1, 200).Draw(t, "n") {
			c := base + rapid.Uint32Range(0, 4000).Draw(t, "counter")
			fresh := w.fresh(c)
			if fresh && seen[c] {
				t.Fatalf("counter %d is taken twice", c)
			}
			if !fresh && !seen[c] && c+replayBits > highest {
				t.Fatalf("counter %d is refused though it is new (highest %d)", c, highest)
			}
			if fresh {
				w.mark(c)
				seen[c] = true
				highest = max(highest, c)
			}
		}
	})
}
