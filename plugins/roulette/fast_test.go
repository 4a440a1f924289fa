package roulette

import (
	"container/heap"
	"math/rand/v2"
	"testing"
	"time"

	"nt/chunker"
	"nt/chunker/nois"
	"nt/transport"
)

// duo is a reader and seeds on links of any speed, in virtual time: what a core does
// where nothing queues, which the simulations of slow links do not show.
type duo struct {
	cores    []*Core // the reader is the first; nil: a node that is there no more
	mem      []*memContent
	busyTill []time.Duration // of each uplink
	now      time.Duration
	delay    time.Duration
	rate     float64 // bytes/s of every uplink
	queue    flights
	sent     int                         // messages
	data     int                         // DATA messages
	longest  int                         // bytes of content in one
	greeted  int                         // of the seeds: the last so many are named as readers
	loses    func(at time.Duration) bool // what is sent then; nil: nothing is
}

type flight struct {
	at       time.Duration
	seq      int
	from, to int
	msg      []byte
}

type flights []flight

func (f flights) Len() int { return len(f) }
func (f flights) Less(i, j int) bool {
	return f[i].at < f[j].at || f[i].at == f[j].at && f[i].seq < f[j].seq
}
func (f flights) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f *flights) Push(x any)   { *f = append(*f, x.(flight)) }
func (f *flights) Pop() any {
	old := *f
	x := old[len(old)-1]
	*f = old[:len(old)-1]
	return x
}

func newDuo(t *testing.T, seeds int, size int64, rate float64, delay time.Duration, run int) *duo {
	d := &duo{delay: delay, rate: rate}
	for i := range seeds + 1 {
		p := Tuned()
		if i > 0 {
			p.KnownRate = int(rate)
		}
		if i < 2 { // the reader's and the seeds'
			d.mem = append(d.mem, newMemContent(t, size))
		} else {
			d.mem = append(d.mem, d.mem[1])
		}
		mem := d.mem[i]
		if i == 0 { // it knows the header, and nothing is proved
			mem.tree, mem.proof = chunker.NewTree(mem.tree.Header()), map[int]bool{}
		} else {
			mem.have.AddRange(nois.Interval{Start: 0, End: uint32(mem.tree.Header().NumChunks())})
		}
		d.busyTill = append(d.busyTill, 0)
		d.cores = append(d.cores, New(Config{Params: p, Rand: rand.New(rand.NewPCG(1, uint64(i))), Object: mem.tree.Header().ID(), Content: mem,
			Seed: i > 0, Ledger: NewLedger(), Uplink: NewUplink(&p, 80), MaxRun: run}))
	}
	return d
}

func duoPeer(i int) transport.Peer { return namedPeer(string(rune('a' + i))) }

// fetch lets the reader fetch everything and returns how long it took.
func (d *duo) fetch(t *testing.T) time.Duration {
	var seeds, readers []Introduction
	for i, c := range d.cores[1:] {
		switch in := (Introduction{Peer: duoPeer(i + 1)}); {
		case c == nil:
		case i < len(d.cores)-1-d.greeted:
			seeds = append(seeds, in)
		default:
			readers = append(readers, in)
		}
	}
	d.cores[0].Join(0, seeds, readers)
	for d.carry(); !d.cores[0].Done(); d.carry() {
		next, who := time.Duration(1<<62), -1
		for i, c := range d.cores {
			if c == nil {
				continue
			}
			if at, ok := c.NextDeadline(); ok && at < next {
				next, who = at, i
			}
		}
		switch {
		case len(d.queue) > 0 && d.queue[0].at <= next:
			f := heap.Pop(&d.queue).(flight)
			d.now = f.at
			d.deliver(t, f)
		case who >= 0 && next < time.Minute:
			d.now = max(d.now, next)
			d.cores[who].Advance(d.now)
		default:
			t.Fatalf("stuck at %v: %+v", d.now, d.cores[0].Stats())
		}
	}
	return d.now
}

