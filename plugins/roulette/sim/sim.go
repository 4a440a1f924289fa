package sim

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/netip"
	"time"

	"nt/chunker"
	"nt/chunker/nois"
	"nt/internal/crowd"
	"nt/plugins/roulette"
	"nt/transport"
)

// host is one node.
type host struct {
	core     *roulette.Core
	uplink   *roulette.Uplink
	content  *content
	up, down line
	delay    time.Duration // its part of the one-way delay
	peers    map[roulette.NeighbourID]int32
	ids      map[int32]roulette.NeighbourID
	timer    time.Duration
	born     time.Duration
	gone     bool
	silent   bool
	free     bool
	poison   bool
	tyrant   bool
	killed   bool          // is or will be
	late     bool          // came after the test had ended: it only keeps the pool alive
	firstAt  time.Duration // when it had the object's first chunk
	doneAt   time.Duration
	received int64
	sent     int64
	aged     Aged
}

// counts reports whether the host is one of those the experiment is about.
func (h *host) counts() bool { return !h.late && !h.poison && !h.killed }

// line is one direction of a link.
type line struct {
	rate float64 // bytes/s
	busy time.Duration
}

// pass queues n bytes and returns when the last has left; false if the queue is full.
func (l *line) pass(now time.Duration, n, queue int) (time.Duration, bool) {
	if wait := (l.busy - now).Seconds() * l.rate; wait+float64(n) > float64(queue) {
		return 0, false
	}
	l.busy = max(l.busy, now) + time.Duration(float64(n)/l.rate*1e9)
	return l.busy, true
}

// World is a running experiment.
type World struct {
	cfg    Config
	rng    *rand.Rand
	now    time.Duration
	events eventHeap
	hosts  []*host
	object []byte
	tree   *chunker.Tree
	id     chunker.ObjectID
	free   [][]byte
	trace  uint64
	pool   int // readers that are not complete
	alive  int
	births int
	drops  int
	data   int64 // bytes of content received by readers
	bySeed int64
	kinds  [32]int64 // bytes received per kind
	counts [32]int64
	stop   bool
	stats  roulette.Stats
	done   []*host
	watch  watch
	crowd  *crowd.Table[int32]
}

// New prepares an experiment; host 0 is the seed.
func New(cfg Config) *World {
	cfg = cfg.withDefaults()
	w := &World{crowd: crowd.New[int32](1 << 14), cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, 1)), trace: 14695981039346656037}
	w.object = make([]byte, cfg.Size)
	for i := 0; i+8 <= len(w.object); i += 8 {
		binary.LittleEndian.PutUint64(w.object[i:], w.rng.Uint64())
	}
	tree, err := chunker.Build(bytes.NewReader(w.object), cfg.Size)
	if err != nil {
		panic(err) // a reader of the right length
	}
	w.tree, w.id = tree, tree.Header().ID()
	seed := w.addHost(true, false)
	seed.up.rate, seed.down.rate = cfg.SeedUp*125, cfg.SeedUp*125
	if cfg.Ages != nil {
		cfg.Ages.Up, cfg.Ages.Down = cfg.UpKbps*125, cfg.Down*125
	}
	return w
}

func addrOf(i int32) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(1 + i>>16), byte(i >> 8), byte(i), 1}), 7000)
}

func indexOf(a netip.AddrPort) int32 {
	b := a.Addr().As4()
	return int32(b[0]-1)<<16 | int32(b[1])<<8 | int32(b[2])
}

func peerOf(i int32) (p transport.Peer) {
	p.Addr = addrOf(i)
	binary.BigEndian.PutUint32(p.ID[:], uint32(i)+1)
	return p
}

func (w *World) addHost(seed, tyrant bool) *host {
	i := int32(len(w.hosts))
	h := &host{
		content: &content{id: w.id},
		up:      line{rate: w.cfg.UpKbps * 125}, down: line{rate: w.cfg.Down * 125},
		delay: time.Duration((0.1 + 1.8*w.rng.Float64()) * float64(w.cfg.Delay) / 2),
		peers: make(map[roulette.NeighbourID]int32), ids: make(map[int32]roulette.NeighbourID),
		born: w.now, aged: Aged{Born: w.now}, tyrant: tyrant,
	}
	p := w.cfg.Params
	if tyrant {
		p = Tyrant()
	}
	if w.namesReaders() { // the locator's answer has the header
		h.content.tree = chunker.NewTree(w.tree.Header())
	}
	if seed {
		h.content.tree = w.tree
		h.content.have.AddRange(nois.Interval{Start: 0, End: uint32(w.tree.Header().NumChunks())})
		p.KnownRate = int(w.cfg.SeedUp * 125) // `nt seed --uplink`
	} else if w.cfg.KnowUplink {
		p.KnownRate = int(w.cfg.UpKbps * 125)
	}
	if p.Profile == roulette.ProfileClassic && !seed {
		p.KnownRate = 1 << 30 // never paced
	}
	h.uplink = roulette.NewUplink(&p, w.cfg.Over)
	h.core = roulette.New(roulette.Config{Params: p, Rand: rand.New(rand.NewPCG(w.cfg.Seed, uint64(i)+100)),
		Object: w.id, Content: h.content, Seed: seed, Ledger: roulette.NewLedger(), Uplink: h.uplink, Without: w.cfg.Without})
	w.hosts = append(w.hosts, h)
	return h
}

