package wire

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flynn/noise"

	"nt/transport"
)

// Config is what a Node is made of.
type Config struct {
	// Conn is the socket. The node reads it alone and closes it. Only the methods of
	// net.PacketConn are used, unless it is a *net.UDPConn itself.
	Conn net.PacketConn
	Key  ed25519.PrivateKey
	// Accept hears of every session that a peer opened, before its first packet,
	// and sets handlers; false refuses it. It runs on the reading goroutine. nil refuses all.
	Accept func(s *Session) bool
	// Opened hears of every session that this node dialled, when the peer has
	// proved its key and before its first packet: handlers set here miss nothing. It runs
	// on the reading goroutine. May be nil.
	Opened func(s *Session)
	// Query hears questions outside of sessions, and answers them with their Answer. It runs on
	// the reading goroutine. nil answers none.
	Query func(q *Query)
	// After hears from sessions what their peers are after, or are after no more. It runs on the reading goroutine. nil hears
	// nothing.
	After func(s *Session, topic [32]byte, is bool)
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

// Node owns a UDP socket and the sessions on it. It is safe for concurrent use.
type Node struct {
	conf    Config
	udp     *net.UDPConn // conf.Conn, if it is one
	offload offload      // of udp
	out     *outbox      // nil without udp
	gate    gate
	handles atomic.Uint32 // of the grants given
	dh      noise.DHKey
	id      transport.PeerID
	buffers buffers
	nat     natObserver
	count   counters

	mu        sync.Mutex
	sessions  map[sessionKey]*Session
	peers     map[transport.PeerID]*Session // the latest session with each peer
	groups    map[netip.Prefix]int          // sessions that peers opened, per network group
	dials     map[[nonceSize]byte]*Session  // dialled and not yet open
	watch     map[[nonceSize]byte]watch
	questions map[[nonceSize]byte]*question // ours, by their nonce without the try
	tokens    map[netip.AddrPort]keptToken
	punched   map[punchKey]struct{} // Connect calls under way
	granted   map[uint32]int        // sessions on each grant that are not confirmed
	answers   transport.Latency     // of handshakes: from the first Init to its Reply
	closed    bool
	asking    bool // askWhere is under way

	sweepAt time.Time // time loop only
	wake    chan struct{}
	done    chan struct{}
	wg      sync.WaitGroup
}

// Stats counts what a node did. Bytes are UDP payload.
type Stats struct {
	In, Out                uint64 // datagrams
	BytesIn, BytesOut      uint64
	Refused                uint64 // datagrams dropped by the gate: malformed, no token, caps
	Sessions               int
	Introduced, Introduces uint64 // introductions acted on, and given
}

type counters struct {
	in, out, bytesIn, bytesOut, refused, introduced, introduces atomic.Uint64
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
	n := &Node{conf: conf, dh: dh, sessions: map[sessionKey]*Session{}, peers: map[transport.PeerID]*Session{},
		groups: map[netip.Prefix]int{}, dials: map[[nonceSize]byte]*Session{}, watch: map[[nonceSize]byte]watch{}, questions: map[[nonceSize]byte]*question{}, tokens: map[netip.AddrPort]keptToken{},
		punched: map[punchKey]struct{}{}, granted: map[uint32]int{}, wake: make(chan struct{}, 1), done: make(chan struct{})}
	// The concrete type and nothing that embeds it: a wrapper's own methods must not be passed by.
	if n.udp, _ = conf.Conn.(*net.UDPConn); n.udp != nil {
		n.offload = newOffload(n.udp)
		_ = n.udp.SetReadBuffer(socketBuffer) // as much of it as the system allows
		_ = n.udp.SetWriteBuffer(socketBuffer)
	}
	n.nat.local = ownAddrs(conf.Conn.LocalAddr())
	copy(n.id[:], conf.Key.Public().(ed25519.PublicKey))
	if _, err := rand.Read(n.gate.secret[:]); err != nil {
		return nil, err
	}
	if n.udp != nil {
		n.out = newOutbox(n.writeBatch)
	}
	n.wg.Add(2)
	go n.readLoop()
	go n.timeLoop()
	return n, nil
}

// socketBuffer is what the kernel should hold for a node in each direction, in bytes:
// the bursts of several fast sessions while this process waits for a processor.
const socketBuffer = 4 << 20

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
	c := &n.count
	s := Stats{In: c.in.Load(), Out: c.out.Load(), BytesIn: c.bytesIn.Load(), BytesOut: c.bytesOut.Load(),
		Refused: c.refused.Load(), Introduced: c.introduced.Load(), Introduces: c.introduces.Load()}
	n.mu.Lock()
	defer n.mu.Unlock()
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
	if n.out != nil {
		n.out.close()
	}
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

// write sends a datagram of a handshake at once.
func (n *Node) write(b []byte, to netip.AddrPort) error {
	n.count.out.Add(1)
	n.count.bytesOut.Add(uint64(len(b)))
	return n.writeTo(b, to)
}

// queue sends a datagram of a session, together with others where that is cheaper.
func (n *Node) queue(b []byte, to netip.AddrPort) error {
	if n.out == nil {
		return n.write(b, to)
	}
	n.count.out.Add(1)
	n.count.bytesOut.Add(uint64(len(b)))
	n.out.add(b, to)
	return nil
}

// writeBatch is the outbox's writer. Offloading fails where the path takes
// smaller datagrams or a network card cannot sum them: then one after another.
func (n *Node) writeBatch(b *batch) {
	if b.n > 1 && n.offload.segment && n.offload.send(n.udp, b.buf, b.size, b.to) == nil {
		return
	}
	for p := b.buf; len(p) > 0; {
		k := min(b.size, len(p))
		_ = n.writeTo(p[:k], b.to)
		p = p[k:]
	}
}

func (n *Node) writeTo(b []byte, to netip.AddrPort) (err error) {
	if n.udp != nil {
		_, err = n.udp.WriteToUDPAddrPort(b, to)
	} else {
		_, err = n.conf.Conn.WriteTo(b, net.UDPAddrFromAddrPort(to))
	}
	return err
}

// read reads one datagram, or several of size bytes of which the last may be shorter.
func (n *Node) read(b, oob []byte) (total, size int, from netip.AddrPort, err error) {
	if n.udp != nil {
		total, size, from, err = n.offload.receive(n.udp, b, oob)
		return total, size, unmap(from), err
	}
	total, addr, err := n.conf.Conn.ReadFrom(b)
	if udp, ok := addr.(*net.UDPAddr); ok {
		from = unmap(udp.AddrPort())
	}
	return total, total, from, err
}

// readLoop is the one reader of the socket.
func (n *Node) readLoop() {
	defer n.wg.Done()
	buf, oob := make([]byte, n.offload.readSize()), make([]byte, 64)
	for {
		total, size, from, err := n.read(buf, oob)
		if err != nil {
			if n.isClosed() || errors.Is(err, net.ErrClosed) {
				return
			}
			n.conf.Log.Debug("reading the UDP socket", "error", err)
			continue // ICMP errors of other peers surface here
		}
		if !from.IsValid() {
			continue
		}
		for b := buf[:total]; len(b) > 0; b = b[min(size, len(b)):] {
			n.receive(b[:min(size, len(b))], from)
		}
	}
}

func (n *Node) isClosed() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.closed
}

// allowed reports whether datagrams may go to an address that somebody named.
func (n *Node) allowed(a netip.AddrPort) bool {
	ip := a.Addr()
	return a.IsValid() && a.Port() != 0 && !ip.IsUnspecified() && !ip.IsMulticast() && (n.conf.Allowed == nil || n.conf.Allowed(ip))
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
