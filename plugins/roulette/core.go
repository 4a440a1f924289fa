package roulette

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"time"

	"nt/chunker"
	"nt/chunker/nois"
	"nt/transport"
)

// Content is the object as the store holds it: the one verified door
// (transport.Sink) and what a proof for others needs. The core calls it
// synchronously and keeps nothing of what it passes.
type Content interface {
	Header() (chunker.Header, bool)
	Begin(chunker.Header) error
	Have() *nois.Set
	HasProof(meta int) bool
	AddProof(meta int, p chunker.MetaProof) error
	MetaProof(meta int) (chunker.MetaProof, error)
	Put(i int, data []byte) error
}

// Config is what a Core is made of.
type Config struct {
	Params Params
	Rand   *rand.Rand // the only source of chance
	Object chunker.ObjectID
	// Content may hold all of the object, a part, or not even its header.
	Content Content
	// Seed says that this node answers JOIN, stays, and is exempt from tit-for-tat on
	// the sending side (F19).
	Seed bool
	// Give says that this node serves the part it holds and wants nothing, not even from
	// who has more.
	Give   bool
	Ledger *Ledger // shared by the node's swarms
	Uplink *Uplink // shared by the node's swarms
	Limit  int     // bytes/s that may be asked for; 0 is unlimited
	// MaxRun is how many blocks one DATA may carry: more than one only on a wire that
	// takes messages of MaxData. 0 means one.
	MaxRun int
	// Room tells how many bytes a neighbour's session should still be given: beyond it
	// requests wait, until Advance is called when there is more. nil means any number.
	Room func(NeighbourID) int
	// Without switches ideas off; for the lab.
	Without Without
	// Dials says that the driver reports with Opened or Lost how each Connect
	// ended; a neighbour's silence counts only from then on. Without it a
	// neighbour counts as connected at once.
	Dials bool
}

// Core is one node's part in one swarm. Every method takes the time as a
// duration since an epoch of the caller's choice; it must never go back. Core
// is not safe for concurrent use: one goroutine drives it.
type Core struct {
	p   Params
	cfg Config
	rng *rand.Rand
	now time.Duration
	out []Action

	// The object.
	header    chunker.Header
	known     bool // header
	n         int  // chunks
	blocks    int  // of a whole chunk
	have      *nois.Set
	bits      bitset
	whole     int           // words of bits that are full, from the first on; see wholeWords
	free      bitset        // missing and not asked for
	avail     []uint16      // neighbours that hold each chunk
	withheld  []uint16      // at a seed: those of them that are doubted
	coming    []uint16      // at a seed: neighbours that each chunk is on its way to, as they say
	atGivers  []uint16      // neighbours that hold each chunk and gave us something
	thankedAt time.Duration // the last message of nothing but thanks
	thankWait time.Duration // until the next one may leave
	reserved  []uint8       // neighbours each missing chunk is asked of
	lent      []uint8       // swaps each MetaChunk is kept for
	missing   int
	unserved  int // at a seed: chunks that nobody was given yet
	turn      int // at a seed: the turn that is served, in blocks
	done      bool
	failed    bool
	partials  map[int]*partial
	held      []heldBlock // blocks that wait for a header or a proof
	proofAsk  map[int]time.Duration
	taken     []uint32 // chunks in the order in which they came; see telling
	digest    *digest  // for DATA's have summaries, of inDigest chunks
	inDigest  int

	// Neighbours, in order of arrival.
	neighbours []*neighbour
	byID       map[NeighbourID]*neighbour
	byAddr     map[netip.AddrPort]*neighbour
	byTag      map[KeyTag]*neighbour // at a seed
	lastID     NeighbourID
	cache      rouletteCache
	banned     map[netip.AddrPort]bool
	bannedKeys map[transport.PeerID]bool
	resting    map[netip.AddrPort]rest

	limit      allowance
	lat        transport.Latency // over all neighbours
	down       rateMeter
	train      train
	peak       peak
	yield      yield
	progress   time.Duration // last new chunk, or last rescue
	tookAt     time.Duration // last new chunk
	rescues    int           // in a row, without progress
	soughtAt   time.Duration // when peers were last asked for
	fruitless  int           // answers in a row that named nobody new
	seekAt     time.Duration // classic: when they are next
	statusAt   time.Duration
	contentAt  time.Duration // last DATA sent
	departures departures
	members    members
	givers     int           // neighbours that gave us something
	letGoAt    time.Duration // when a seed may drop the next one that is silent
	greetings  greetings
	given      []uint32 // seed: how often each chunk was sent
	demand     []uint32 // seed: requests that wait for each chunk
	stats      Stats
	size       []byte // scratch
	left       bool
}

