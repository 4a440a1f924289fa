package modes

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"nt/tracker"
	"nt/tracker/storetest"
	"nt/transport"
	"nt/transport/wire"
)

// bepRequest is a request of BEP 15 with the connection id and action, of the size.
func bepRequest(id uint64, action byte, size int) []byte {
	b := make([]byte, max(size, 98))
	binary.BigEndian.PutUint64(b, id)
	b[11] = action
	copy(b[12:], "tran")
	b[71], b[83], b[95], b[97] = 1, 2, 200, 80
	return b[:size]
}

// wireDatagram is of nt's own wire: a type and what looks like its fields.
func wireDatagram(kind byte, size int) []byte {
	b := bytes.Repeat([]byte{0x5a}, size)
	b[0] = kind
	return b
}

// query is a Query of the wire without a token, padded to the size.
func query(size int, question []byte) []byte {
	b := append([]byte{0xC6, 1, 2, 3, 4, 5, 6, 7, 8}, make([]byte, 16)...)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(question))), question...)
	return append(b, make([]byte, max(0, size-len(b)))...)
}

// TestRow16_SilentSourcesGetNoMoreThanTheySent sends every type of datagram that the
// tracker's socket knows, and some that it does not, from a source each that then says nothing more.
func TestRow16_SilentSourcesGetNoMoreThanTheySent(t *testing.T) {
	r, err := startTracker(trackerOptions{listen: "127.0.0.1:0", key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), allowPrivate: true, torrents: &torrentList{}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.close(t.Context())
	const magic = 0x41727101980
	ask := append([]byte{0xC1, 1, 2, 3, 4, 5, 6, 7, 8}, make([]byte, 55)...)
	join := tracker.Join{Key: storetest.Key("page")}.Append(nil)
	sources := map[string]*silentSource{}
	for name, c := range map[string]struct {
		datagram []byte
		answered bool // something must come back, or the test would not notice that nothing is heard
	}{
		"wire: Ask":                            {ask, true},
		"wire: Ask, cut":                       {ask[:63], false},
		"wire: Ask, longer":                    {append(append([]byte(nil), ask...), make([]byte, 1000)...), false},
		"wire: Token nobody asked for":         {wireDatagram(0xC2, 43), false},
		"wire: punch":                          {append([]byte{0xC2}, make([]byte, 42)...), false},
		"wire: Init with a token made up":      {wireDatagram(0xC3, 200), true},
		"wire: shortest Init":                  {wireDatagram(0xC3, 117), true},
		"wire: longest Init":                   {wireDatagram(0xC3, 1400), true},
		"wire: Init, cut":                      {wireDatagram(0xC3, 60), false},
		"wire: Reply to nothing":               {wireDatagram(0xC4, 53), false},
		"wire: type of yesterday, Data":        {wireDatagram(0xC5, 500), false},
		"wire: control of no session":          {wireDatagram(0xC8, 500), false},
		"wire: message of no session":          {wireDatagram(0xC9, 500), false},
		"wire: KCP of no session":              {wireDatagram(0xCA, 500), false},
		"wire: Query, nonsense":                {wireDatagram(0xC6, 300), false},
		"wire: Query, no join":                 {query(1400, []byte("what?")), true},
		"wire: Query, no room for an answer":   {query(40, []byte("what?")), false},
		"wire: Query, short, no join":          {query(60, []byte("what?")), true},
		"wire: join":                           {query(1400, join), true},
		"wire: join, little room":              {query(200, join), true},
		"wire: join, hardly any room":          {query(100, join), true},
		"wire: Answer nobody asked for":        {wireDatagram(0xC7, 500), false},
		"wire: type of tomorrow":               {wireDatagram(0xCB, 300), false},
		"wire: type of yesterday":              {wireDatagram(0xC0, 300), false},
		"bep: connect":                         {bepRequest(magic, 0, 16), true},
		"bep: connect, longer":                 {bepRequest(magic, 0, 98), true},
		"bep: connect, other protocol":         {bepRequest(magic+1, 0, 16), false},
		"bep: announce, connect's id":          {bepRequest(magic, 1, 98), true},
		"bep: announce, id made up":            {bepRequest(77, 1, 98), true},
		"bep: announce, cut":                   {bepRequest(77, 1, 20), true},
		"bep: scrape, id made up":              {bepRequest(77, 2, 36), true},
		"bep: scrape of 74":                    {bepRequest(77, 2, 1496), true},
		"bep: error":                           {bepRequest(77, 3, 30), false},
		"bep: unknown action":                  {bepRequest(77, 9, 16), false},
		"nothing":                              {nil, false},
		"one byte":                             {[]byte{0}, false},
		"a DHT's ping":                         {[]byte("d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"), false},
		"a STUN request":                       {append([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, make([]byte, 12)...), false},
		"a datagram that is as long as can be": {bytes.Repeat([]byte{7}, 1472), false},
	} {
		s := newSilentSource(t, r.addr)
		s.answered = c.answered
		s.send(c.datagram)
		sources[name] = s
	}
	handshake := newSilentSource(t, r.addr) // a real Ask and Init, with the token that came, then silence
	handshake.answered = true
	node := handshake.dialler(t)
	go node.Dial(t.Context(), netip.MustParseAddrPort(r.addr), r.meet.Key(), wire.Token{}, wire.ChannelDatagram, nil)
	sources["wire: Init with the token that was given, then silence"] = handshake

	time.Sleep(3 * time.Second) // anything that is sent again would come by then
	for name, s := range sources {
		if s.in.Load() > s.out.Load() {
			t.Errorf("%s: %d bytes came back for %d", name, s.in.Load(), s.out.Load())
		}
		if s.in.Load() > 0 != s.answered {
			t.Errorf("%s: %d bytes came back for %d, answered should be %v", name, s.in.Load(), s.out.Load(), s.answered)
		}
	}
	if n := r.meet.Stats().Sessions; n != 1 {
		t.Errorf("%d sessions were made, one source has shown a token", n)
	}
}

// silentSource counts the UDP payload each way.
type silentSource struct {
	*net.UDPConn
	answered bool
	in, out  atomic.Int64
	to       net.Addr
}

func newSilentSource(t *testing.T, to string) *silentSource {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	addr := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to))
	s := &silentSource{UDPConn: c, to: addr}
	return s
}

// send sends one datagram and counts what comes back.
func (s *silentSource) send(b []byte) {
	s.out.Add(int64(len(b)))
	s.UDPConn.WriteTo(b, s.to)
	go func() {
		buf := make([]byte, 2048)
		for {
			n, _, err := s.UDPConn.ReadFrom(buf)
			if err != nil {
				return
			}
			s.in.Add(int64(n))
		}
	}()
}

// dialler returns a node on the source that sends its first Ask and its first Init and nothing else.
func (s *silentSource) dialler(t *testing.T) *wire.Node {
	t.Helper()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, ed25519.SeedSize))
	n, err := wire.Listen(wire.Config{Conn: &firstOnly{silentSource: s}, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	if n.ID() == (transport.PeerID{}) {
		t.Fatal("the node has no key")
	}
	return n
}

// firstOnly lets one datagram of each type out.
type firstOnly struct {
	*silentSource
	sent [256]atomic.Bool
}

func (f *firstOnly) WriteTo(b []byte, to net.Addr) (int, error) {
	if f.sent[b[0]].Swap(true) || b[0] > 0xC3 {
		return len(b), nil
	}
	f.out.Add(int64(len(b)))
	return f.UDPConn.WriteTo(b, to)
}

func (f *firstOnly) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := f.UDPConn.ReadFrom(b)
	f.in.Add(int64(n))
	return n, from, err
}
