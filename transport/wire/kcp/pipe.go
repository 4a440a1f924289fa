// Package kcp owns the reliable wire: messages of any size up to MaxMessage, in
// order, over KCP inside a wire.Session. It is the only package that imports
// kcp-go, and knows nothing of what the messages say.
//
// One KCP conversation per session over a virtual net.PacketConn of its own:
// kcp-go's sessions on a shared socket steal each other's packets, and its
// listener has no gate (docs/design.md, section 5). KCP runs in stream mode
// with a length in front of each message, so that small messages share packets
// and large ones are split.
package kcp

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"

	kcpgo "github.com/xtaci/kcp-go/v5"

	"nt/transport"
	"nt/transport/wire"
)

// conversation is KCP's number of every conversation; a session tells them apart.
const conversation = 1

// flushEvery is how often KCP looks for what to repeat and, unless pressed, acknowledges. What
// is new leaves at once.
const flushEvery = 50 * time.Millisecond

// MaxMessage is the longest message, in bytes: a whole chunk and its headers.
const MaxMessage = 66 << 10

// ErrFull reports a send queue at its limit: the message was not taken.
var ErrFull = errors.New("kcp: the send queue is full")

// Congestion says who decides how many packets are under way.
type Congestion uint8

const (
	// Paced is this package's own control: fast on fast paths, and it yields on slow ones.
	Paced Congestion = iota
	// Classic is KCP's congestion window: safe and slow.
	Classic
	// Fixed always has a whole window under way.
	Fixed
)

// Config tunes KCP. The zero Config means the defaults.
type Config struct {
	// Window is the send window and the largest receive window in packets; 0 means 1024, more
	// than 5 ms of a gigabit.
	Window     int
	Congestion Congestion
	// Queue is how many bytes may wait before KCP; 0 means 256 KiB.
	Queue int
	// Buffer gives what a message of n bytes is read into; nil: new memory for each.
	Buffer func(n int) []byte
	// Room is called, on the pipe's own goroutine, when less than a quarter of Queue waits
	// again. May be nil.
	Room func()
	// Missed is called, on the pipe's own goroutine, when packets to this end were lost, as soon as a
	// later one arrives. May be nil.
	Missed func()
}

// Pipe is a reliable message pipe. It is safe for concurrent use.
type Pipe struct {
	session *wire.Session
	conn    *packetConn
	kcp     *kcpgo.UDPSession
	limit   int
	window  int // the largest receive window, in packets
	buffer  func(n int) []byte
	onMsg   func([]byte)
	onRoom  func()

	mu     sync.Mutex
	queue  []*[]byte // frames: messages, each with its length in front
	queued int       // bytes in queue
	wake   chan struct{}
	wg     sync.WaitGroup
}

// New runs KCP on a session; both sides must do so. onMessage gets each message
// on the pipe's own goroutine, and may keep it. The pipe ends with the
// session, and the session with the pipe.
func New(s *wire.Session, conf Config, onMessage func([]byte)) (*Pipe, error) {
	if conf.Window == 0 {
		conf.Window = 1024
	}
	if conf.Queue == 0 {
		conf.Queue = 256 << 10
	}
	var c *control
	if conf.Congestion == Paced {
		c = newControl(conf.Window, s.Accepted())
	}
	conn := newPacketConn(s, max(conf.Window, firstReceive), c)
	k, err := kcpgo.NewConn4(conversation, conn.addr, nil, 0, 0, true, conn)
	if err != nil {
		return nil, fmt.Errorf("starting KCP: %w", err)
	}
	nc := 1
	if conf.Congestion == Classic {
		nc = 0
	}
	k.SetNoDelay(1, int(flushEvery/time.Millisecond), 2, nc)
	k.SetWindowSize(conf.Window, min(conf.Window, firstReceive))
	if c != nil {
		k.SetWindowSize(int(c.window), 0)
	}
	k.SetMtu(wire.MaxPacket)
	k.SetStreamMode(true)
	k.SetWriteDelay(false)
	conn.kcp, conn.missed = k, conf.Missed
	close(conn.ready)
	if _, err := k.WriteBuffers(nil); err != nil { // nc=0 starts with no window: the first flush opens it
		k.Close()
		return nil, fmt.Errorf("starting KCP: %w", err)
	}
	conn.doze.start(k)
	p := &Pipe{session: s, conn: conn, kcp: k, limit: conf.Queue, window: conf.Window, buffer: conf.Buffer, onMsg: onMessage, onRoom: conf.Room, wake: make(chan struct{}, 1)}
	if p.buffer == nil {
		p.buffer = func(n int) []byte { return make([]byte, n) }
	}
	p.wg.Add(2)
	go p.writeLoop()
	go p.readLoop()
	return p, nil
}

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

