package roulette

import (
	"iter"
	"math/bits"
	"math/rand/v2"

	"nt/chunker/nois"
)

// bitset is the set of chunks one node holds, for the picker: union and
// difference of 64 chunks at a time. What goes on the wire is nois' form.
type bitset []uint64

func newBitset(n int) bitset { return make(bitset, (n+63)/64) }

func (b bitset) has(i int) bool { return b[i>>6]&(1<<(i&63)) != 0 }
func (b bitset) add(i int)      { b[i>>6] |= 1 << (i & 63) }
func (b bitset) drop(i int)     { b[i>>6] &^= 1 << (i & 63) }

// all yields the chunks of b in order; what is dropped meanwhile may come all the same.
func (b bitset) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for w, m := range b {
			for ; m != 0; m &= m - 1 {
				if !yield(w*64 + bits.TrailingZeros64(m)) {
					return
				}
			}
		}
	}
}

// missingFrom returns a chunk that o has and b has not, or -1.
func (b bitset) missingFrom(o bitset) int {
	for w := range o {
		if m := o[w] &^ b[w]; m != 0 {
			return w*64 + bits.TrailingZeros64(m)
		}
	}
	return -1
}

// lacks reports whether o has a chunk that b has not.
func (b bitset) lacks(o bitset) bool {
	return b.missingFrom(o) >= 0
}

// newTo returns, of a word of chunks, those we have that v has not, was not sent, and does not expect from elsewhere.
func (c *Core) newTo(v *neighbour, w int) uint64 {
	m := c.bits[w] &^ v.have[w] &^ v.sentTo[w]
	if c.cfg.Seed {
		m &^= v.pending[w]
	}
	return m
}

// parseSummary calls add for every chunk of an object of n chunks that a have
// summary (nois.AppendSummary's form, or a list's) tells, and reports whether it is well formed.
func parseSummary(b []byte, n int, add func(word int, mask uint64)) bool {
	if len(b) == 0 {
		return true
	}
	switch tag, body := b[0], b[1:]; {
	case tag == summaryBitmap:
		if n > nois.MaxBitmapChunks || len(body) != nois.BitmapSize(uint32(n)) || n%8 != 0 && body[len(body)-1]>>(n%8) != 0 {
			return false
		}
		for i, v := range body {
			if v != 0 {
				add(i/8, uint64(v)<<(8*(i%8)))
			}
		}
		return true
	case tag == summaryIntervals:
		ivs, rest, err := nois.ParseIntervals(body, uint32(n))
		if err != nil || len(rest) != 0 {
			return false
		}
		for _, iv := range ivs {
			addRange(int(iv.Start), int(iv.End), add)
		}
		return true
	case tag <= summaryList+maxRice:
		return parseList(body, int(tag-summaryList), n, add)
	}
	return false
}

// The two forms nois.AppendSummary writes, and the first of a list's.
const (
	summaryIntervals = 0
	summaryBitmap    = 1
	summaryList      = 2
)

func addRange(lo, hi int, add func(word int, mask uint64)) {
	for lo < hi {
		w := lo / 64
		end := min(hi, (w+1)*64)
		mask := ^uint64(0) << (lo % 64)
		if end%64 != 0 {
			mask &= 1<<(end%64) - 1
		}
		add(w, mask)
		lo = end
	}
}

// digest is what a have summary is made of that changes with the holdings only, and takes a walk over all of them.
type digest struct {
	whole   []byte          // the summary, if all of it fits
	longest []nois.Interval // else the four longest intervals
}

// digestOf prepares summaries of at most max bytes of an object of n chunks.
func digestOf(s *nois.Set, n, max int) *digest {
	b := s.AppendSummary(nil, uint32(n))
	switch {
	case len(b) <= max && (b[0] == summaryBitmap || s.Intervals() <= nois.MaxWireIntervals):
		return &digest{whole: b}
	case max > nois.BitmapSize(uint32(n)) && n <= nois.MaxBitmapChunks:
		return &digest{whole: s.AppendBitmap([]byte{summaryBitmap}, uint32(n))}
	}
	return &digest{longest: s.Top(4, uint32(n))}
}

// summary returns a have summary of s, in at most max bytes, and where the next one should begin. What does not
// fit is told another time: of many intervals the longest go, and four from a chunk on, so that a neighbour who is told the next four
// each time, and adds up what it hears, learns all of them.
func (d *digest) summary(s *nois.Set, max int, from uint32) (b []byte, next uint32) {
	if d.whole != nil {
		return d.whole, from
	}
	turn, next := intervalsFrom(s, from, nois.MaxWireIntervals/2)
	for k := len(d.longest); k >= 0; k-- {
		some := nois.Of(turn...)
		for _, iv := range d.longest[:k] {
			some.AddRange(iv)
		}
		if b = some.AppendTop([]byte{summaryIntervals}, nois.MaxWireIntervals); len(b) <= max {
			break
		}
	}
	return b, next
}

// intervalsFrom returns the k intervals of s that begin at or after a chunk, then the first ones, and where the next one begins.
func intervalsFrom(s *nois.Set, from uint32, k int) (out []nois.Interval, next uint32) {
	for ; len(out) < k; from = out[len(out)-1].End {
		iv, ok := s.NextPresent(from)
		if !ok {
			if iv, ok = s.NextPresent(0); !ok {
				break
			}
		}
		out = append(out, iv)
	}
	return out, from
}

// summaryOf returns the have summary of an object of n chunks in at most most bytes.
func summaryOf(s *nois.Set, n, most int, rng *rand.Rand) []byte {
	b, _ := digestOf(s, n, most).summary(s, most, uint32(rng.IntN(max(n, 1))))
	return b
}

// rarest returns the chunk of cand (a word at a time, from a random word on)
// with the lowest count, ties broken at random, or -1; without counts all are alike. It looks at no more than
// maxLook candidates, which bounds its cost for large objects.
func rarest(words int, cand func(w int) uint64, count []uint16, rng *rand.Rand) int {
	const maxLook = 256
	best, low, ties, looked := -1, 0, 0, 0
	start := 0
	if words > 1 {
		start = rng.IntN(words)
	}
	for k := 0; k < words && looked < maxLook; k++ {
		w := start + k
		if w >= words {
			w -= words
		}
		for m := cand(w); m != 0; m &= m - 1 {
			i := w*64 + bits.TrailingZeros64(m)
			looked++
			n := 0
			if count != nil {
				n = int(count[i])
			}
			switch {
			case best < 0 || n < low:
				best, low, ties = i, n, 1
			case n == low:
				if ties++; rng.IntN(ties) == 0 {
					best = i
				}
			}
		}
	}
	return best
}
