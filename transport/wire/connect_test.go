package wire

import (
	"context"
	"crypto/ed25519"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"nt/transport"
)

// triangle is a node a with a session to an introducer, which has one with b.
func triangle(t *testing.T, acceptB func(*Session) bool) (a, b *Node, bAddr netip.AddrPort, toI, toB *Session) {
	t.Helper()
	i, iAddr := testNode(t, 9, func(*Session) bool { return true })
	b, bAddr = testNode(t, 2, acceptB)
	a, _ = testNode(t, 1, nil)
	if _, err := b.Dial(timeout(t), iAddr, i.ID(), Token{}, ChannelDatagram, nil); err != nil {
		t.Fatal(err)
	}
	toI, err := a.Dial(timeout(t), iAddr, i.ID(), Token{}, ChannelDatagram, nil)
	if err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return i.Session(b.ID()) != nil && i.Session(a.ID()) != nil })
	return a, b, bAddr, toI, i.Session(b.ID())
}

// await waits until something that another goroutine does has been done.
func await(t *testing.T, done func() bool) {
	t.Helper()
	for ctx := timeout(t); !done(); {
		select {
		case <-ctx.Done():
			t.Fatal("it does not happen")
		case <-time.After(5 * time.Millisecond): // look again
		}
	}
}

func TestF43_ConnectDirectly(t *testing.T) {
	a, b, addr, _, _ := triangle(t, func(*Session) bool { return true })
	s, err := a.Connect(timeout(t), transport.Peer{ID: b.ID(), Addr: addr}, Token{}, ChannelDatagram, nil)
	if err != nil || s.Peer() != b.ID() {
		t.Fatal(s, err)
	}
}

func TestF44_ConnectThroughAnIntroducer(t *testing.T) {
	a, b, addr, toI, _ := triangle(t, func(*Session) bool { return true })
	silent, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for name, claimed := range map[string]netip.AddrPort{
		"no address": {}, "wrong address": silent.LocalAddr().(*net.UDPAddr).AddrPort(),
	} {
		s, err := a.Connect(timeout(t), transport.Peer{ID: b.ID(), Addr: claimed}, Token{}, ChannelDatagram, nil, toI)
		if err != nil || s.Addr() != addr {
			t.Fatalf("%s: %v, %v", name, s, err)
		}
	}
	await(t, func() bool { return len(a.snapshot()) == 3 }) // the broken off dial leaves nothing behind
}

// A peer that was a stranger to its introducer a moment ago is introduced as soon as its own session there is open.
func TestF44_StrangerIsAskedForAgain(t *testing.T) {
	a, b, addr, toI, _ := triangle(t, func(*Session) bool { return true })
	for name, x := range map[string]struct {
		peer transport.PeerID
		addr netip.AddrPort
		err  error
	}{
		"known by now":     {b.ID(), addr, nil},
		"still a stranger": {transport.PeerID{0: 1, 5: 7}, netip.AddrPort{}, ErrStranger},
	} {
		in, err := (&attempt{node: a, peer: x.peer}).askAgain(timeout(t), toI, ErrStranger)
		if in.addr != x.addr || !errors.Is(err, x.err) {
			t.Errorf("%s: %v, %v", name, in.addr, err)
		}
	}
}

