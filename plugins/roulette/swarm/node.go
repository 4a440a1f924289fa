package swarm

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"sync"
	"time"

	"nt/chunker"
	"nt/plugins/roulette"
	"nt/transport"
	"nt/transport/wire"
)

// Limits of the node, besides those of cores and wire.
const (
	eventQueue   = 4096
	maxBans      = 4096
	maxServing   = 64               // objects served at a time without being fetched
	serveIdle    = 30 * time.Second // a serving core without neighbours
	udpHeader    = 28               // bytes of IPv4 and UDP in front of every datagram
	housekeeping = 250 * time.Millisecond
	maxIntroduce = 4 // introducers asked for one peer
)

// Node is Roulette as a transport.Transport.
type Node struct {
	opts   Options
	params roulette.Params
	source transport.Source // may be nil
	log    *slog.Logger
	wire   *wire.Node
	epoch  time.Time
	public func(netip.Addr) bool // may a peer have this address; nil: any

	events chan func()
	ctx    context.Context
	stop   context.CancelFunc
	work   sync.WaitGroup // dials, session watchers, Peers calls, closing pipes
	loop   sync.WaitGroup

	// The loop's own.
	after       []func() // to be done when the present event is
	msg         []byte   // scratch: a message to be sent
	ledger      *roulette.Ledger
	uplink      *roulette.Uplink
	fetching    map[chunker.ObjectID]*swarm
	serving     map[chunker.ObjectID]*swarm
	links       map[*wire.Session]*link
	pipes       map[*wire.Session]pipe     // of sessions that are open
	early       map[*wire.Session][][]byte // heard before the dial's end was
	strange     map[*wire.Session]bool     // the same, of peers that speak another wire
	bannedKeys  map[transport.PeerID]bool
	bannedAddrs map[netip.AddrPort]bool
	introducers map[transport.PeerID]introducer
	toldAfterAt time.Duration // when introducers were told last of all that is being fetched

	toldSymmetric, toldForeign bool
}

// Open is the transport.Factory.
func Open(env transport.Env) (transport.Transport, error) {
	opts, err := load(env.Options)
	if err != nil {
		return nil, fmt.Errorf("[transport.%s]: %w", Name, err)
	}
	if env.Uplink > 0 {
		opts.Uplink = int(min(env.Uplink, math.MaxInt32))
		opts.Params.KnownRate = opts.Uplink
	}
	conn := env.Packet
	if conn == nil { // a node that serves nobody still needs a socket to ask from
		if conn, err = net.ListenPacket("udp", ":0"); err != nil {
			return nil, fmt.Errorf("opening a UDP socket: %w", err)
		}
	}
	return newNode(opts, env, conn)
}

func newNode(opts Options, env transport.Env, conn net.PacketConn) (*Node, error) {
	n := &Node{opts: opts, params: opts.Params, source: env.Source, log: env.Log, epoch: time.Now(),
		events: make(chan func(), eventQueue), ledger: roulette.NewLedger(),
		fetching: map[chunker.ObjectID]*swarm{}, serving: map[chunker.ObjectID]*swarm{}, links: map[*wire.Session]*link{}, pipes: map[*wire.Session]pipe{}, early: map[*wire.Session][][]byte{}, strange: map[*wire.Session]bool{},
		bannedKeys: map[transport.PeerID]bool{}, bannedAddrs: map[netip.AddrPort]bool{}, introducers: map[transport.PeerID]introducer{}}
	n.uplink = roulette.NewUplink(&n.params, opts.wireOverhead())
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	if !env.AllowPrivate {
		n.public = env.Public
	}
	key := env.Key
	if key == nil {
		_, fresh, err := ed25519.GenerateKey(nil)
		if err != nil {
			return nil, err
		}
		key = fresh
	}
	n.ctx, n.stop = context.WithCancel(context.Background())
	var err error
	n.wire, err = wire.Listen(wire.Config{Conn: conn, Key: key, Accept: n.accept, Opened: n.dialled, Allowed: n.public, MaxSessions: opts.MaxSessions, Log: n.log})
	if err != nil {
		return nil, err
	}
	n.loop.Go(n.run)
	return n, nil
}

// Name implements transport.Transport.
func (n *Node) Name() string { return Name }

// Addr returns the address of the node's socket.
func (n *Node) Addr() net.Addr { return n.wire.LocalAddr() }

// Close implements transport.Transport.
func (n *Node) Close() error {
	gone := make(chan struct{})
	n.post(func() {
		for _, s := range n.fetching {
			s.fetch.finish(transport.ErrNoProgress)
		}
		for id := range n.serving {
			n.retire(id)
		}
		n.later(func() { close(gone) }) // behind the finishing
	})
	select {
	case <-gone:
	case <-n.ctx.Done():
		return nil
	}
	n.stop()
	n.loop.Wait()
	err := n.wire.Close()
	n.work.Wait()
	return err
}

func (n *Node) now() time.Duration { return time.Since(n.epoch) }

// post gives the loop something to do and waits for room; the loop itself uses later.
func (n *Node) post(f func()) {
	select {
	case n.events <- f:
	case <-n.ctx.Done():
	}
}

// tryPost is post for what may be lost, and reports whether it is not.
func (n *Node) tryPost(f func()) bool {
	select {
	case n.events <- f:
		return true
	default:
		return false
	}
}

// later is post for the loop itself: f runs when the present event is dealt with.
func (n *Node) later(f func()) { n.after = append(n.after, f) }

func (n *Node) runLater() {
	for len(n.after) > 0 {
		f := n.after[0]
		n.after = n.after[1:]
		f()
	}
}

// run is the loop: the only goroutine that touches cores.
func (n *Node) run() {
	ticker := time.NewTicker(housekeeping)
	defer ticker.Stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return
		case f := <-n.events:
			f()
		case <-timer.C:
			n.advanceAll()
		case <-ticker.C:
			n.housekeep()
		}
		n.runLater()
		left := n.wire.Stats()
		n.uplink.Left(n.now(), float64(left.BytesOut+udpHeader*left.Out))
		timer.Reset(n.nextWake())
	}
}

// all calls f with every swarm.
func (n *Node) all(f func(*swarm)) {
	for _, s := range n.fetching {
		f(s)
	}
	for _, s := range n.serving {
		f(s)
	}
}

func (n *Node) advanceAll() {
	now := n.now()
	n.all(func(s *swarm) {
		if s.wake <= now {
			n.advance(s)
		}
	})
}

func (n *Node) advance(s *swarm) {
	if s.fetch == nil || !s.fetch.over {
		s.core.Advance(n.now())
		s.act()
	}
}

func (n *Node) nextWake() time.Duration {
	wake := noWake
	n.all(func(s *swarm) { wake = min(wake, s.wake) })
	if wake == noWake {
		return time.Hour
	}
	return max(0, wake-n.now())
}

// housekeep ends what does not move and what nobody wants any more.
func (n *Node) housekeep() {
	now := n.now()
	for _, s := range n.fetching {
		s.fetch.check(now)
	}
	for id, s := range n.serving {
		if len(s.links) == 0 && now-s.idle > serveIdle {
			n.retire(id)
		}
	}
	for id, i := range n.introducers {
		if i.session.Err() != nil {
			delete(n.introducers, id)
		}
	}
	n.tellAgain(now)
}

// retire ends a serving swarm.
func (n *Node) retire(id chunker.ObjectID) {
	s := n.serving[id]
	delete(n.serving, id)
	s.leave()
	s.content.close()
}