// carry puts on the links what the cores send.
func (d *duo) carry() {
	for i, c := range d.cores {
		if c == nil {
			continue
		}
		for _, a := range c.Actions() {
			s, ok := a.(Send)
			if !ok {
				continue
			}
			if m, ok := s.Msg.(*Data); ok {
				m.Payload = d.mem[i].chunk(int(m.Chunk))[int(m.Block)*BlockSize:][:m.Len]
				d.data++
				d.longest = max(d.longest, m.Len)
			}
			d.sent++
			msg := Append(nil, s.Msg)
			start := max(d.now, d.busyTill[i])
			d.busyTill[i] = start + time.Duration(float64(len(msg)+80)/d.rate*float64(time.Second))
			v := c.byID[s.To]
			if v == nil { // BYE to who was dropped
				continue
			}
			to := int(v.peer.Addr.Addr().AsSlice()[2]) - int('a')
			if d.loses != nil && d.loses(d.now) {
				continue
			}
			heap.Push(&d.queue, flight{d.busyTill[i] + d.delay, d.sent, i, to, msg})
		}
	}
}

func (d *duo) deliver(t *testing.T, f flight) {
	m, err := Parse(f.msg)
	if err != nil {
		t.Fatal(err)
	}
	c := d.cores[f.to]
	if c == nil {
		return
	}
	id, ok := c.Accept(d.now, duoPeer(f.from))
	if !ok {
		t.Fatal("not accepted")
	}
	c.Receive(d.now, id, m)
}

// TestFastLinksAreFilled: over 100 ms and 100 Mbit/s, one seed and several, small chunks
// and large, the reader comes to ask for what the path holds.
func TestFastLinksAreFilled(t *testing.T) {
	for _, c := range []struct {
		name  string
		seeds int
		size  int64
		run   int
		most  float64 // of the time the bytes take
	}{
		{"one seed, 4 MiB", 1, 4 << 20, 64, 5.5},
		{"one seed, 16 MiB", 1, 16 << 20, 64, 2.4},
		{"one seed, 16 MiB, datagrams", 1, 16 << 20, 1, 2.4},
		{"eight seeds, 16 MiB", 8, 16 << 20, 64, 2.7},
	} {
		rate := 12.5e6 / float64(c.seeds)
		d := newDuo(t, c.seeds, c.size, rate, 50*time.Millisecond, c.run)
		took := d.fetch(t)
		ideal := float64(c.size) / 12.5e6
		t.Logf("%s: %v, %.2f of the bytes' own time; %d DATA, the longest of %d bytes; %+v", c.name, took, took.Seconds()/ideal, d.data, d.longest, d.cores[0].Stats())
		if took.Seconds() > c.most*ideal {
			t.Errorf("%s: %v, over %.1f times the bytes' own %.2f s", c.name, took, c.most, ideal)
		}
		if s := d.cores[0].Stats(); s.Duplicate > 20 || s.Unasked > 20 {
			t.Errorf("%s: %+v", c.name, s)
		}
		if long := d.longest > BlockSize; long != (c.run > 1 && c.size > 4<<20) {
			t.Errorf("%s: the longest DATA had %d bytes", c.name, d.longest)
		}
	}
}

// TestSlowLinksKeepSmallPieces: where a block takes long each travels alone, and no
// more is asked for than is usual.
func TestSlowLinksKeepSmallPieces(t *testing.T) {
	d := newDuo(t, 1, 5<<20, 250_000, 30*time.Millisecond, 64)
	d.fetch(t)
	if d.longest != BlockSize {
		t.Errorf("a DATA of %d bytes on a link of 2 Mbit/s", d.longest)
	}
	for _, v := range d.cores[0].neighbours {
		if v.extra > 32 {
			t.Errorf("%d blocks more than usual may be asked for", v.extra)
		}
	}
}

// TestWhatIsLostAtOnceIsAskedForAgain: on a wire that repeats nothing all answers under way are lost now and then. The only seed is asked for
// them as soon as they are given up.
func TestWhatIsLostAtOnceIsAskedForAgain(t *testing.T) {
	fetch := func(loses func(time.Duration) bool) *duo {
		d := newDuo(t, 1, 16<<20, 125e6, time.Millisecond, 1)
		d.loses = loses
		d.fetch(t)
		return d
	}
	whole := fetch(nil)
	half := whole.now / 2
	lossy := fetch(func(at time.Duration) bool { return at >= half && at < half+20*time.Millisecond })
	t.Logf("%v, and %v where 20 ms are lost; %+v", whole.now, lossy.now, lossy.cores[0].Stats())
	if most := whole.now + 7*fastSlack; lossy.now > most {
		t.Errorf("%v instead of %v: a request is given up after %v", lossy.now, whole.now, 5*fastSlack)
	}
}
