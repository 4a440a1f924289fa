package sim

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"time"

	"nt/chunker"
	"nt/chunker/nois"
	"nt/plugins/roulette"
	"nt/transport"
)

// Overhead is what a gated, encrypted datagram adds to a message by default, in
// bytes: 28 for IPv4 and UDP, 44 for the wire's header, token and AEAD tag.
const Overhead = 28 + 44

// Config is one experiment. Zero fields take the value in parentheses.
type Config struct {
	Seed    uint64
	Params  roulette.Params
	Size    int64
	UpKbps  float64       // of every host (800)
	Down    float64       // downlink in kbit/s (UpKbps)
	SeedUp  float64       // the seed's links, in kbit/s (UpKbps)
	Rate    float64       // readers per second
	Readers int           // how many come; 0: as long as the stabilised pool test runs
	Delay   time.Duration // mean one-way (30 ms); a host's part of it is 10 % to 190 %
	Loss    float64
	Queue   int // bytes (65536)
	Over    int // bytes a datagram (Overhead)
	// KnowUplink tells every core its uplink: the oracle to compare estimates with.
	KnowUplink bool
	Silent     float64 // part of the readers that leave without BYE
	FreeRiders float64 // part that serves nobody
	Poisoners  float64 // part that serves wrong bytes
	Stay       bool    // readers stay when done
	Kill       float64 // part killed KillAt after arrival, done or not
	KillAt     time.Duration
	PoolMax    int           // readers at which the test is given up as unstable (4000)
	TimeMax    time.Duration // (120 s)
}

func (c Config) withDefaults() Config {
	def := func(v *float64, d float64) {
		if *v == 0 {
			*v = d
		}
	}
	def(&c.UpKbps, 800)
	def(&c.Down, c.UpKbps)
	def(&c.SeedUp, c.UpKbps)
	if c.Delay == 0 {
		c.Delay = 30 * time.Millisecond
	}
	if c.Queue == 0 {
		c.Queue = 64 << 10
	}
	if c.Over == 0 {
		c.Over = Overhead
	}
	if c.PoolMax == 0 {
		c.PoolMax = 4000
	}
	if c.TimeMax == 0 {
		c.TimeMax = 120 * time.Second
	}
	return c
}

// host is one node.
type host struct {
	core     *roulette.Core
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
	killed   bool // is or will be
	late     bool // came after the test had ended: it only keeps the pool alive
	doneAt   time.Duration
	received int64
	sent     int64
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
	usage  usage
	stats  roulette.Stats
	done   []*host
	watch  watch
}

// New prepares an experiment; host 0 is the seed.
func New(cfg Config) *World {
	cfg = cfg.withDefaults()
	w := &World{cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, 1)), trace: 14695981039346656037}
	w.object = make([]byte, cfg.Size)
	for i := 0; i+8 <= len(w.object); i += 8 {
		binary.LittleEndian.PutUint64(w.object[i:], w.rng.Uint64())
	}
	tree, err := chunker.Build(bytes.NewReader(w.object), cfg.Size)
	if err != nil {
		panic(err) // a reader of the right length
	}
	w.tree, w.id = tree, tree.Header().ID()
	seed := w.addHost(true)
	seed.up.rate, seed.down.rate = cfg.SeedUp*125, cfg.SeedUp*125
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

func (w *World) addHost(seed bool) *host {
	i := int32(len(w.hosts))
	h := &host{
		content: &content{id: w.id},
		up:      line{rate: w.cfg.UpKbps * 125}, down: line{rate: w.cfg.Down * 125},
		delay: time.Duration((0.1 + 1.8*w.rng.Float64()) * float64(w.cfg.Delay) / 2),
		peers: make(map[roulette.NeighbourID]int32), ids: make(map[int32]roulette.NeighbourID),
		born: w.now,
	}
	p := w.cfg.Params
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
	h.core = roulette.New(roulette.Config{Params: p, Rand: rand.New(rand.NewPCG(w.cfg.Seed, uint64(i)+100)),
		Object: w.id, Content: h.content, Seed: seed, Ledger: roulette.NewLedger(), Uplink: roulette.NewUplink(&p, w.cfg.Over)})
	w.hosts = append(w.hosts, h)
	return h
}

// birth brings a reader.
func (w *World) birth() {
	h := w.addHost(false)
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
	h.core.Join(w.now, []roulette.Introduction{{Peer: peerOf(0)}})
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
	if alone { // a locator would name the seed again
		h.core.Join(w.now, []roulette.Introduction{{Peer: peerOf(0)}})
		w.after(i)
		return
	}
	if t, ok := h.core.NextDeadline(); ok && (h.timer <= w.now || t < h.timer) {
		h.timer = t
		w.events.push(event{at: t, kind: evTimer, to: i})
	}
}

func (w *World) complete(i int32) {
	h := w.hosts[i]
	h.doneAt = w.now
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
	w.alive--
	if !h.silent {
		h.core.Leave(w.now)
		for _, a := range h.core.Actions() {
			if s, ok := a.(roulette.Send); ok {
				w.transmit(i, s)
			}
		}
	}
	if h.doneAt > 0 && !h.late {
		w.stats.Add(h.core.Stats())
		w.usage.life(h.doneAt - h.born)
	}
	// Its memory is not needed any more.
	h.core, h.content, h.ids, h.peers = nil, nil, nil, nil
}

