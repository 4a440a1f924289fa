package swarm

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
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
	ledger      *roulette.Ledger
	uplink      *roulette.Uplink
	fetching    map[chunker.ObjectID]*swarm
	serving     map[chunker.ObjectID]*swarm
	links       map[*wire.Session]*link
	pipes       map[*wire.Session]pipe     // of sessions that are open
	early       map[*wire.Session][][]byte // heard before the dial's end was
	bannedKeys  map[transport.PeerID]bool
	bannedAddrs map[netip.AddrPort]bool
	introducers map[transport.PeerID]*wire.Session
}

// Open is the transport.Factory.
func Open(env transport.Env) (transport.Transport, error) {
	opts := DefaultOptions()
	if env.Options != nil {
		if err := env.Options(&opts); err != nil {
			return nil, err
		}
	}
	if err := opts.check(); err != nil {
		return nil, fmt.Errorf("[transport.%s]: %w", Name, err)
	}
	conn := env.Packet
	if conn == nil { // a node that serves nobody still needs a socket to ask from
		var err error
		if conn, err = net.ListenPacket("udp", ":0"); err != nil {
			return nil, fmt.Errorf("opening a UDP socket: %w", err)
		}
	}
	return newNode(opts, env, conn)
}

func newNode(opts Options, env transport.Env, conn net.PacketConn) (*Node, error) {
	n := &Node{opts: opts, params: opts.params(), source: env.Source, log: env.Log, epoch: time.Now(),
		events: make(chan func(), eventQueue), ledger: roulette.NewLedger(),
		fetching: map[chunker.ObjectID]*swarm{}, serving: map[chunker.ObjectID]*swarm{}, links: map[*wire.Session]*link{}, pipes: map[*wire.Session]pipe{}, early: map[*wire.Session][][]byte{},
		bannedKeys: map[transport.PeerID]bool{}, bannedAddrs: map[netip.AddrPort]bool{}, introducers: map[transport.PeerID]*wire.Session{}}
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
	n.wire, err = wire.Listen(wire.Config{Conn: packetOnly{conn}, Key: key, Accept: n.accept, Opened: n.dialled, Allowed: n.public, MaxSessions: opts.MaxSessions, Log: n.log})
	if err != nil {
		return nil, err
	}
	n.loop.Go(n.run)
	return n, nil
}

// packetOnly hides every method but net.PacketConn's, so that nothing behind
// the gate can find the real socket.
type packetOnly struct{ net.PacketConn }

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

// tryPost is post for what may be lost.
func (n *Node) tryPost(f func()) {
	select {
	case n.events <- f:
	default:
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
			n.advance()
		case <-ticker.C:
			n.housekeep()
		}
		n.runLater()
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

func (n *Node) advance() {
	now := n.now()
	n.all(func(s *swarm) {
		if s.wake <= now && (s.fetch == nil || !s.fetch.over) {
			s.core.Advance(now)
			s.act()
		}
	})
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
	for id, s := range n.introducers {
		if s.Err() != nil {
			delete(n.introducers, id)
		}
	}
}

// retire ends a serving swarm.
func (n *Node) retire(id chunker.ObjectID) {
	s := n.serving[id]
	delete(n.serving, id)
	s.leave()
	s.content.close()
}

// Fetch implements transport.Transport.
func (n *Node) Fetch(ctx context.Context, req transport.Request) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	started := make(chan *fetch, 1)
	n.post(func() { started <- n.begin(ctx, req, done) })
	var f *fetch
	select {
	case f = <-started:
	case <-n.ctx.Done():
		return fmt.Errorf("%w: the transport is closed", transport.ErrNoProgress)
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	case <-n.ctx.Done():
		return fmt.Errorf("%w: the transport is closed", transport.ErrNoProgress)
	}
	n.post(func() { f.finish(ctx.Err()) })
	select {
	case err := <-done:
		return err
	case <-n.ctx.Done():
		return ctx.Err()
	}
}

var errTwice = errors.New("the object is being fetched already")