func TestConnectFails(t *testing.T) {
	a, b, _, toI, _ := triangle(t, nil)
	_, err := a.Connect(timeout(t), transport.Peer{ID: transport.PeerID{0: 1, 5: 7}}, Token{}, ChannelDatagram, nil, toI)
	if !errors.Is(err, ErrNoAnswer) || !strings.Contains(err.Error(), "does not know") {
		t.Errorf("a stranger: %v", err)
	}
	if _, err := a.Connect(timeout(t), transport.Peer{ID: b.ID()}, Token{}, ChannelDatagram, nil); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("nobody to ask: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(300*time.Millisecond, cancel)
	if _, err := a.Connect(ctx, transport.Peer{ID: b.ID()}, Token{}, ChannelDatagram, nil, toI); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestConnectSaysThatBothNATsAreSymmetric(t *testing.T) {
	a, b, _, toI, iToB := triangle(t, nil)
	for _, n := range []*Node{a, b} {
		for i, seen := range []string{"203.0.113.1:1000", "203.0.113.1:1001"} {
			n.observe(netip.AddrPortFrom(netip.MustParseAddr("198.51.100.9"), uint16(i+1)), netip.MustParseAddrPort(seen))
		}
	}
	await(t, func() bool { return iToB.NAT() == NATSymmetric })
	if _, err := a.Connect(timeout(t), transport.Peer{ID: b.ID()}, Token{}, ChannelDatagram, nil, toI); !errors.Is(err, ErrSymmetric) {
		t.Errorf("got %v", err)
	}
}

// A peer behind a NAT that maps each destination anew punches from an address that nobody named.
func TestPunchFromAnotherPortIsFollowed(t *testing.T) {
	b, bAddr := testNode(t, 2, func(*Session) bool { return true })
	a, aAddr := testNode(t, 1, nil)
	silent, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	go func() { // when a asks at the named address, b punches from its other one
		buf := make([]byte, 100)
		if _, _, err := silent.ReadFrom(buf); err == nil {
			b.write(tokenMsg{token: b.gate.token(aAddr, b.now()), addr: aAddr}.append(nil), aAddr)
		}
	}()
	s, err := a.Connect(timeout(t), transport.Peer{ID: b.ID(), Addr: silent.LocalAddr().(*net.UDPAddr).AddrPort()}, Token{}, ChannelDatagram, nil)
	if err != nil || s.Addr() != bAddr {
		t.Fatalf("%v, %v", s, err)
	}
}

func TestNATKinds(t *testing.T) {
	at := func(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }
	const own = "10.1.0.2:4001"
	for name, c := range map[string]struct {
		seen []string
		want NATKind
	}{
		"one report":                          {[]string{"203.0.113.1:4001"}, NATUnknown},
		"the same from all":                   {[]string{"203.0.113.1:4001", "203.0.113.1:4001", "203.0.113.1:4001"}, NATCone},
		"another port":                        {[]string{"203.0.113.1:4001", "203.0.113.1:1025"}, NATSymmetric},
		"the node's own":                      {[]string{own, own}, NATNone},
		"a neighbour at home":                 {[]string{own, "203.0.113.1:4001"}, NATUnknown},
		"a neighbour at home, then others":    {[]string{own, "203.0.113.1:9", "203.0.113.1:9"}, NATCone},
		"a neighbour in the provider's net":   {[]string{"10.64.0.9:77", "203.0.113.1:9", "203.0.113.1:9"}, NATCone},
		"two neighbours in the provider's":    {[]string{"10.64.0.9:77", "10.64.0.9:77"}, NATCone},
		"two of the provider's, not the same": {[]string{"10.64.0.9:77", "10.64.0.9:78"}, NATSymmetric},
	} {
		o := natObserver{local: []netip.Addr{at(own).Addr()}}
		now := time.Unix(1_800_000_000, 0)
		var kind NATKind
		for i, s := range c.seen {
			kind, _ = o.add(netip.AddrPortFrom(netip.MustParseAddr("198.51.100.1"), uint16(i+1)), at(s), at(own).Port(), now)
		}
		if kind != c.want {
			t.Errorf("%s: %v, want %v", name, kind, c.want)
		}
	}
}

func TestNATMappingThatMovedIsNotSymmetric(t *testing.T) {
	var o natObserver
	now := time.Unix(1_800_000_000, 0)
	by := []netip.AddrPort{netip.MustParseAddrPort("198.51.100.1:1"), netip.MustParseAddrPort("198.51.100.2:1")}
	for round, port := range []uint16{1000, 2000} {
		for _, b := range by {
			o.add(b, netip.AddrPortFrom(netip.MustParseAddr("203.0.113.1"), port), 1, now.Add(time.Duration(round)*natMemory+time.Second))
			now = now.Add(time.Second)
		}
	}
	if o.kind != NATCone {
		t.Errorf("kind %v", o.kind)
	}
}

func TestRow21_KeepAliveAndIdle(t *testing.T) {
	_, _, d, _ := couple(t)
	start := d.node.now()
	d.KeepAlive(10 * time.Second)
	for range moreConfirms + 1 { // the first may find the session not open yet
		d.node.sweep(start)
	}
	out := d.node.Stats().Out
	d.node.sweep(start.Add(5 * time.Second))
	if got := d.node.Stats().Out - out; got != 0 {
		t.Errorf("%d datagrams after 5 s", got)
	}
	d.node.sweep(start.Add(11 * time.Second))
	if got := d.node.Stats().Out - out; got != 1 || d.Err() != nil {
		t.Errorf("%d datagrams after 11 s, %v", got, d.Err())
	}
	d.node.sweep(start.Add(31 * time.Second))
	if !errors.Is(d.Err(), ErrIdle) {
		t.Errorf("after 31 silent seconds: %v", d.Err())
	}
}

// A session that its Accept closed or refused leaves nothing behind.
func TestAcceptThatClosesLeavesNothing(t *testing.T) {
	for name, accept := range map[string]func(*Session) bool{
		"refused": func(*Session) bool { return false },
		"closed":  func(s *Session) bool { s.Close(); return true },
	} {
		n, _, clock := tapped(t, 1, Config{Accept: accept})
		_, init := dialled(t, n, n.gate.token(source, clock.now()))
		n.receive(init, source)
		if len(n.sessions) != 0 || len(n.groups) != 0 || len(n.peers) != 0 {
			t.Errorf("%s: %d sessions, %d groups, %d peers", name, len(n.sessions), len(n.groups), len(n.peers))
		}
	}
}

// A forged punch may draw an Init out of turn only a few times and ends no dial.
func TestRow20_ForgedPunchesDrawLittle(t *testing.T) {
	key := make([]byte, ed25519.SeedSize)
	n, c, _ := tapped(t, 1, Config{})
	var peer transport.PeerID
	copy(peer[:], ed25519.NewKeyFromSeed(key).Public().(ed25519.PublicKey))
	s, err := n.newDial(source, peer, Token{1}, ChannelDatagram, make([]byte, MaxFirst))
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		n.receive(tokenMsg{token: Token{2}}.append(nil), source)
		n.runTimers(n.now())
	}
	if sent := c.bytes() / MaxDatagram; sent > maxNudges+2 {
		t.Errorf("1,000 forged punches drew %d Inits", sent)
	}
	if s.Err() != nil {
		t.Errorf("the dial ended: %v", s.Err())
	}
}

// A lost CONFIRM does not leave the accepter waiting for the dialler's first word.
func TestConfirmIsRepeated(t *testing.T) { synctest.Test(t, testConfirmIsRepeated) }

// testConfirmIsRepeated is in virtual time, in which the first CONFIRM of all, a while after the handshake, does not leave meanwhile.
func testConfirmIsRepeated(t *testing.T) {
	server, _, d, _ := couple(t) // the test drops what the dialler sends
	dTap := d.node.conf.Conn.(*tap)
	if server.Session(d.node.id) != nil {
		t.Fatal("the session is confirmed already")
	}
	sent := len(dTap.written)
	for range 5 {
		d.node.sweep(d.node.now())
	}
	if got := len(dTap.written) - sent; got != moreConfirms {
		t.Errorf("%d datagrams, want %d", got, moreConfirms)
	}
	server.receive(dTap.written[len(dTap.written)-1], source)
	if server.Session(d.node.id) == nil {
		t.Error("the session is not confirmed")
	}
}
