// Package udp owns the raw wire: messages of at most wire.MaxPacket bytes inside
// a wire.Session, as they are: they may be lost, doubled or overtake each
// other, as in the 2006 Roulette over UDP. It knows nothing of what they say.
package udp

import (
	"net/netip"

	"nt/transport"
	"nt/transport/wire"
)

// MaxMessage is the longest message, in bytes.
const MaxMessage = wire.MaxPacket

// Pipe is an unreliable message pipe. It is safe for concurrent use.
type Pipe struct{ session *wire.Session }

// New sends and hears messages in a session. onMessage gets each message on the
// node's reading goroutine; it must not block nor keep it. The pipe ends with
// the session, and the session with the pipe.
func New(s *wire.Session, onMessage func([]byte)) *Pipe {
	s.Handle(wire.ChannelDatagram, onMessage)
	return &Pipe{s}
}

// Send sends a message at once; nothing waits. It does not keep msg.
func (p *Pipe) Send(msg []byte) error { return p.session.Send(wire.ChannelDatagram, msg) }

// Queued returns 0: what was sent is on its way or lost.
func (p *Pipe) Queued() int { return 0 }

// Reliable reports that messages may get lost.
func (p *Pipe) Reliable() bool { return false }

// Session returns the session under the pipe.
func (p *Pipe) Session() *wire.Session { return p.session }

// Peer returns the key of the other end.
func (p *Pipe) Peer() transport.PeerID { return p.session.Peer() }

// Addr returns the address of the other end.
func (p *Pipe) Addr() netip.AddrPort { return p.session.Addr() }

// Done is closed when the pipe has ended; Err says why.
func (p *Pipe) Done() <-chan struct{} { return p.session.Done() }

// Err returns why the pipe ended, or nil.
func (p *Pipe) Err() error { return p.session.Err() }

// Close says goodbye and ends the session.
func (p *Pipe) Close() error { return p.session.Close() }
