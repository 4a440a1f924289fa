package wire

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flynn/noise"

	"nt/transport"
)

// Channel says what a packet inside a session is.
type Channel byte

const (
	channelControl Channel = iota // BYE, PING, introductions: this package's own
	// ChannelDatagram carries messages as they are, without recovery.
	ChannelDatagram
	// ChannelKCP carries KCP's packets.
	ChannelKCP
	numChannels
)

var (
	// ErrClosed reports a session or node that was closed on this side.
	ErrClosed = errors.New("wire: closed")
	// ErrBye reports a session that the peer closed.
	ErrBye = errors.New("wire: the peer said goodbye")
	// ErrSpare reports a session that the peer closed because it has another with us.
	ErrSpare = errors.New("wire: the peer keeps another session")
	// ErrIdle reports a session in which nothing genuine arrived for too long.
	ErrIdle = errors.New("wire: the peer fell silent")
	// ErrNoAnswer reports a dial that nobody answered.
	ErrNoAnswer = errors.New("wire: no answer")
	// ErrTooMany reports a cap on sessions.
	ErrTooMany = errors.New("wire: too many sessions")
	// ErrTooLong reports a packet over MaxPacket or a first payload over MaxFirst.
	ErrTooLong = errors.New("wire: packet too long")

	errNotOpen     = errors.New("wire: the session is not open yet")
	errUnconfirmed = errors.New("wire: the peer has not confirmed the session yet")
	errWornOut     = errors.New("wire: the session has used up its counters")
)

// sessionState says how far a session has come.
//
//	dialler:   asking --Token--> initiating --Reply--> open --> closed
//	accepter:  (Init with a valid token) --> accepted --first Data--> open --> closed
type sessionState uint8

const (
	// stateAsking: dialled without a token; Ask goes out until a Token arrives.
	stateAsking sessionState = iota
	// stateInitiating: Init goes out until Reply arrives.
	stateInitiating
	// stateAccepted: Reply went out, the dialler has not yet used its key. Few packets
	// may go out: an Init can be replayed by somebody on the path.
	stateAccepted
	// stateOpen: both sides have used their keys.
	stateOpen
	// stateClosed is final.
	stateClosed
)

// MaxUnconfirmed is how many packets an accepter sends before the dialler's first.
const MaxUnconfirmed = 8

// sessionKey is what every datagram tells its session by: half of the conv is enough among the sessions with one address, and whose
// half is taken there draws another, or is refused.
type sessionKey struct {
	addr netip.AddrPort
	conv uint16 // the lower half
}

// Session is an encrypted, unreliable packet pipe to one peer. It is safe for
// concurrent use.
type Session struct {
	node     *Node
	key      sessionKey
	conv     uint32 // chosen by the dialler; the whole of it is in the handshake
	peer     transport.PeerID
	accepted bool     // the peer dialled
	older    *Session // the peer's session before this one; node.mu
	handle   uint32   // the grant it was accepted on, until it is confirmed; node.mu

	mu        sync.Mutex // guards what follows up to the blank line
	state     sessionState
	nat       NATKind // what the peer found itself behind
	err       error
	dial      *dial     // until a dialled session is open
	initSent  time.Time // when a dialled session's Init left last
	reply     []byte    // of an accepted session until it is open, to be sent again
	initSum   [sha256.Size]byte
	send      link
	sent      uint32 // packets sealed so far: the next counter
	handlers  [numChannels]func([]byte)
	intros    map[chan introduction]transport.PeerID // Introduce calls under way
	granted   Grant                                  // the peer's: makes tokens for its gate
	grantedAt time.Time

	recv   link         // reader goroutine only, like the next two
	window replayWindow //
	intro  allowance    //

	confirms int       // CONFIRMs that the time loop has repeated; it alone uses this and the next
	gaveAt   time.Time // when it last gave a grant

	lastHeard   atomic.Int64 // Unix nanoseconds
	lastSent    atomic.Int64
	keepAlive   atomic.Int64 // nanoseconds; 0 is off
	granting    atomic.Bool  // the peer gets a grant every minute
	established chan struct{}
	done        chan struct{}
}

// Peer returns the key the session is authenticated to.
func (s *Session) Peer() transport.PeerID { return s.peer }

// Addr returns the peer's address.
func (s *Session) Addr() netip.AddrPort { return s.key.addr }

// LocalAddr returns the address of the node's socket.
func (s *Session) LocalAddr() net.Addr { return s.node.LocalAddr() }

// Accepted reports whether the peer opened the session.
func (s *Session) Accepted() bool { return s.accepted }

// InitSent returns when the first packet of a dialled session left last: it rides on Init.
func (s *Session) InitSent() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.initSent
}

// Granted returns the latest grant that the peer gave us: with its Reply, or as an introducer's. Zero if
// there is none.
func (s *Session) Granted() Grant {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.granted
}

// Done is closed when the session has ended; Err says why.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err returns why the session ended, or nil.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Handle sets who gets the channel's packets. f runs on the node's reading
// goroutine: it must not block nor keep the packet. Packets of a channel
// without a handler are dropped.
func (s *Session) Handle(ch Channel, f func(packet []byte)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handlers[ch] = f
}

