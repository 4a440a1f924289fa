// Package mem owns the wire of tests: reliable pipes inside one process. There is
// no goroutine and no clock: a Net delivers one message per Step, in the order
// in which all were sent, so that the same test takes the same course each time.
package mem

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"nt/transport"
	"nt/transport/wire"
)

// MaxMessage is the longest message, in bytes, as over KCP.
const MaxMessage = 66 << 10

// ErrFull reports that as many bytes as may be under way are.
var ErrFull = errors.New("mem: the pipe is full")

// Net is what messages are under way in. It is safe for concurrent use; the zero
// Net is ready to use.
type Net struct {
	mu    sync.Mutex
	queue []delivery
}

type delivery struct {
	to  *Pipe
	msg []byte
	bye bool
}

// End describes one end of a pipe.
type End struct {
	Peer      transport.PeerID // the end's own key
	Addr      netip.AddrPort   // the end's own address
	OnMessage func([]byte)     // runs in Step; must not keep the message
	Queue     int              // bytes that may be under way from here; 0 means 256 KiB
}

// Pipe is one end of a pipe. It is safe for concurrent use.
type Pipe struct {
	net   *Net
	end   End
	other *Pipe
	done  chan struct{}

	queued int   // net.mu
	err    error // net.mu
}

// Pair connects two ends.
func (n *Net) Pair(a, b End) (*Pipe, *Pipe) {
	p, q := n.pipe(a), n.pipe(b)
	p.other, q.other = q, p
	return p, q
}

func (n *Net) pipe(e End) *Pipe {
	if e.Queue == 0 {
		e.Queue = 256 << 10
	}
	return &Pipe{net: n, end: e, done: make(chan struct{})}
}

// Step delivers the oldest message and reports whether there was one.
func (n *Net) Step() bool {
	n.mu.Lock()
	if len(n.queue) == 0 {
		n.mu.Unlock()
		return false
	}
	d := n.queue[0]
	n.queue[0] = delivery{}
	n.queue = n.queue[1:]
	d.to.other.queued -= len(d.msg)
	ended := d.to.err != nil
	if d.bye {
		d.to.finish(wire.ErrBye)
	}
	n.mu.Unlock()
	if !d.bye && !ended {
		d.to.end.OnMessage(d.msg)
	}
	return true
}

// Run steps until nothing is under way, and returns how many steps it took.
func (n *Net) Run() (steps int) {
	for n.Step() {
		steps++
	}
	return steps
}

// Send puts a message under way. It keeps msg.
func (p *Pipe) Send(msg []byte) error {
	if len(msg) > MaxMessage {
		return fmt.Errorf("mem: %w: %d bytes", wire.ErrTooLong, len(msg))
	}
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	switch {
	case p.err != nil:
		return p.err
	case p.queued > 0 && p.queued+len(msg) > p.end.Queue:
		return ErrFull
	}
	p.queued += len(msg)
	p.net.queue = append(p.net.queue, delivery{to: p.other, msg: msg})
	return nil
}

// Queued returns the bytes under way from this end.
func (p *Pipe) Queued() int {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	return p.queued
}

// Reliable reports that messages arrive exactly once and in order.
func (p *Pipe) Reliable() bool { return true }

// Peer returns the key of the other end.
func (p *Pipe) Peer() transport.PeerID { return p.other.end.Peer }

// Addr returns the address of the other end.
func (p *Pipe) Addr() netip.AddrPort { return p.other.end.Addr }

// Done is closed when the pipe has ended; Err says why.
func (p *Pipe) Done() <-chan struct{} { return p.done }

// Err returns why the pipe ended, or nil.
func (p *Pipe) Err() error {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	return p.err
}

// Close ends this end; the other one ends when what was sent before has arrived.
func (p *Pipe) Close() error {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	if p.err == nil {
		p.finish(wire.ErrClosed)
		p.net.queue = append(p.net.queue, delivery{to: p.other, bye: true})
	}
	return nil
}

// finish ends this end; the caller holds net.mu.
func (p *Pipe) finish(why error) {
	if p.err == nil {
		p.err = why
		close(p.done)
	}
}