// begin starts a swarm for a fetch.
func (n *Node) begin(ctx context.Context, req transport.Request, done chan error) *fetch {
	f := &fetch{ctx: ctx, req: req, named: map[netip.AddrPort]transport.Peer{}, done: done, moved: n.now()}
	if n.fetching[req.Object] != nil {
		f.over = true
		done <- fmt.Errorf("%w: %w", transport.ErrNoProgress, errTwice)
		return f
	}
	f.swarm = n.newSwarm(req.Object, newFilling(req.Sink), fetching, req.Limit)
	f.swarm.fetch = f
	n.fetching[req.Object] = f.swarm
	if f.swarm.core.Done() {
		f.finish(nil)
		return f
	}
	f.askPeers(n.now())
	return f
}

// accept is the wire's: somebody with a proved address and key opened a session.
func (n *Node) accept(s *wire.Session) bool {
	p, err := n.opened(s)
	if err != nil {
		n.log.Debug("refusing a session", "peer", s.Addr(), "err", err)
		return false
	}
	n.post(func() {
		n.pipes[s] = p
		n.attach(&link{peer: transport.Peer{ID: s.Peer(), Addr: s.Addr(), Transports: []string{Name}}}, s, p)
	})
	return true
}

// dialled is the wire's: a session that we dialled opened.
func (n *Node) dialled(s *wire.Session) {
	p, err := n.opened(s)
	if err != nil {
		n.log.Debug("cannot use a session", "peer", s.Addr(), "err", err)
		return
	}
	n.post(func() { n.pipes[s] = p })
}

// heard takes a message from a link.
func (n *Node) heard(l *link, b []byte) {
	if l.closed {
		return
	}
	m, err := roulette.Parse(b)
	if err != nil {
		n.log.Debug("malformed message", "peer", l.peer.Addr, "err", err)
		n.drop(l)
		return
	}
	if l.swarm == nil && !n.enter(l, m) {
		n.close(l)
		return
	}
	n.deliver(l, m, len(b))
}

// deliver gives the core a message.
func (n *Node) deliver(l *link, m roulette.Message, size int) {
	s := l.swarm
	if l.closed || s.fetch != nil && s.fetch.over {
		return
	}
	if s.fetch != nil {
		s.fetch.heard += int64(payload(m))
		s.observe(transport.EventOverhead, l.peer, size-payload(m), nil)
	}
	s.core.Receive(n.now(), l.id, m)
	s.act()
}

// enter finds the swarm that the first message of an accepted session names.
func (n *Node) enter(l *link, m roulette.Message) bool {
	id, ok := objectOf(m)
	if !ok || n.bannedKeys[l.peer.ID] || n.bannedAddrs[l.peer.Addr] {
		return false
	}
	s := n.swarmFor(id)
	if s == nil {
		l.send(roulette.Append(nil, &roulette.NoFile{Object: id}))
		return false
	}
	nid, ok := s.core.Accept(n.now(), l.peer)
	if !ok {
		return false
	}
	if old := s.links[nid]; old != nil && old != l && old.session == nil {
		old.closed = true // we were dialling each other: this session is there first
	}
	l.swarm, l.id = s, nid
	s.links[nid] = l
	return true
}

// objectOf returns the object that an opening message names.
func objectOf(m roulette.Message) (chunker.ObjectID, bool) {
	switch m := m.(type) {
	case *roulette.Join:
		return m.Object, true
	case *roulette.Hello:
		return m.Object, true
	case *roulette.Rescue:
		return m.Object, true
	case *roulette.FirstHandshake:
		return m.Object, true
	}
	return chunker.ObjectID{}, false
}

// swarmFor returns the swarm of an object, making one if the Source holds it.
func (n *Node) swarmFor(id chunker.ObjectID) *swarm {
	if s := n.fetching[id]; s != nil && !s.fetch.over {
		return s
	}
	if s := n.serving[id]; s != nil {
		return s
	}
	if n.source == nil || len(n.serving) >= maxServing {
		return nil
	}
	obj, err := n.source.Open(id)
	if err != nil {
		return nil
	}
	h, known := obj.Header()
	if !known {
		obj.Close()
		return nil
	}
	as := holder
	if obj.Have().Count() == h.NumChunks() {
		as = seeding
	}
	s := n.newSwarm(id, holding{obj}, as, 0)
	n.serving[id] = s
	return s
}

