package lab

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"nt/internal/simnet"
	"nt/transport/wire"
)

// port is where every node serves, UDP and TCP.
const port = 4000

// System is a way to give one object to many: what the lab compares.
type System struct {
	Name, Wire string
	// Open starts a node. The seed's and the readers' differ in what their copy holds.
	Open func(n *Node) (Client, error)
	// Around is called before a run and returns what is called after it. May be nil.
	Around func() func()
}

// Client is one running node of a system.
type Client interface {
	// Fetch returns nil when the object is there.
	Fetch(ctx context.Context) error
	Close() error
}

// Node is what a system gets to start a node on.
type Node struct {
	World  *World
	Host   *simnet.Host
	Index  int // 0 is the seed
	Seed   bool
	Copy   *copyOf
	Free   bool // serves nobody
	Tyrant bool // serves as little as it can
	rng    *rand.Rand

	client     Client
	delay      time.Duration     // its part of the one-way delay
	grants     func() wire.Grant // of a node that holds the object and is named: what tokens for others' addresses are made of
	granted    wire.Grant        // the same of a reader, as it gave it last (locator)
	born, done time.Duration
	starved    time.Duration // when it gave up, having served nobody
	late       bool          // came after the test had ended: it only keeps the pool alive
	silent     bool
	poison     bool
	gone       bool
	err        error
	traffic    simnet.Traffic
}

// Addr is where the node serves.
func (n *Node) Addr() netip.AddrPort { return netip.AddrPortFrom(n.Host.Addr(), port) }

// Case is one experiment. Zero fields take the value in parentheses.
type Case struct {
	Seed    uint64
	Holders int // nodes besides the seed that hold everything and stay
	Size    int64
	Kbps    int           // every link's downlink
	UpKbps  int           // and uplink (Kbps)
	SeedUp  int           // the seed's uplink (UpKbps)
	Rate    float64       // readers per second
	Readers int           // how many come; 0: as long as the stabilised pool test runs
	Delay   time.Duration // mean one-way delay (30 ms); a host's part of it is 10 % to 190 %
	Loss    float64
	Queue   int           // bytes, of every link and direction (65,536)
	Window  int           // of TCP, in bytes (65,536)
	Silent  float64       // part of the readers that leave without a word
	Free    float64       // part that serves nobody
	Poison  float64       // part that serves wrong bytes and stays
	Tyrants float64       // part that plays by sim.Tyrant, where the system is Roulette
	Stay    bool          // readers stay when they are done
	Killed  float64       // part whose plug is pulled KillAt after they came
	KillAt  time.Duration //
	PoolMax int           // readers at which the test is given up as unstable (600)
	TimeMax time.Duration // (150 s)
	// Progress hears of each virtual second. May be nil.
	Progress func(second, pool int)
	Trace    *Trace // adds up what readers do; may be nil
}

func (c Case) withDefaults() Case {
	or(&c.UpKbps, c.Kbps)
	or(&c.SeedUp, c.UpKbps)
	or(&c.Delay, 30*time.Millisecond)
	or(&c.PoolMax, 600)
	or(&c.TimeMax, 150*time.Second)
	return c
}

