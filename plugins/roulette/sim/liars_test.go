package sim

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"nt/chunker"
	"nt/chunker/nois"
	"nt/plugins/roulette"
)

// lies are what one neighbour each does to what it sends.
var lies = []struct {
	name  string
	spoil func(roulette.Message)
}{
	{"chunks", func(m roulette.Message) { spoilData(m, 0) }},
	{"later chunks", func(m roulette.Message) { spoilData(m, 20) }},
	{"leaves", func(m roulette.Message) { spoilHashes(m, 0) }},
	{"path", func(m roulette.Message) { spoilHashes(m, -1) }},
	{"header", func(m roulette.Message) {
		spoilHeader(m, func(h *chunker.Header) { h.Root[0] ^= 1 })
		spoilData(m, 0)
	}},
}

func spoilData(m roulette.Message, from uint32) {
	if d, ok := m.(*roulette.Data); ok && d.Chunk >= from {
		d.Payload[0] ^= 1
	}
}

// spoilHashes changes the first of a proof's hashes, or with -1 the last.
func spoilHashes(m roulette.Message, at int) {
	if p, ok := m.(*roulette.Proof); ok && len(p.Hashes) > 0 {
		p.Hashes[(at+len(p.Hashes))%len(p.Hashes)] ^= 1
	}
	spoilData(m, 0)
}

func spoilHeader(m roulette.Message, change func(*chunker.Header)) {
	var h *chunker.Header
	switch m := m.(type) {
	case *roulette.Proof:
		h = m.Header
	case *roulette.Welcome:
		h = m.Header
	}
	if h != nil {
		change(h)
	}
}

// liars is a reader whose neighbours all lie, in virtual time.
type liars struct {
	object  []byte
	tree    *chunker.Tree
	reader  *roulette.Core
	seeds   []*roulette.Core
	lie     []func(roulette.Message)
	ids     []roulette.NeighbourID // at the seeds
	known   map[roulette.NeighbourID]int
	now     time.Duration
	waiting []flying
	banned  []time.Duration
	drops   []string
	delay   []time.Duration // one way
}

// flying is a message on its way; to is -1 for the reader.
type flying struct {
	at       time.Duration
	from, to int
	buf      []byte
}

func newLiars(seed uint64) *liars {
	rng := rand.New(rand.NewPCG(seed, 1))
	w := &liars{object: make([]byte, 100<<10), known: map[roulette.NeighbourID]int{}}
	for i := range w.object {
		w.object[i] = byte(rng.Uint32())
	}
	w.tree, _ = chunker.Build(bytes.NewReader(w.object), int64(len(w.object)))
	w.reader = w.core(rng, &content{id: w.tree.Header().ID()}, false)
	order := rng.Perm(len(lies))
	for _, k := range append(order, rng.Perm(len(lies))[:3]...) {
		c := &content{id: w.tree.Header().ID(), tree: w.tree}
		c.have.AddRange(nois.Interval{Start: 0, End: uint32(w.tree.Header().NumChunks())})
		w.seeds = append(w.seeds, w.core(rng, c, true))
		w.lie = append(w.lie, lies[k].spoil)
		w.ids = append(w.ids, 0)
		w.delay = append(w.delay, time.Duration(rng.IntN(20_000)+100)*time.Microsecond)
	}
	return w
}

func (w *liars) core(rng *rand.Rand, c *content, seed bool) *roulette.Core {
	p := roulette.Tuned()
	return roulette.New(roulette.Config{Params: p, Rand: rand.New(rand.NewPCG(rng.Uint64(), 2)), Object: w.tree.Header().ID(), Content: c,
		Seed: seed, Ledger: roulette.NewLedger(), Uplink: roulette.NewUplink(&p, Overhead)})
}

