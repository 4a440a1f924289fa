package roulette

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"nt/chunker/nois"
	"nt/transport"
)

// crowd is a seed with an uplink of 100 kB/s, and what it has sent to whom by kind.
type crowd struct {
	*Core
	bytes  int
	greets map[NeighbourID]int
	named  map[netip.AddrPort]bool // who was introduced to somebody
	gave   int                     // blocks
}

func newCrowd(t *testing.T) *crowd { return newCrowdOf(t, 128<<10) }

func newCrowdOf(t *testing.T, size int64) *crowd {
	p := Tuned()
	p.KnownRate = 100_000
	mem := newMemContent(t, size)
	mem.have.AddRange(nois.Interval{Start: 0, End: uint32(mem.tree.Header().NumChunks())})
	return &crowd{greets: map[NeighbourID]int{}, named: map[netip.AddrPort]bool{}, Core: New(Config{Params: p, Rand: rand.New(rand.NewPCG(1, 1)),
		Object: mem.tree.Header().ID(), Content: mem, Seed: true, Ledger: NewLedger(), Uplink: NewUplink(&p, 72)})}
}

// join lets the i-th reader come.
func (w *crowd) join(t *testing.T, now time.Duration, i int) NeighbourID {
	t.Helper()
	id, ok := w.Accept(now, transport.Peer{ID: transport.PeerID{byte(i), byte(i >> 8)}, Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 1, byte(i >> 8), byte(i)}), 7000)})
	if !ok {
		t.Fatal("not accepted")
	}
	w.Receive(now, id, &Join{Object: w.cfg.Object, NeedHeader: true})
	return id
}

// until lets time pass.
func (w *crowd) until(end time.Duration) {
	for {
		for _, a := range w.Actions() {
			s, ok := a.(Send)
			if !ok {
				continue
			}
			w.bytes += len(Append(nil, s.Msg)) + w.unfilled(s.Msg) + 72
			switch m := s.Msg.(type) {
			case *Welcome:
				w.greets[s.To]++
				for _, in := range m.Peers {
					w.named[in.Peer.Addr] = true
				}
			case *Data:
				w.gave++
			}
		}
		at, ok := w.NextDeadline()
		if !ok || at > end {
			return
		}
		w.Advance(at)
	}
}

// A thousand JOINs within a moment: the seed sends what its uplink carries and no more, most of the
// readers are introduced long before it could have greeted each, and content goes out meanwhile.
func TestSeedGreetsACrowdAtThePaceOfItsUplink(t *testing.T) {
	w := newCrowd(t)
	for i := range 1000 {
		w.join(t, time.Duration(i)*100*time.Microsecond, i+1)
	}
	const end = 2500 * time.Millisecond
	w.until(end)
	carries := 100_000 * end.Seconds()
	if got := float64(w.bytes); got > carries*1.05 || got < carries*0.9 {
		t.Errorf("%d bytes in %v, the uplink carries %.0f", w.bytes, end, carries)
	}
	reached := map[netip.AddrPort]bool{}
	for addr := range w.named {
		reached[addr] = true
	}
	for id := range w.greets {
		reached[w.byID[id].peer.Addr] = true
	}
	if len(reached) < 900 || len(w.greets) > len(reached)/4 {
		t.Errorf("%d of 1000 introduced by %d WELCOMEs", len(reached), len(w.greets))
	}
	if w.gave < 64 {
		t.Errorf("%d blocks of content meanwhile", w.gave)
	}
}

// Before a seed has given everything away content comes first; then WELCOMEs have most of the uplink, and name as many as
// it bears at the rate of JOINs.
func TestWelcomesNameMoreOnceAllIsGivenAway(t *testing.T) {
	for _, x := range []struct {
		rate       float64 // JOINs a second
		unserved   int
		share      float64
		introduces int
	}{
		{8, 128, 0.075, 8},
		{32, 128, 0.075, 3},
		{128, 128, 0.075, 3},
		{8, 0, 0.65, 8},
		{32, 0, 0.65, 8},
		{128, 0, 0.65, 6},
		{256, 0, 0.65, 3}, // more than its share: they wait, and name each other
	} {
		w := newCrowd(t)
		w.unserved, w.members.rate.rate = x.unserved, x.rate
		if got := w.joinShare(); math.Abs(got-x.share) > 1e-9 {
			t.Errorf("%v: share %.2f, want %.2f", x, got, x.share)
		}
		if got := w.welcomeList(0); got != x.introduces {
			t.Errorf("%v: a WELCOME names %d, want %d", x, got, x.introduces)
		}
	}
}

// Who asks again while it waits is the same guest, and gets one WELCOME; who asks again after it gets another, since the first may
// be lost, but no more pushed chunks.
func TestJoinAgainIsTheSameGuest(t *testing.T) {
	w := newCrowd(t)
	w.join(t, 0, 1)
	for i := range 20 {
		w.join(t, time.Millisecond, i+2)
	}
	last := w.join(t, time.Millisecond, 99)
	for range 5 {
		w.Receive(2*time.Millisecond, last, &Join{Object: w.cfg.Object, NeedHeader: true})
	}
	w.until(time.Second)
	if w.greets[last] != 1 {
		t.Errorf("%d WELCOMEs for one guest", w.greets[last])
	}
	given := w.gave
	w.Receive(time.Second, last, &Join{Object: w.cfg.Object, NeedHeader: true})
	w.until(1100 * time.Millisecond)
	if w.greets[last] != 2 || w.gave != given {
		t.Errorf("asked again later: %d WELCOMEs, %d blocks more", w.greets[last], w.gave-given)
	}
}