// New returns a core that holds what cfg.Content holds.
func New(cfg Config) *Core {
	c := &Core{
		p: cfg.Params, cfg: cfg, rng: cfg.Rand, limit: allowance{rate: cfg.Limit}, thankWait: thankEvery,
		byID:       make(map[NeighbourID]*neighbour),
		byAddr:     make(map[netip.AddrPort]*neighbour),
		byTag:      make(map[KeyTag]*neighbour),
		banned:     make(map[netip.AddrPort]bool),
		bannedKeys: make(map[transport.PeerID]bool),
		resting:    make(map[netip.AddrPort]rest),
		partials:   make(map[int]*partial),
		proofAsk:   make(map[int]time.Duration),
	}
	if h, ok := cfg.Content.Header(); ok {
		c.learnHeader(h)
	}
	return c
}

// learnHeader makes room for the object once its size is known.
func (c *Core) learnHeader(h chunker.Header) {
	c.header, c.known = h, true
	c.n = h.NumChunks()
	c.blocks = h.ChunkSize() / BlockSize
	c.bits, c.free = newBitset(c.n), newBitset(c.n)
	c.avail, c.atGivers, c.reserved = make([]uint16, c.n), make([]uint16, c.n), make([]uint8, c.n)
	c.lent = make([]uint8, h.NumMetaChunks())
	c.have = c.cfg.Content.Have()
	for i := range c.n {
		if c.have.Contains(uint32(i)) {
			c.bits.add(i)
		} else {
			c.free.add(i)
			c.missing++
		}
	}
	if c.cfg.Seed {
		c.given, c.demand = make([]uint32, c.n), make([]uint32, c.n)
		c.withheld, c.coming = make([]uint16, c.n), make([]uint16, c.n)
		c.unserved = c.n
	}
	for _, v := range c.neighbours {
		c.makeRoomIn(v)
		c.learnHave(v, v.told)
		v.told = nil
	}
	c.done = c.missing == 0 || c.cfg.Give
	c.fitChunks()
}

// fitChunks makes what is given in advance at least a chunk: a tab that no chunk fits into would lock everybody out.
func (c *Core) fitChunks() {
	if c.p.Profile == ProfileClassic {
		c.p.Tab = max(c.p.Tab, c.header.ChunkSize())
		return
	}
	c.p.Tab += c.header.ChunkSize() - BlockSize
	if c.p.NewBlocks > 0 {
		c.p.NewBlocks = max(c.p.NewBlocks, c.blocks)
	}
}

// Actions returns what is to be done since the last call, in order.
func (c *Core) Actions() []Action {
	out := c.out
	c.out = nil
	for _, v := range c.neighbours {
		v.emitted = 0
	}
	return out
}

// Done reports whether every chunk is there.
func (c *Core) Done() bool { return c.done }

// Have returns how many chunks are there and how many the object has.
func (c *Core) Have() (have, of int) { return c.n - c.missing, c.n }

// Degree returns the number of neighbours.
func (c *Core) Degree() int { return len(c.neighbours) }

// lonely is with how many neighbours a reader goes back at once to a seed that let it go.
const lonely = 4

// Join makes the peers, which a locator named, seeds and asks them for WELCOME. One that fell silent does not rest any more for who knows
// few others: a reader asks a locator when nothing moves, and the seed may be the only one that has what it lacks. Who knows more leaves
// it to those in a crowd (docs/adr/0031). The readers are named beside them, and greeted at once (docs/adr/0038).
func (c *Core) Join(now time.Duration, seeds, readers []Introduction) {
	c.now = now
	c.progress = now
	if c.known && c.n <= fleetingChunks && len(seeds) > 0 {
		readers = nil // gone before they could be asked
	}
	readers = readers[:min(len(readers), max(0, c.p.MinDegree-len(c.neighbours)))] // who asks because nothing moves may know enough others
	fresh := c.meetAll(nil, readers)
	for _, s := range seeds {
		if c.resting[s.Peer.Addr].why == ErrSilent && len(c.neighbours) <= lonely {
			delete(c.resting, s.Peer.Addr)
		}
		if v := c.meet(s, nil); v != nil {
			v.seed = true
			c.join(v)
		}
	}
	c.greetAll(fresh)
	c.step()
}