func (w *World) transmit(i int32, s roulette.Send) {
	h := w.hosts[i]
	to, ok := h.peers[s.To]
	if !ok {
		return
	}
	if d, isData := s.Msg.(*roulette.Data); isData {
		off := int(d.Chunk)*w.tree.Header().ChunkSize() + int(d.Block)*roulette.BlockSize
		d.Payload = w.object[off : off+d.Len]
	}
	for _, in := range introductions(s.Msg) {
		in.Token = make([]byte, roulette.MaxToken)
	}
	switch m := s.Msg.(type) {
	case *roulette.Join:
		m.Grant = make([]byte, roulette.GrantSize)
	case *roulette.Hello:
		m.Grant = make([]byte, roulette.GrantSize)
	}
	buf := roulette.Append(w.buffer(), s.Msg)
	if h.poison && s.Msg.Kind() == roulette.KindData {
		buf[len(buf)-1] ^= 1
	}
	n := len(buf) + w.cfg.Over
	at, ok := h.up.pass(w.now, n, w.cfg.Queue)
	if !ok {
		w.drops++
		w.free = append(w.free, buf)
		return
	}
	h.sent += int64(n)
	w.usage.add(w.now-h.born, n, 0)
	if w.cfg.Loss > 0 && w.rng.Float64() < w.cfg.Loss {
		w.free = append(w.free, buf)
		return
	}
	w.events.push(event{at: at + h.delay + w.hosts[to].delay, kind: evArrive, to: to, from: i, buf: buf})
}

func introductions(m roulette.Message) (out []*roulette.Introduction) {
	var list []roulette.Introduction
	switch m := m.(type) {
	case *roulette.Welcome:
		list = m.Peers
	case *roulette.Data:
		list = m.Peers
	case *roulette.Recommend:
		list = m.Peers
	}
	for i := range list {
		out = append(out, &list[i])
	}
	return out
}

func (w *World) buffer() []byte {
	if n := len(w.free); n > 0 {
		b := w.free[n-1]
		w.free = w.free[:n-1]
		return b[:0]
	}
	return make([]byte, 0, roulette.MaxMessage)
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
	}
	return true
}

func (w *World) arrive(e event) {
	h := w.hosts[e.to]
	if h.gone {
		w.free = append(w.free, e.buf)
		return
	}
	at, ok := h.down.pass(w.now, len(e.buf)+w.cfg.Over, w.cfg.Queue)
	if !ok {
		w.drops++
		w.free = append(w.free, e.buf)
		return
	}
	e.at, e.kind = at, evDeliver
	w.events.push(e)
}

func (w *World) deliver(e event) {
	h := w.hosts[e.to]
	defer func() { w.free = append(w.free, e.buf) }()
	if h.gone {
		return
	}
	h.received += int64(len(e.buf) + w.cfg.Over)
	w.usage.add(w.now-h.born, 0, len(e.buf)+w.cfg.Over)
	w.hash(e)
	m, err := roulette.Parse(e.buf)
	if err != nil {
		panic(err) // what a core wrote, a core must read
	}
	w.kinds[m.Kind()] += int64(len(e.buf) + w.cfg.Over)
	w.counts[m.Kind()]++
	id, ok := h.ids[e.from]
	if !ok {
		if !opens(m) {
			return
		}
		if id, ok = h.core.Accept(w.now, peerOf(e.from)); !ok {
			return
		}
		h.ids[e.from], h.peers[id] = id, e.from
	}
	if d, isData := m.(*roulette.Data); isData && e.to != 0 {
		w.data += int64(d.Len)
		if e.from == 0 {
			w.bySeed += int64(d.Len)
		}
	}
	if h.free {
		if m = withoutWork(m); m == nil {
			return
		}
	}
	h.core.Receive(w.now, id, m)
	w.after(e.to)
}

// opens reports whether a message may open a session.
func opens(m roulette.Message) bool {
	switch m.(type) {
	case *roulette.Join, *roulette.Hello, *roulette.FirstHandshake, *roulette.Rescue:
		return true
	}
	return false
}

// withoutWork strips what would make a free rider serve.
func withoutWork(m roulette.Message) roulette.Message {
	switch m := m.(type) {
	case *roulette.Hello:
		m.Class, m.Classes = 0, 0
	case *roulette.Request:
		m.Asks = nil
	case *roulette.Data:
		m.Asks = nil
	case *roulette.SecondHandshake:
		return nil
	}
	return m
}

func (w *World) hash(e event) {
	f := fnv.New64a()
	var b [28]byte
	binary.LittleEndian.PutUint64(b[:], w.trace)
	binary.LittleEndian.PutUint64(b[8:], uint64(w.now))
	binary.LittleEndian.PutUint32(b[16:], uint32(e.from))
	binary.LittleEndian.PutUint32(b[20:], uint32(e.to))
	binary.LittleEndian.PutUint32(b[24:], uint32(len(e.buf)))
	f.Write(b[:])
	w.trace = f.Sum64()
}

// usage adds up what readers sent and received by age, in tenths of a second.
type usage struct {
	up, down, alive [40]float64
}

func (u *usage) add(age time.Duration, up, down int) {
	if k := int(age / (100 * time.Millisecond)); k < len(u.up) {
		u.up[k] += float64(up)
		u.down[k] += float64(down)
	}
}

func (u *usage) life(age time.Duration) {
	for k := range u.alive {
		t := age - time.Duration(k)*100*time.Millisecond
		u.alive[k] += max(0, min(1, t.Seconds()*10))
	}
}