// KeepAlive lets the node send a PING whenever nothing else was sent for d (rounded
// to its sweeps of a second), so that NATs and the peer's idle timer stay open; 0 stops it.
func (s *Session) KeepAlive(d time.Duration) { s.keepAlive.Store(int64(d)) }

// Send seals a packet of at most MaxPacket bytes and sends it at once. It does
// not keep the packet.
func (s *Session) Send(ch Channel, packet []byte) error {
	return s.SendFunc(ch, appending(packet))
}

// appending writes a packet that is there.
func appending(packet []byte) func([]byte) []byte {
	return func(b []byte) []byte { return append(b, packet...) }
}

// SendFunc is Send of the packet that write appends, at most MaxPacket bytes. write runs under the
// session's lock.
func (s *Session) SendFunc(ch Channel, write func(b []byte) []byte) error {
	buf := s.node.buffers.get()
	defer s.node.buffers.put(buf)
	b, err := s.seal(buf[:0], ch, write)
	if err != nil {
		return err
	}
	s.lastSent.Store(s.node.now().UnixNano())
	return s.node.queue(b, s.key.addr)
}

// seal appends the Data datagram of the packet that write appends to b.
func (s *Session) seal(b []byte, ch Channel, write func(b []byte) []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.state == stateClosed:
		return nil, s.err
	case !s.send.ready():
		return nil, errNotOpen
	case s.state == stateAccepted && s.sent >= MaxUnconfirmed:
		return nil, errUnconfirmed
	case s.sent == math.MaxUint32:
		return nil, errWornOut
	}
	b = appendDataHead(b, ch, s.key.conv, s.sent)
	if b = write(b); len(b)-dataHead > MaxPacket {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLong, len(b)-dataHead)
	}
	b = s.send.seal(b, s.sent)
	s.sent++
	return b, nil
}

// Close says goodbye and ends the session.
func (s *Session) Close() error {
	s.endWith(controlBye)
	return nil
}

// CloseSpare ends the session, and says that another with the same peer goes on.
func (s *Session) CloseSpare() { s.endWith(controlSpare) }

// endWith says the last word and ends the session.
func (s *Session) endWith(word byte) {
	for range s.goodbyes() {
		if s.Send(channelControl, []byte{word}) != nil {
			break
		}
	}
	s.end(ErrClosed)
}

// goodbyes is how often BYE is sent. A lost one costs the peer a timeout and two rarely get lost,
// but to say it twice must not cost more than a trifle of what the session carried.
func (s *Session) goodbyes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sent < longSession {
		return 1
	}
	return 2
}

// longSession is from how many packets on a session says BYE twice.
const longSession = 64

// end closes the session without a word. Later calls do nothing.
func (s *Session) end(reason error) {
	s.mu.Lock()
	if s.state == stateClosed {
		s.mu.Unlock()
		return
	}
	s.state, s.err = stateClosed, reason
	s.dial, s.reply = nil, nil
	s.mu.Unlock()
	close(s.done)
	s.node.forget(s)
}

// open handles one Data datagram, which it destroys.
func (s *Session) open(b []byte, m dataMsg, now time.Time) bool {
	counter := s.window.whole(m.counter)
	if !s.recv.ready() || !s.window.fresh(counter) {
		return false
	}
	plain, err := s.recv.open(b, counter)
	if err != nil {
		return false
	}
	s.window.mark(counter)
	s.lastHeard.Store(now.UnixNano())
	s.mu.Lock()
	confirmed := s.state == stateAccepted
	if confirmed {
		s.state, s.reply = stateOpen, nil
	}
	f := s.handlers[m.channel]
	s.mu.Unlock()
	if confirmed {
		s.node.confirmed(s)
	}
	if m.channel == channelControl {
		s.control(plain, now)
	} else if f != nil {
		f(plain)
	}
	return true
}

func (s *Session) handler(ch Channel) func([]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.handlers[ch]
}

// repeatReply answers an Init that came again because our Reply was lost.
func (s *Session) repeatReply(m initMsg) bool {
	s.mu.Lock()
	again := s.state == stateAccepted && s.initSum == sha256.Sum256(m.noise)
	b := s.reply
	s.mu.Unlock()
	if again {
		s.node.write(b, s.key.addr)
	}
	return again
}

// newHandshake starts Noise IK. The prologue binds it to this protocol.
func (n *Node) newHandshake(initiator bool, peer transport.PeerID) (*noise.HandshakeState, error) {
	suite := noise.NewCipherSuite(noise.DH25519, noise.CipherAESGCM, noise.HashSHA256)
	c := noise.Config{CipherSuite: suite, Random: rand.Reader, Pattern: noise.HandshakeIK, Initiator: initiator,
		Prologue: []byte("nt-wire-v3"), StaticKeypair: n.dh}
	if initiator {
		var err error
		if c.PeerStatic, err = dhPublic(peer); err != nil {
			return nil, err
		}
	}
	return noise.NewHandshakeState(c)
}