func or[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// World is a running experiment.
type World struct {
	Case     Case
	Net      *simnet.Net
	Original *Original
	system   System
	locator  *locator   // Roulette's
	rng      *rand.Rand // the main goroutine's
	watch    Watch
	stopped  bool // the stabilised pool test is over
	ctx      context.Context
	readers  sync.WaitGroup

	mu    sync.Mutex
	nodes []*Node
	alive []*Node // readers that are there
	pool  int     // readers that are not done and count
}

// Run runs one experiment to its end. It must be called inside a synctest bubble,
// where time costs nothing.
func Run(s System, c Case) (Result, error) {
	c = c.withDefaults()
	original, err := NewOriginal(c.Seed, c.Size)
	if err != nil {
		return Result{}, err
	}
	if s.Around != nil {
		defer s.Around()()
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &World{Case: c, Original: original, system: s, ctx: ctx, rng: rand.New(rand.NewPCG(c.Seed, 1))}
	w.Net = simnet.New(simnet.Config{Seed: c.Seed, Loss: c.Loss, Window: c.Window, Tap: c.Trace.tap()})
	w.locator = newLocator(w)
	c.Trace.begin(w)
	defer w.Net.Close()
	seed := w.addNode(true)
	if seed.client, err = s.Open(seed); err != nil {
		cancel()
		return Result{}, fmt.Errorf("starting the seed: %w", err)
	}
	holders := []*Node{seed}
	for range c.Holders {
		h := w.addNode(true)
		if h.client, err = s.Open(h); err != nil {
			cancel()
			return Result{}, fmt.Errorf("starting a holder: %w", err)
		}
		holders = append(holders, h)
	}
	w.live()
	result := w.result()
	cancel()
	w.readers.Wait()
	for _, h := range holders {
		h.client.Close()
	}
	return result, nil
}

func (w *World) addNode(seed bool) *Node {
	c := w.Case
	up := c.UpKbps
	if seed {
		up = c.SeedUp
	}
	delay := time.Duration((0.1 + 1.8*w.rng.Float64()) * float64(c.Delay) / 2)
	n := &Node{World: w, Seed: seed, delay: delay, Copy: &copyOf{of: w.Original}, born: w.Net.Now(), late: w.stopped,
		Host: w.Net.Host(simnet.Link{Up: up * 1000, Down: c.Kbps * 1000, Delay: delay, UpQueue: c.Queue, DownQueue: c.Queue}),
		rng:  rand.New(rand.NewPCG(w.rng.Uint64(), 2))}
	if seed {
		n.Copy.fill()
	} else {
		w.giveRole(n)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	n.Index = len(w.nodes)
	w.nodes = append(w.nodes, n)
	if !n.Seed && n.counts() {
		c.Trace.add(n)
	}
	return n
}

func (w *World) giveRole(n *Node) {
	c := w.Case
	n.silent = w.rng.Float64() < c.Silent
	switch x := w.rng.Float64(); {
	case x < c.Free:
		n.Free = true
	case x < c.Free+c.Poison:
		n.poison, n.Copy.poison = true, true
	case x < c.Free+c.Poison+c.Tyrants:
		n.Tyrant = true
	}
	if w.rng.Float64() < c.Killed {
		time.AfterFunc(c.KillAt, func() { n.pullPlug() })
	}
}

// live lets readers come until the test is over and all that count are done.
func (w *World) live() {
	sample := sampleEvery
	birth := w.nextBirth(0)
	for births := 0; ; {
		next := min(sample, birth)
		time.Sleep(next - w.Net.Now())
		if next == birth {
			w.birth()
			births++
			birth = w.nextBirth(births)
			continue
		}
		sample += sampleEvery
		if w.sample(births) {
			return
		}
	}
}

// nextBirth plans a reader: one in each 1/Rate, at a random moment of it.
func (w *World) nextBirth(births int) time.Duration {
	c := w.Case
	switch {
	case c.Readers > 0 && births >= c.Readers:
		return 1 << 62
	case c.Rate == 0: // all within the first 100 ms
		return max(w.Net.Now(), 100*time.Millisecond*time.Duration(births)/time.Duration(c.Readers))
	}
	slot := float64(time.Second) / c.Rate
	return max(w.Net.Now(), time.Duration((float64(births)+w.rng.Float64())*slot))
}

// sample looks at the pool and reports whether the experiment is over.
func (w *World) sample(births int) bool {
	w.mu.Lock()
	pool := w.pool
	w.mu.Unlock()
	c := w.Case
	if c.Progress != nil {
		c.Progress(int(w.Net.Now()/time.Second), pool)
	}
	over := w.watch.Sample(pool)
	if c.Readers > 0 {
		over = births >= c.Readers
	}
	w.stopped = w.stopped || over && c.Readers == 0
	return over && pool == 0 || pool > c.PoolMax || w.Net.Now() > c.TimeMax
}

func (w *World) birth() {
	n := w.addNode(false)
	w.mu.Lock()
	if n.counts() {
		w.pool++
	}
	w.alive = append(w.alive, n)
	w.mu.Unlock()
	w.readers.Go(n.read)
}

// counts reports whether the node is one whose time is measured.
func (n *Node) counts() bool { return !n.late && !n.poison }

// read is a reader's life.
func (n *Node) read() {
	w := n.World
	client, err := w.system.Open(n)
	if err == nil {
		n.client = client
		err = client.Fetch(w.ctx)
	}
	n.finished(err)
	if n.silent {
		n.pullPlug()
	}
	if err == nil && (w.Case.Stay || n.poison) {
		<-w.ctx.Done()
	}
	if client != nil {
		client.Close()
	}
	w.leave(n)
}

func (n *Node) finished(err error) {
	w := n.World
	traffic := n.Host.Traffic()
	w.Case.Trace.end(n)
	w.mu.Lock()
	defer w.mu.Unlock()
	if n.gone {
		return
	}
	n.err, n.traffic = err, traffic
	switch {
	case err == nil:
		n.done = w.Net.Now()
	case n.Free && w.ctx.Err() == nil:
		n.starved = w.Net.Now()
	}
	if n.counts() && w.ctx.Err() == nil {
		w.pool--
	}
	if n.silent {
		n.gone = true // its pool place is given up already
	}
}

// pullPlug takes a node away without a word.
func (n *Node) pullPlug() {
	w := n.World
	w.mu.Lock()
	if !n.gone && n.done == 0 && n.counts() {
		w.pool--
		n.late = true // it left of its own will: it does not count
	}
	n.gone = true
	w.mu.Unlock()
	n.Host.Close()
}

func (w *World) leave(n *Node) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n.client, n.Copy = nil, nil // a large crowd's memory
	for i, x := range w.alive {
		if x == n {
			w.alive = append(w.alive[:i], w.alive[i+1:]...)
			return
		}
	}
}

// Others returns up to k random readers besides n, as a tracker would name them.
func (w *World) Others(n *Node, k int) []*Node {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []*Node
	for _, i := range n.rng.Perm(len(w.alive)) {
		if x := w.alive[i]; x != n && len(out) < k {
			out = append(out, x)
		}
	}
	return out
}

// Holding returns the seed and the nodes that hold everything beside it.
func (w *World) Holding() []*Node { return w.nodes[:1+w.Case.Holders] }

// SeedNode returns the seed.
func (w *World) SeedNode() *Node { return w.nodes[0] }