// Who leaves while it waits is not greeted, and who was named in vain waits in line again.
func TestGuestsThatLeaveAndThatWereNamedInVain(t *testing.T) {
	var m members
	var v [3]neighbour
	for i := range v {
		v[i].id = NeighbourID(i + 1)
		m.join(0, &v[i], 10)
		m.wait(0, v[i].id, true)
	}
	m.tell(m.of[1])
	m.leave(2)
	if e := m.next(); e == nil || e.id != 3 {
		t.Fatalf("next %+v, want the one that nobody was told of", e)
	}
	m.welcomed(m.of[3])
	if e := m.next(); e == nil || e.id != 1 || !e.known {
		t.Fatalf("next %+v, want the one that was named", e)
	}
	m.wait(time.Second, 1, true)
	if e := m.next(); e == nil || e.id != 1 || e.known || e.since != time.Second {
		t.Fatalf("next %+v, want it to wait anew", e)
	}
	m.welcomed(m.of[1])
	if e := m.next(); e != nil {
		t.Fatalf("%+v still waits", e)
	}
}

// Of an object of a few chunks the first go before the WELCOME, with header and proof: who then asks those whom it names
// asks for what is missing.
func TestTinyObjectsComeBeforeTheWelcome(t *testing.T) {
	w := newCrowdOf(t, 4<<10)
	w.join(t, 0, 1)
	var order []string
	for range 20 {
		for _, a := range w.Actions() {
			if s, ok := a.(Send); ok {
				order = append(order, s.Msg.Kind().String())
			}
		}
		if at, ok := w.NextDeadline(); ok && at < time.Second {
			w.Advance(at)
		}
	}
	want := []string{"PROOF", "DATA", "DATA", "DATA", "DATA", "WELCOME"}
	if !slices.Equal(order, want) {
		t.Errorf("the seed sends %v, want %v", order, want)
	}
}

// The queues hold each member once, however often it asks and is named.
func TestQueuesOfGuestsAreBounded(t *testing.T) {
	var m members
	v := [3]neighbour{{id: 1}, {id: 2}, {id: 3}}
	for i := range v {
		m.join(0, &v[i], 10)
	}
	for k := range 1000 {
		id := NeighbourID(k%3 + 1)
		m.wait(time.Duration(k), id, false)
		m.tell(m.of[id])
		m.wait(time.Duration(k), id, false)
		if k%7 == 0 {
			m.welcomed(m.of[id])
		}
	}
	if len(m.unnamed) > 3 || len(m.named) > 3 {
		t.Errorf("%d and %d places for three guests", len(m.unnamed), len(m.named))
	}
}

// What a seed pushes comes with its proof where those it introduces are too few to bring it.
func TestProofsGoWithWhatIsPushed(t *testing.T) {
	for named, proof := range map[int]bool{0: true, 3: true, 4: false, 10: false} {
		w := newCrowd(t)
		for i := range w.p.SeedCrowd + 1 {
			w.join(t, 0, i)
		}
		v := w.neighbours[0]
		v.queued, w.unserved = nil, 0
		w.queuePushes(v, named)
		if len(v.queued) == 0 {
			t.Fatalf("%d named: nothing is pushed", named)
		}
		if got := v.queued[0].Proof; got != proof {
			t.Errorf("%d named of 8 MetaChunks: proof pushed: %v, want %v", named, got, proof)
		}
	}
}

// A thousand JOINs, and nobody says any more: the seed lets nobody go that waits for it, and then one after another, so that
// its uplink is not taken up with telling them.
func TestSeedWaitsForWhomItLetsWait(t *testing.T) {
	w := newCrowdOf(t, 1<<20)
	const readers = 1000
	for i := range readers {
		w.join(t, 0, i)
	}
	gone := 0
	through := func(end time.Duration) {
		for {
			for _, a := range w.Actions() {
				if _, ok := a.(Drop); ok {
					gone++
				}
			}
			at, ok := w.NextDeadline()
			if !ok || at > end {
				return
			}
			w.Advance(at)
		}
	}
	through(w.p.DeadAfter + time.Second)
	if most := int(time.Second/letGoEvery) + 1; gone > most {
		t.Errorf("%d were let go within a second, want at most %d", gone, most)
	}
	waiting := 0
	for _, v := range w.neighbours {
		if w.members.waits(w.now, v.id) {
			waiting++
		}
	}
	if waiting == 0 || waiting+gone > readers {
		t.Errorf("after %v %d wait and %d are gone", w.now, waiting, gone)
	}
	v := w.neighbours[0]
	w.letGoAt = w.now + time.Second
	for unserved, want := range map[int]bool{0: true, 1: false} {
		was := w.unserved
		w.unserved = unserved
		if got := w.letGo(v); got != want {
			t.Errorf("with %d chunks that nobody was given a silent reader is let go: %v", unserved, got)
		}
		w.unserved = was
	}
	if through(time.Minute); gone != readers {
		t.Errorf("%d of %d silent readers were ever let go", gone, readers)
	}
}