// start names all liars to the reader as the driver does: a few as seeds.
func (w *liars) start() {
	var in []roulette.Introduction
	for i := range w.seeds {
		in = append(in, roulette.Introduction{Peer: peerOf(int32(i + 1))})
	}
	w.reader.Join(w.now, in[:3], nil)
	w.reader.AddPeers(w.now, in[3:])
	w.after(-1)
}

func (w *liars) after(who int) {
	core := w.reader
	if who >= 0 {
		core = w.seeds[who]
	}
	for _, a := range core.Actions() {
		switch a := a.(type) {
		case roulette.Connect:
			w.known[a.To] = int(indexOf(a.Intro.Peer.Addr)) - 1
		case roulette.Send:
			to := -1
			if who < 0 {
				to = w.known[a.To]
			}
			w.send(who, to, a.Msg)
		case roulette.Ban:
			w.banned = append(w.banned, w.now)
		case roulette.Drop:
			if who < 0 {
				w.drops = append(w.drops, fmt.Sprintf("%v: %d: %v", w.now, w.known[a.To], a.Why))
			}
		}
	}
}

func (w *liars) send(from, to int, m roulette.Message) {
	if d, ok := m.(*roulette.Data); ok {
		off := int(d.Chunk)*w.tree.Header().ChunkSize() + int(d.Block)*roulette.BlockSize
		d.Payload = bytes.Clone(w.object[off : off+d.Len])
	}
	buf := roulette.Append(nil, m)
	if from >= 0 { // a copy, for a core's own header must stay what it is
		m, _ = roulette.Parse(buf)
		w.lie[from](m)
		buf = roulette.Append(nil, m)
	}
	w.waiting = append(w.waiting, flying{w.now + w.delay[max(from, to)], from, to, buf})
}

// run lets time pass until all liars are banned or it is over.
func (w *liars) run(t *testing.T, end time.Duration) {
	for len(w.banned) < len(w.seeds) {
		next, who := end, -2
		for i, c := range append([]*roulette.Core{w.reader}, w.seeds...) {
			if at, ok := c.NextDeadline(); ok && at < next {
				next, who = at, i-1
			}
		}
		m := -1
		for i, f := range w.waiting {
			if f.at < next {
				next, m = f.at, i
			}
		}
		w.now = next
		switch {
		case m >= 0:
			f := w.waiting[m]
			w.waiting = slices.Delete(w.waiting, m, m+1)
			w.deliver(t, f)
		case who == -2:
			return
		case who == -1:
			w.reader.Advance(w.now)
			w.after(-1)
		default:
			w.seeds[who].Advance(w.now)
			w.after(who)
		}
	}
}

func (w *liars) deliver(t *testing.T, f flying) {
	m, err := roulette.Parse(f.buf)
	if err != nil {
		t.Fatal(err)
	}
	if f.to < 0 {
		for id, i := range w.known {
			if i == f.from {
				w.reader.Receive(w.now, id, m)
			}
		}
		w.after(-1)
		return
	}
	if w.ids[f.to] == 0 {
		w.ids[f.to], _ = w.seeds[f.to].Accept(w.now, peerOf(0))
	}
	w.seeds[f.to].Receive(w.now, w.ids[f.to], m)
	w.after(f.to)
}

// TestLiarsAreFoundOutOneAfterAnother: whoever is left is asked soon after each ban. A holder
// of everything that was greeted by HELLO used to tell nothing of what it has, and so, after
// its first block, nothing was asked of it.
func TestLiarsAreFoundOutOneAfterAnother(t *testing.T) {
	for seed := uint64(1); seed <= 200; seed++ {
		w := newLiars(seed)
		w.start()
		w.run(t, 20*time.Second)
		longest, last := time.Duration(0), time.Duration(0)
		for _, at := range w.banned {
			longest, last = max(longest, at-last), at
		}
		if len(w.banned) < len(w.seeds) || longest > 500*time.Millisecond {
			t.Errorf("seed %d: %d of %d liars banned, longest wait %v; drops %q", seed, len(w.banned), len(w.seeds), longest, w.drops)
		}
	}
}
