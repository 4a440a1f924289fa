package roulette

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"nt/chunker/nois"

	"pgregory.net/rapid"
)

// TestProperties drives a core with random neighbours that say anything, also what no
// honest node says, and checks after every step what must always hold.
func TestProperties(t *testing.T) {
	for _, profile := range []string{"classic", "tuned"} {
		t.Run(profile, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) { randomLife(t, rt, profile) })
		})
	}
}

func randomLife(t *testing.T, rt *rapid.T, profile string) {
	s := &scenario{t: t, names: map[NeighbourID]string{}}
	s.start(profile, []string{"40000", "have=0-5"})
	w := &watcher{s: s, asked: map[string]bool{}}
	names := []string{"b", "c", "d", "e"}
	said := []string{"fh %d-%d", "fh-reply %d-%d", "sh %d,%d", "data %d", "blind %d", "request %d,%d have=0-3",
		"status have=%d-39", "cancel %d", "recommend?", "hello 0/1 have=%d", "bye", "nofile", "proof 0"}
	for range rapid.IntRange(1, 25).Draw(rt, "steps") {
		name := rapid.SampledFrom(names).Draw(rt, "who")
		if _, ok := s.core.Accept(s.now, namedPeer(name)); !ok {
			continue // banned, or resting
		}
		a, b := rapid.IntRange(0, 30).Draw(rt, "a"), rapid.IntRange(31, 38).Draw(rt, "b")
		switch what := rapid.SampledFrom(append(said, "meet", "wait", "bad %d")).Draw(rt, "what"); what {
		case "meet":
			s.run([]string{"meet", name})
		case "wait":
			s.run([]string{"wait", fmt.Sprintf("%dms", 20*a)})
		default:
			f := splitWords(what, a, b)
			s.run(append([]string{name}, f...))
		}
		w.check(rt)
	}
}

func splitWords(format string, a, b int) []string {
	var f []string
	args := []any{a, b}
	for _, word := range splitFields(format) {
		n := 0
		for _, r := range word {
			if r == '%' {
				n++
			}
		}
		f = append(f, fmt.Sprintf(word, args[:n]...))
	}
	return f
}

func splitFields(s string) (out []string) {
	word := ""
	for _, r := range s + " " {
		if r == ' ' {
			out, word = append(out, word), ""
		} else {
			word += string(r)
		}
	}
	return out
}

// blocksMax: the last request of a pump may overshoot by a chunk of one block, HELLO by one.
const blocksMax = 1

// watcher checks what must hold whatever the neighbours say.
type watcher struct {
	s     *scenario
	asked map[string]bool
}

func (w *watcher) check(t *rapid.T) {
	c := w.s.core
	for _, a := range c.Actions() {
		switch a := a.(type) {
		case Send:
			if n := len(Append(nil, a.Msg)) + c.unfilled(a.Msg); n > MaxMessage {
				t.Fatalf("%v of %d bytes", a.Msg.Kind(), n)
			}
			w.request(t, a)
		case Stored:
			if string(w.s.mem.got[a.Chunk]) != string(w.s.mem.chunk(a.Chunk)) {
				t.Fatalf("chunk %d stored with wrong bytes", a.Chunk)
			}
			if len(w.asked) == 0 {
				t.Fatalf("chunk %d stored and nothing was ever asked for", a.Chunk)
			}
		}
	}
	open, _ := c.outstanding()
	if c.p.Profile == ProfileTuned && open > c.window()+c.p.PiggyExtra+c.p.HelloExtra+blocksMax {
		t.Fatalf("%d blocks outstanding, window %d", open, c.window())
	}
	for _, v := range c.neighbours {
		limit := max(int64(c.p.Tab), int64(c.p.TabFraction*float64(v.tab.key.Received)))
		if c.p.Profile == ProfileClassic && v.tab.balance() > limit {
			t.Fatalf("tab of %d bytes, limit %d", v.tab.balance(), limit)
		}
		if len(v.queued) > c.p.MaxQueue+1 || len(v.old) > maxOld+1 {
			t.Fatalf("%d queued, %d old requests", len(v.queued), len(v.old))
		}
	}
	w.counts(t)
}

// request checks that nothing is asked for that is there.
func (w *watcher) request(t *rapid.T, a Send) {
	var chunks []uint32
	switch m := a.Msg.(type) {
	case *SecondHandshake:
		chunks = m.Chunks
	case *Request:
		for _, q := range m.Asks {
			if !q.ProofOnly {
				chunks = append(chunks, q.Chunk)
			}
		}
	case *Data:
		for _, q := range m.Asks {
			chunks = append(chunks, q.Chunk)
		}
	case *Hello:
		w.asked["blind"] = true
	}
	for _, i := range chunks {
		w.asked[fmt.Sprint(i)] = true
		if w.s.core.bits.has(int(i)) && !justStored(w.s.core, i) {
			t.Fatalf("%v asks for chunk %d, which is there", a.Msg.Kind(), i)
		}
	}
}