// drop ends a link that broke the protocol.
func (n *Node) drop(l *link) {
	n.lost(l)
	n.close(l)
}

// lost tells the core that a session ended.
func (n *Node) lost(l *link) {
	if l.closed {
		return
	}
	if s := l.swarm; s != nil && s.links[l.id] == l && (s.fetch == nil || !s.fetch.over) {
		s.core.Lost(n.now(), l.id)
		s.act()
	}
	n.close(l)
}

// ban keeps a peer out of every swarm, by key and by address.
func (n *Node) ban(p transport.Peer) {
	if len(n.bannedKeys) < maxBans {
		n.bannedKeys[p.ID] = true
	}
	if len(n.bannedAddrs) < maxBans {
		n.bannedAddrs[p.Addr] = true
	}
}

// mayMeet reports whether a peer that a locator named can be asked at all.
func (n *Node) mayMeet(p transport.Peer) bool {
	return usable(p) && (len(p.Transports) == 0 || p.Speaks(Name)) && p.ID != n.wire.ID() &&
		!n.bannedKeys[p.ID] && !n.bannedAddrs[p.Addr] && (n.public == nil || n.public(p.Addr.Addr()))
}

// dial opens a link's session; first rides on the handshake.
func (n *Node) dial(l *link, first []byte) {
	if !usable(l.peer) {
		n.later(func() { n.lost(l) })
		return
	}
	by := n.introducersFor(l)
	n.work.Go(func() {
		ctx, cancel := context.WithTimeout(n.ctx, n.opts.DialTimeout)
		defer cancel()
		s, err := n.connect(ctx, l.peer, by, first)
		n.post(func() {
			switch {
			case err != nil:
				n.log.Debug("peer not reached", "peer", l.peer.Addr, "err", err)
				n.lost(l)
			case l.closed || n.pipes[s] == nil:
				s.Close()
				n.lost(l)
			default:
				n.attach(l, s, n.pipes[s])
				l.swarm.core.Opened(n.now(), l.id)
				l.swarm.act()
			}
		})
	})
}

// introducersFor returns sessions with nodes that may know the link's peer: trackers, and
// neighbours of the swarm.
func (n *Node) introducersFor(l *link) []*wire.Session {
	var by []*wire.Session
	for _, s := range n.introducers {
		by = append(by, s)
	}
	for _, other := range l.swarm.links {
		if other.session != nil && !other.closed {
			by = append(by, other.session)
		}
	}
	return by[:min(len(by), maxIntroduce)]
}

// connect reaches a peer directly, else through introducers.
func (n *Node) connect(ctx context.Context, p transport.Peer, by []*wire.Session, first []byte) (*wire.Session, error) {
	if len(first) > wire.MaxFirst || len(by) > 0 {
		s, err := n.wire.Connect(ctx, p, wire.Token{}, by...)
		if err == nil {
			err = s.Send(wire.ChannelDatagram, first)
		}
		return s, err
	}
	return n.wire.Dial(ctx, p.Addr, p.ID, wire.Token{}, wire.ChannelDatagram, first)
}

// AddIntroducer keeps a session with a node that introduces peers, such as a
// tracker's rendezvous, until the context ends. It returns when the session ends.
func (n *Node) AddIntroducer(ctx context.Context, addr netip.AddrPort, id transport.PeerID) error {
	s, err := n.wire.Dial(ctx, addr, id, wire.Token{}, wire.ChannelDatagram, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	s.KeepAlive(15 * time.Second)
	n.post(func() { n.introducers[id] = s })
	select {
	case <-s.Done():
		return s.Err()
	case <-ctx.Done():
		return ctx.Err()
	case <-n.ctx.Done():
		return wire.ErrClosed
	}
}