// birth brings a reader.
func (w *World) birth() {
	h := w.addHost(false, w.cfg.Tyrants > 0 && w.rng.Float64() < w.cfg.Tyrants)
	i := int32(len(w.hosts) - 1)
	w.births++
	h.late = w.stop
	h.silent = w.rng.Float64() < w.cfg.Silent
	switch x := w.rng.Float64(); {
	case x < w.cfg.FreeRiders:
		h.free = true
	case x < w.cfg.FreeRiders+w.cfg.Poisoners:
		h.poison = true
	}
	if w.rng.Float64() < w.cfg.Kill {
		h.killed, h.silent = true, true
		w.events.push(event{at: w.now + w.cfg.KillAt, kind: evKill, to: i})
	}
	if h.counts() {
		w.pool++
	}
	w.alive++
	if h.core.Done() { // an empty object: its header is all of it
		w.complete(i)
		return
	}
	w.ask(i)
	w.sayLater(i)
	w.after(i)
}

// after does what the core of host i wants done and sets its timer.
func (w *World) after(i int32) {
	h := w.hosts[i]
	alone := false
	for _, a := range h.core.Actions() {
		switch a := a.(type) {
		case roulette.Connect:
			to := indexOf(a.Intro.Peer.Addr)
			h.peers[a.To], h.ids[to] = to, a.To
		case roulette.Send:
			w.transmit(i, a)
		case roulette.Drop:
			if to, ok := h.peers[a.To]; ok {
				delete(h.peers, a.To)
				delete(h.ids, to)
				if !errors.Is(a.Why, roulette.ErrBye) && !errors.Is(a.Why, roulette.ErrUseless) && !errors.Is(a.Why, roulette.ErrNoRoom) { // else a BYE was said
					w.carry(i, to, w.buffer())
					h.uplink.Left(w.now, float64(h.sent))
				}
			}
		case roulette.WantPeers:
			_, has := h.ids[0]
			alone = alone || !has
		case roulette.Complete:
			w.complete(i)
		}
	}
	if h.gone {
		return
	}
	w.noteFirst(h)
	if w.traced(h) {
		w.cfg.Ages.State(&h.aged, w.now, h.core.Glance())
	}
	if alone { // a locator is asked again
		w.ask(i)
		w.after(i)
		return
	}
	if t, ok := h.core.NextDeadline(); ok && (h.timer <= w.now || t < h.timer) {
		h.timer = t
		w.events.push(event{at: t, kind: evTimer, to: i})
	}
}

// noteFirst notes when whoever reads the object while it comes begins to see it.
func (w *World) noteFirst(h *host) {
	if h.firstAt == 0 && h.content.have.Contains(0) {
		h.firstAt = w.now
	}
}

func (w *World) complete(i int32) {
	h := w.hosts[i]
	w.noteFirst(h)
	if w.traced(h) {
		w.cfg.Ages.State(&h.aged, w.now, h.core.Glance())
	}
	h.doneAt = w.now
	w.unsay(i)
	if h.counts() {
		w.pool--
		w.done = append(w.done, h)
	}
	if !w.cfg.Stay {
		w.leave(i)
	}
}

// leave takes a host away; a silent one says nothing.
func (w *World) leave(i int32) {
	h := w.hosts[i]
	if h.gone {
		return
	}
	h.gone = true
	w.unsay(i)
	w.alive--
	if !h.silent {
		h.core.Leave(w.now)
		for _, a := range h.core.Actions() {
			if s, ok := a.(roulette.Send); ok {
				w.transmit(i, s)
			}
		}
	}
	if h.doneAt > 0 && h.counts() { // what poisoners fetch of each other is no reader's waste
		w.stats.Add(h.core.Stats())
	}
	// Its memory is not needed any more.
	h.core, h.content, h.ids, h.peers = nil, nil, nil, nil
}

// Step handles the next event and reports whether there was one.
func (w *World) Step() bool {
	if len(w.events.list) == 0 {
		return false
	}
	e := w.events.pop()
	w.now = e.at
	switch e.kind {
	case evArrive:
		w.arrive(e)
		return true
	case evDeliver:
		w.deliver(e)
	case evTimer:
		if h := w.hosts[e.to]; !h.gone && h.timer == e.at {
			h.timer = 0
			h.core.Advance(w.now)
			w.after(e.to)
		}
	case evBirth:
		w.birth()
		w.scheduleBirth()
	case evSample:
		w.sample()
	case evKill:
		w.leave(e.to)
	case evSay:
		w.say(e.to)
	}
	return true
}
