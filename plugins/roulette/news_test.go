package roulette

import (
	"encoding/hex"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"nt/chunker/nois"
)

// TestListsRoundTrip: a list names exactly the first of the chunks that fit, in one have summary.
func TestListsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 1<<20).Draw(t, "chunks")
		all := rapid.SliceOfNDistinct(rapid.Uint32Range(0, uint32(n-1)), 0, min(n, 60), rapid.ID).Draw(t, "new")
		b, told := listOf(all)
		if len(b) > MaxSummaryData || told > len(all) || told == 0 != (len(all) == 0) {
			t.Fatalf("%d of %d in %d bytes", told, len(all), len(b))
		}
		want, got := newBitset(n), newBitset(n)
		for _, i := range all[:told] {
			want.add(int(i))
		}
		if !parseSummary(b, n, func(w int, mask uint64) { got[w] |= mask }) || got.lacks(want) || want.lacks(got) {
			t.Fatalf("%x of %v is read as %v", b, all[:told], got)
		}
	})
}

// TestListAsShown is the example of docs/wire-roulette.md.
func TestListAsShown(t *testing.T) {
	b, n := listOf([]uint32{20, 3, 5})
	if got := hex.EncodeToString(b); n != 3 || got != "0467af" {
		t.Errorf("%d in %s", n, got)
	}
}

func TestListsAreChecked(t *testing.T) {
	for _, c := range []struct {
		n    int
		list []byte
	}{
		{8, []byte{0, 0b11111111, 0b01111111}},  // chunk 8
		{8, []byte{0, 0b11111110, 0b01111111}},  // chunk 7, and one more
		{8, []byte{0, 0b01111111, 0b11111111}},  // more ones than fill a byte
		{8, []byte{2, 0b01001001}},              // half of a number
		{8, []byte{maxRice, 0, 0, 0b11111111}},  // a number that is too large
		{8, []byte{maxRice + 1, 0, 0, 0, 0x3f}}, // a parameter that is too large
	} {
		if parseSummary(append([]byte{summaryList + c.list[0]}, c.list[1:]...), c.n, func(int, uint64) {}) {
			t.Errorf("%x of %d chunks is taken", c.list, c.n)
		}
	}
}

// FuzzHaveSummary: whatever a neighbour says it has is a set of chunks of the object, or refused.
func FuzzHaveSummary(f *testing.F) {
	list, _ := listOf([]uint32{3, 5, 20})
	f.Add(list, uint32(128))
	f.Add([]byte{summaryBitmap, 0xff}, uint32(8))
	f.Add([]byte{summaryIntervals, 1, 3, 4}, uint32(100))
	f.Add([]byte{summaryList + maxRice, 0xff, 0xff, 0xff, 0xff, 0x7f}, uint32(1<<20))
	f.Fuzz(func(t *testing.T, b []byte, n uint32) {
		n = n%(1<<20) + 1
		has := newBitset(int(n))
		if !parseSummary(b, int(n), func(w int, mask uint64) { has[w] |= mask }) {
			return
		}
		for i := int(n); i < 64*len(has); i++ {
			if has.has(i) {
				t.Fatalf("%x says that chunk %d of %d is there", b, i, n)
			}
		}
	})
}

// TestNewsAddUp: a neighbour that is told with every message what is new knows all that is there, once as many messages came as it
// takes; if a message is lost, too. Few bytes tell what is told again.
func TestNewsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{1, 100, 264, 1000, 5000, 20_000}).Draw(t, "chunks")
		c, v := coreOf(n)
		knows := newBitset(n)
		tell := func(lost bool) {
			b := c.news(v, rapid.SampledFrom([]int{MaxSummaryData, 146, MaxSummary}).Draw(t, "first"))
			if !lost && !parseSummary(b, n, func(w int, mask uint64) { knows[w] |= mask }) {
				t.Fatalf("%x is malformed", b)
			}
		}
		for range rapid.IntRange(1, 30).Draw(t, "messages") {
			for range rapid.IntRange(0, 20).Draw(t, "new") {
				if i := rapid.IntRange(0, n-1).Draw(t, "chunk"); !c.bits.has(i) {
					c.took(nil, i)
				}
			}
			tell(rapid.IntRange(0, 9).Draw(t, "lost") == 0)
		}
		if c.bits.lacks(knows) {
			t.Fatal("more is told than there is")
		}
		for range 200 * (mostLists + 1) {
			if tell(false); !knows.lacks(c.bits) {
				return
			}
		}
		t.Fatalf("after all of that some of %d chunks are not known", c.n-c.missing)
	})
}

// coreOf returns a core that will get n chunks, and a neighbour of it.
func coreOf(n int) (*Core, *neighbour) {
	c := &Core{n: n, known: true, missing: n, have: new(nois.Set), bits: newBitset(n), free: newBitset(n), reserved: make([]uint8, n), rng: rand.New(rand.NewPCG(1, 1))}
	return c, &neighbour{}
}

// TestNewsAreShort: what 128 chunks take that come one after another, told to 16 neighbours in turn, is less than three quarters of as many summaries of all.
func TestNewsAreShort(t *testing.T) {
	c, _ := coreOf(128)
	all := make([]*neighbour, 16)
	for i := range all {
		all[i] = &neighbour{}
	}
	sum := 0
	for i, chunk := range c.rng.Perm(c.n) {
		c.took(nil, chunk)
		sum += len(c.news(all[i%len(all)], 146))
	}
	if whole := c.n * (1 + 16); 4*sum > 3*whole {
		t.Errorf("%d bytes, all every time are %d", sum, whole)
	}
}

// TestADataTellsAllOnce: the first DATA to a neighbour that was not greeted has a bitmap of up to 1,024 chunks, and names nobody beside it.
func TestADataTellsAllOnce(t *testing.T) {
	mem := newMemContent(t, 1<<20)
	mem.have.AddRange(nois.Interval{Start: 3, End: 4})
	for i := uint32(10); i < 1000; i += 3 {
		mem.have.Add(i)
	}
	p := Tuned()
	p.KnownRate = 100e3
	c := New(Config{Params: p, Rand: rand.New(rand.NewPCG(1, 1)), Object: mem.tree.Header().ID(), Content: mem, Ledger: NewLedger(), Uplink: NewUplink(&p, 72)})
	id, _ := c.Accept(0, duoPeer(1))
	var got []*Data
	now := time.Duration(0)
	for _, m := range []Message{&Hello{Object: c.cfg.Object, Classes: 1, WantPeers: true}, &Request{Asks: []Ask{{Chunk: 13}}}} {
		now += 100 * time.Millisecond
		c.Receive(now, id, m)
		for _, a := range c.Actions() {
			if s, ok := a.(Send); ok && s.Msg.Kind() == KindData {
				got = append(got, s.Msg.(*Data))
			}
		}
	}
	if len(got) != 2 || len(got[0].Have) != 1+128 || len(got[1].Have) != 0 {
		t.Errorf("%d DATA: %+v", len(got), got)
	}
	if n := len(Append(nil, got[0])) + BlockSize; n > MaxMessage {
		t.Errorf("%d bytes", n)
	}
}