// justStored: actions are looked at after the step, in which the chunk may have come.
func justStored(c *Core, i uint32) bool { return c.progress == c.now }

// counts checks the books: reserved, avail and missing agree with what they count.
func (w *watcher) counts(t *rapid.T) {
	c := w.s.core
	missing := 0
	for i := range c.n {
		reserved, avail := 0, 0
		for _, v := range c.neighbours {
			if c.p.Profile == ProfileTuned && v.asksFor(i) {
				reserved++
			}
			if v.cl.wants != nil && v.cl.wants.has(i) {
				reserved++
			}
			if v.have.has(i) {
				avail++
			}
		}
		if reserved != int(c.reserved[i]) || avail != int(c.avail[i]) {
			t.Fatalf("chunk %d: reserved %d, counted %d; avail %d, counted %d", i, c.reserved[i], reserved, c.avail[i], avail)
		}
		if !c.bits.has(i) {
			missing++
		}
		if c.free.has(i) && (c.bits.has(i) || c.reserved[i] > 0 && c.p.Profile == ProfileTuned) {
			t.Fatalf("chunk %d is free, have %v, reserved %d", i, c.bits.has(i), c.reserved[i])
		}
	}
	if missing != c.missing {
		t.Fatalf("missing %d, counted %d", c.missing, missing)
	}
}

// TestF16F17F18_RouletteCache checks the trim and the slot-proportional draw.
func TestF16F17F18_RouletteCache(t *testing.T) {
	var r rouletteCache
	for id := NeighbourID(1); id <= 6; id++ {
		r.add(id, 4)
	}
	if got := fmt.Sprint(r.slots); got != "[3 4 5 6]" {
		t.Fatalf("after six exchanges at degree 4: %s", got)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	count := map[NeighbourID]int{}
	const draws = 10000
	for range draws {
		id, _ := r.pick(rng)
		count[id]++
	}
	for slot, id := range r.slots {
		want := draws * (slot + 1) / 10
		if got := count[id]; got < want*9/10 || got > want*11/10 {
			t.Errorf("slot %d drawn %d times, want about %d", slot+1, got, want)
		}
	}
}

// TestSummaryTellsEverythingInTime: what does not fit into one summary is told by several.
func TestSummaryTellsEverythingInTime(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for _, n := range []int{1, 7, 64, 128, 300, 5000, 8500} {
		set := new(nois.Set)
		for i := 0; i < n; i++ {
			if rng.IntN(3) > 0 {
				set.Add(uint32(i))
			}
		}
		heard := newBitset(n)
		for round := 0; ; round++ {
			s := summaryOf(set, n, MaxSummary, rng)
			if len(s) > MaxSummary {
				t.Fatalf("%d chunks: summary of %d bytes", n, len(s))
			}
			if !parseSummary(s, n, func(w int, m uint64) { heard[w] |= m }) {
				t.Fatalf("%d chunks: own summary is refused: %x", n, s)
			}
			told := 0
			for i := range n {
				if heard.has(i) {
					if told++; !set.Contains(uint32(i)) {
						t.Fatalf("%d chunks: chunk %d was told and is not there", n, i)
					}
				}
			}
			if told == set.Count() {
				break
			}
			if round > 100*n {
				t.Fatalf("%d chunks: %d of %d told after %d summaries", n, told, set.Count(), round)
			}
		}
	}
}

// TestUplinkFindsItsRate sends bursts into a modem of known rate and echoes delays.
func TestUplinkFindsItsRate(t *testing.T) {
	for _, rate := range []float64{25e3, 100e3, 1e6} {
		p := Tuned()
		u := NewUplink(&p, 72)
		var l link
		busy, now := 0.0, 0.0
		rng := rand.New(rand.NewPCG(5, 5))
		for range 60 {
			for range 1 + rng.IntN(8) {
				var tm Timing
				at := time.Duration(now * 1e9)
				l.stamp(at, &tm)
				u.sent(at, &l, tm.Sent, 1024)
				busy = max(busy, now) + (1024+72)/rate
				u.echoed(&l, tm.Sent, ticks(time.Duration((busy-now+0.030)*1e9)))
			}
			now += 3000 / rate
		}
		if got := u.Rate(); got < 0.85*rate || got > 1.15*rate {
			t.Errorf("uplink of %.0f bytes/s measured as %.0f", rate, got)
		}
	}
}
