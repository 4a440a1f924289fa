package roulette

import (
	"testing"
	"time"

	"nt/chunker"
)

// TestSeveralHoldersAreNoSlowerThanOne: of several that have all of a small object each is asked for some proofs and some chunks. On a fast
// link everything is there in milliseconds, and what is not asked for, or comes too short to be of use, is all that is waited for.
func TestSeveralHoldersAreNoSlowerThanOne(t *testing.T) {
	for _, size := range []int64{48 << 10, 160 << 10, 200 << 10, 900 << 10} {
		alone := newDuo(t, 1, size, 125e6, 200*time.Microsecond, 64).fetch(t)
		for seeds := 2; seeds <= 6; seeds++ {
			for greeted := range seeds { // so many of them were named as readers: they are greeted, not JOINed
				d := newDuo(t, seeds, size, 125e6, 200*time.Microsecond, 64)
				d.greeted = greeted
				if took := d.fetch(t); took > alone+3*proofSoon/2 {
					t.Errorf("%d KiB of %d holders, %d of them greeted: %v, of one %v; %+v", size>>10, seeds, greeted, took, alone, d.cores[0].Stats())
				}
			}
		}
	}
}

// TestWhatASeedSentShowsNoProof: who was given a chunk of a MetaChunk may have asked somebody else for its proof, and cannot use another one
// that is shortened by what that tells.
func TestWhatASeedSentShowsNoProof(t *testing.T) {
	c, id := newGiver(t, true)
	now := time.Duration(0)
	ask := func(have []byte, a Ask) (data bool, hashes int) {
		now += 500 * time.Millisecond
		c.Receive(now, id, &Request{Have: have, Asks: []Ask{a}})
		for _, a := range c.Actions() {
			if s, ok := a.(Send); ok {
				switch m := s.Msg.(type) {
				case *Data:
					data = true
				case *Proof:
					hashes = len(m.Hashes) / chunker.HashSize
				}
			}
		}
		return data, hashes
	}
	if data, hashes := ask(nil, Ask{Chunk: 17}); !data || hashes != 0 {
		t.Fatalf("chunk 17 without proof: sent %v, with %d hashes", data, hashes)
	}
	if data, hashes := ask(nil, Ask{Chunk: 5, Proof: true}); !data || hashes != chunker.ChunksPerMeta+3 {
		t.Errorf("beside a chunk that was sent: sent %v, with %d hashes, want all %d", data, hashes, chunker.ChunksPerMeta+3)
	}
	if data, hashes := ask(told(c, 17), Ask{Chunk: 33, Proof: true}); !data || hashes != chunker.ChunksPerMeta+1 {
		t.Errorf("beside a chunk that it told of: sent %v, with %d hashes, want %d", data, hashes, chunker.ChunksPerMeta+1)
	}
}

// TestProofsAreWaitedForAsAnswersAre: three times as long as nearly all of these take, and no longer than ever on slow links.
func TestProofsAreWaitedForAsAnswersAre(t *testing.T) {
	for _, x := range []struct {
		answers int
		took    time.Duration
		want    time.Duration
	}{
		{0, 0, proofRetry},
		{fewAnswers - 1, time.Millisecond, proofRetry}, // too few to go by
		{20, time.Millisecond, proofSoon},
		{20, 40 * time.Millisecond, patientProof * 40 * time.Millisecond},
		{20, time.Second, proofRetry},
	} {
		c := newDuo(t, 1, 128<<10, 1e6, time.Millisecond, 1).cores[0]
		for range x.answers {
			c.lat.Add(x.took)
		}
		if got := c.proofWait(); got < x.want || got > x.want*21/20 {
			t.Errorf("after %d answers in %v: %v, want %v", x.answers, x.took, got, x.want)
		}
	}
}
