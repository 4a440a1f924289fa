package roulette

import (
	"testing"
	"time"

	"nt/chunker"
)

// TestASilentReaderCostsTheOthersNothing: a reader that was killed is there for its seed for half a minute. With two readers a seed gives
// other chunks than those that are asked for; the proofs of those did not come with them, and they were given again and again
// (docs/adr/0043). The seed names the silent one, too, and what a greeting asks of it comes from nobody.
func TestASilentReaderCostsTheOthersNothing(t *testing.T) {
	for _, x := range []struct {
		name string
		size int64
	}{{"chunks of a block", 4 << 20}, {"chunks of many", 32 << 20}} {
		fetch := func(silent bool) *duo {
			d := newDuo(t, 1, x.size, 12.5e6, 5*time.Millisecond, 64)
			if silent {
				seed := d.cores[1]
				d.cores = append(d.cores, nil) // nobody is there
				id, _ := seed.Accept(0, duoPeer(2))
				seed.Receive(0, id, &Join{Object: seed.cfg.Object, NeedHeader: true})
				seed.Receive(0, id, &Request{Have: told(seed, 7), Asks: []Ask{{Chunk: 5, Any: true}}})
			}
			d.fetch(t)
			return d
		}
		alone, beside := fetch(false), fetch(true)
		t.Logf("%s: %v and %d DATA alone, %v and %d beside one that is silent; %+v", x.name, alone.now, alone.data, beside.now, beside.data, beside.cores[0].Stats())
		if s := beside.cores[0].Stats(); s.Duplicate > 20 || s.Unasked > 20 || beside.data > alone.data*21/20 {
			t.Errorf("%s: %d DATA instead of %d; %+v", x.name, beside.data, alone.data, s)
		}
		if beside.now > alone.now*5/4 {
			t.Errorf("%s: %v instead of %v", x.name, beside.now, alone.now)
		}
	}
}

// TestWhatComesInsteadIsProved: a chunk that a seed gives for another comes with its own proof, once; the proof that was asked for goes with the
// first chunk that it belongs to, whether it is asked for again or not.
func TestWhatComesInsteadIsProved(t *testing.T) {
	w := newCrowd(t)
	for i := range 2 {
		w.join(t, 0, i+1)
	}
	w.until(time.Second)
	v := w.neighbours[0]
	q := func(asked, given int, proof bool) (metas []int) {
		w.Actions()
		w.prove(v, &want{Ask: Ask{Proof: proof}, instead: uint32(asked), swapped: asked != given}, given)
		for _, a := range w.Actions() {
			if s, ok := a.(Send); ok {
				metas = append(metas, int(s.Msg.(*Proof).Meta))
			}
		}
		return metas
	}
	clear(v.have)
	clear(v.proofs)
	clear(v.promised)
	const per = chunker.ChunksPerMeta
	for i, x := range []struct {
		asked, given int
		proof        bool
		sent         int // MetaChunk, -1: none
	}{
		{0, 3 * per, true, 3},        // another than was asked for, and its proof
		{1, 3*per + 1, false, -1},    // that is known
		{1, 1, false, 0},             // the one that was asked for at first
		{2, 2, false, -1},            // once
		{2, 2, true, 0},              // asked for again it was lost
		{4 * per, 5 * per, false, 5}, // a proof that is not asked for goes with what comes instead
		{4 * per, 4 * per, false, -1},
		{5 * per, 6 * per, false, -1}, // but not in a crowd
		{5 * per, 7 * per, true, 7},   // where it goes if one is asked for
	} {
		if i == 7 {
			w.p.SeedCrowd = 1
		}
		got := q(x.asked, x.given, x.proof)
		if x.sent < 0 && len(got) > 0 || x.sent >= 0 && (len(got) != 1 || got[0] != x.sent) {
			t.Errorf("step %d, %+v: proofs of %v", i, x, got)
		}
	}
}

// TestNoSecondCopyOfWhatIsOnItsWay: a reader that has not got yet what came instead of something else asks for it, and is given what it lacks.
func TestNoSecondCopyOfWhatIsOnItsWay(t *testing.T) {
	w := newCrowd(t)
	var ids []NeighbourID
	for i := range 2 {
		ids = append(ids, w.join(t, 0, i+1))
	}
	w.until(time.Second)
	v := w.byID[ids[0]]
	for i := range w.n { // all are as scarce
		w.given[i], w.demand[i] = 1, 0
	}
	sent := func(i int) {
		v.sentTo.add(i)
		v.lately.add(w.now, i, w.n)
	}
	for i := range 10 {
		sent(i)
	}
	for i := range 10 {
		if got := w.substitute(v, i); got < 10 {
			t.Errorf("chunk %d is asked for and on its way, and %d goes after it", i, got)
		}
	}
	w.now += 2 * latelySpan
	if got := w.substitute(v, 5); got != 5 {
		t.Errorf("5 was lost and is asked for, and %d goes", got)
	}
	for i := range w.n {
		sent(i)
	}
	if got := w.substitute(v, 5); got != 5 {
		t.Errorf("all were sent, 5 is asked for, and %d goes", got)
	}
}

// TestLately: what was added is there for one to two spans.
func TestLately(t *testing.T) {
	var l lately
	if l.has(time.Hour, 3) {
		t.Error("an empty one has 3")
	}
	const at = 700 * time.Millisecond
	l.add(at, 3, 100)
	l.add(at+latelySpan*9/10, 4, 100)
	for _, x := range []struct {
		after       time.Duration
		three, four bool
	}{
		{latelySpan * 9 / 10, true, true}, {latelySpan * 19 / 10, true, true}, {2 * latelySpan, false, false}, {time.Hour, false, false},
	} {
		if three, four := l.has(at+x.after, 3), l.has(at+x.after, 4); three != x.three || four != x.four {
			t.Errorf("after %v: 3 %v, 4 %v, want %v and %v", x.after, three, four, x.three, x.four)
		}
	}
	l.add(2*time.Hour, 99, 100)
	if !l.has(2*time.Hour, 99) || l.has(2*time.Hour, 3) {
		t.Error("an old one came back, or the new one is not there")
	}
}

// TestAHelloAsksForOneProof: what answers a greeting is one chunk of many MetaChunks, with one proof, and that may never come.
func TestAHelloAsksForOneProof(t *testing.T) {
	c, mem := newLonely(t, 8<<20)
	h := mem.tree.Header()
	c.Join(0, []Introduction{{Peer: duoPeer(1)}}, nil)
	c.Receive(time.Millisecond, c.neighbours[0].id, &Welcome{Header: &h})
	mem.proof = map[int]bool{}
	clear(c.proofAsk)
	if !c.helloProof(0, 4) {
		t.Error("a greeting asks for no proof")
	}
	for m := range h.NumMetaChunks() {
		if !c.lacksProof(m * chunker.ChunksPerMeta) {
			t.Fatalf("of %d, the proof of MetaChunk %d is not asked for after a greeting", h.NumMetaChunks(), m)
		}
	}
	if c.helloProof(0, h.NumMetaChunks()/helloProofs) {
		t.Error("the proofs of a class of few are asked for twice")
	}
}