// Reliable reports that messages arrive exactly once or the pipe ends.
func (p *Pipe) Reliable() bool { return true }

// Queued returns the bytes that wait before KCP.
func (p *Pipe) Queued() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.queued
}

// Send queues a copy of a message of at most MaxMessage bytes and never blocks.
func (p *Pipe) Send(msg []byte) error {
	if len(msg) > MaxMessage {
		return fmt.Errorf("kcp: %w: %d bytes", wire.ErrTooLong, len(msg))
	}
	select {
	case <-p.session.Done():
		return p.session.Err()
	default:
	}
	p.mu.Lock()
	if p.queued > 0 && p.queued+len(msg) > p.limit {
		p.mu.Unlock()
		return ErrFull
	}
	p.queue = append(p.queue, frame(msg))
	p.queued += len(msg)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return nil
}

// Close ends the pipe and its session with a goodbye and waits for its goroutines;
// it must not be called from onMessage.
func (p *Pipe) Close() error {
	err := p.session.Close()
	p.kcp.Close()
	p.wg.Wait()
	return err
}

// writeLoop hands what has queued up to KCP in bursts with one flush each.
func (p *Pipe) writeLoop() {
	defer p.wg.Done()
	var burst [][]byte
	for {
		select {
		case <-p.session.Done():
			p.kcp.Close()
			return
		case <-p.wake:
		}
		for {
			taken, size := p.take()
			if len(taken) == 0 {
				break
			}
			burst = burst[:0]
			for _, f := range taken {
				burst = append(burst, *f)
			}
			if _, err := p.kcp.WriteBuffers(burst); err != nil {
				return
			}
			for _, f := range taken {
				frames.Put(f)
			}
			p.taken(size)
		}
	}
}

// taken notes that KCP has copied messages of size bytes, and tells of the room.
func (p *Pipe) taken(size int) {
	p.mu.Lock()
	before := p.queued
	p.queued -= size
	room := before >= p.limit/4 && p.queued < p.limit/4
	p.mu.Unlock()
	if room && p.onRoom != nil {
		p.onRoom()
	}
}

// maxBurst is how many bytes KCP is given at a time, with one flush. What it has cannot be held back,
// but who reads slowly has asked for less.
const maxBurst = 128 << 10

// frames are buffers for use again, whichever pipe's.
var frames = sync.Pool{New: func() any { return new([]byte) }}

// frame returns a copy of a message with its length in front.
func frame(msg []byte) *[]byte {
	f := frames.Get().(*[]byte)
	*f = append(binary.AppendUvarint((*f)[:0], uint64(len(msg))), msg...)
	return f
}

// take removes a burst of frames from the queue. size is the bytes of their messages.
func (p *Pipe) take() (taken []*[]byte, size int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, bytes := 0, 0
	for ; n < len(p.queue) && (n == 0 || bytes+len(*p.queue[n]) <= maxBurst); n++ {
		f := p.queue[n]
		_, head := binary.Uvarint(*f)
		taken = append(taken, f)
		bytes += len(*f)
		size += len(*f) - head
		p.queue[n] = nil
	}
	if p.queue = p.queue[n:]; len(p.queue) == 0 {
		p.queue = nil
	}
	return taken, size
}

// firstReceive is the receive window of a new session, in packets: what a peer may make us hold
// that has not sent anything in order yet. Every receiveStep bytes that it has sent the window is as much larger.
const (
	firstReceive = 256
	receiveStep  = 1 << 20
)

// receiveWindow is the receive window after so many bytes.
func (p *Pipe) receiveWindow(bytes int) int { return min(p.window, firstReceive*(1+bytes/receiveStep)) }

func (p *Pipe) readLoop() {
	defer p.wg.Done()
	total, window := 0, p.receiveWindow(0)
	r := bufio.NewReaderSize(p.kcp, 16<<10)
	for {
		n, err := binary.ReadUvarint(r)
		if err != nil || n > MaxMessage {
			break
		}
		msg := p.buffer(int(n))
		if _, err := io.ReadFull(r, msg); err != nil {
			break
		}
		if window < p.window {
			total += int(n)
			window = p.receiveWindow(total)
			p.kcp.SetWindowSize(0, window)
		}
		p.onMsg(msg)
	}
	p.session.Close() // broken framing from an authenticated peer, or the session has ended
	p.kcp.Close()     // releases a writer that waits for room
}