// AddPeers offers peers that a locator named.
func (c *Core) AddPeers(now time.Duration, peers []Introduction) {
	c.now = now
	c.introduced(nil, peers)
	c.step()
}

// Accept names a peer that opened a session to us. It returns the neighbour, which may be
// one we connected to ourselves, or false if there is no room or it is banned.
func (c *Core) Accept(now time.Duration, peer transport.Peer) (NeighbourID, bool) {
	c.now = now
	if v := c.byAddr[peer.Addr]; v != nil {
		return v.id, true
	}
	v := c.add(peer, true)
	if v == nil {
		return 0, false
	}
	return v.id, true
}

// Opened says that the session of a Connect is open, and that what was sent to
// the neighbour left at the moment sent: with the handshake, a round trip ago.
func (c *Core) Opened(now, sent time.Duration, who NeighbourID) {
	c.now = now
	v := c.byID[who]
	if v == nil || !v.dialling {
		return
	}
	v.dialling = false
	v.since = now
	switch {
	case v.deadline == 0:
	case v.seed && c.p.Profile == ProfileTuned: // JOIN is there, with the handshake; WELCOME comes when it is our turn
		v.deadline = now + c.backOff(2)
	default:
		v.deadline = now + c.slowly(c.p.HelloRetry)
	}
	for i := range v.asked {
		v.asked[i].at = sent
	}
	c.single(v)
	c.step()
}

// Receive takes a message. Its slices are not kept.
func (c *Core) Receive(now time.Duration, from NeighbourID, m Message) {
	c.now = now
	v := c.byID[from]
	if v == nil || c.left {
		return
	}
	if v.dialling {
		v.dialling = false
		if c.single(v); c.byID[v.id] == nil {
			c.step()
			return
		}
	}
	c.hear(v, m)
	if c.p.Profile == ProfileClassic {
		c.receiveClassic(v, m)
	} else {
		c.receiveTuned(v, m)
	}
	c.step()
}

// hear is what every message tells whatever it says.
func (c *Core) hear(v *neighbour, m Message) {
	t := m.Clock()
	if v.heard == 0 {
		c.stats.Met++
	}
	c.departures.heard(v)
	v.heard = c.now
	v.tries = 0
	v.link.receive(c.now, t)
	if t.echoes() {
		c.cfg.Uplink.echoed(&v.link, t.Echo, t.Lag)
	}
}

// Lost says that the session to a neighbour broke.
func (c *Core) Lost(now time.Duration, who NeighbourID) {
	c.now = now
	if v := c.byID[who]; v != nil {
		c.drop(v, ErrSilent)
	}
	c.step()
}

// Advance lets time pass; call it when NextDeadline is reached.
func (c *Core) Advance(now time.Duration) {
	c.now = now
	c.step()
}

// Leave says BYE to everybody. Nothing happens after it.
func (c *Core) Leave(now time.Duration) {
	c.now = now
	for _, v := range c.neighbours {
		c.send(v, &Bye{})
		c.emit(Drop{v.id, v.peer, ErrLeaving})
	}
	c.left = true
}

// step does what the present state calls for.
func (c *Core) step() {
	if c.left || c.failed {
		return
	}
	if c.p.Profile == ProfileClassic {
		c.stepClassic()
	} else {
		c.stepTuned()
	}
}

// fail stops the core for a fault of the Content.
func (c *Core) fail(err error) {
	c.failed = true
	c.emit(Fail{err})
}

// isFault tells the neighbour's fault from the store's.
func isFault(err error) bool {
	return errors.Is(err, chunker.ErrBadChunk) || errors.Is(err, chunker.ErrBadProof) || errors.Is(err, chunker.ErrNoProof)
}
