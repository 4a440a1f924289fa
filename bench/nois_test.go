package main

import (
	"fmt"
	"testing"
)

// TestContestantsAgree checks that every structure computes the same sets, so
// that what is compared is the same work.
func TestContestantsAgree(t *testing.T) {
	for _, w := range []workload{
		comb("singles", 3000, 1, 4, true), comb("runs", 500, 16, 40, true), fill("filling", 5000, 1, true),
		fill("filling by 16", 5000, 16, true), fill("in order", 5000, 1, false),
	} {
		all := structures()
		h := w.half()
		first, firstDiff := w.build(all[0]), w.build(all[0]).minus(h.build(all[0]))
		for _, s := range all[1:] {
			got := w.build(s)
			diff := got.minus(h.build(s))
			if got.count() != first.count() || diff.count() != firstDiff.count() {
				t.Errorf("%s: %s has %d and %d, nois %d and %d", w.name, s.name, got.count(), diff.count(), first.count(), firstDiff.count())
			}
			for _, x := range w.asks {
				if got.has(x) != first.has(x) || diff.has(x) != firstDiff.has(x) {
					t.Fatalf("%s: %s and nois differ about %d", w.name, s.name, x)
				}
			}
		}
	}
}

func BenchmarkAdd(b *testing.B) {
	for _, n := range []int{1e3, 1e6} {
		for _, w := range []workload{comb("singles", n, 1, 4, true), comb("wide", n, 1, uint32(1<<32/uint64(n)), true), fill("filling", n, 1, true), fill("filling-16", n, 16, true), fill("in-order", n, 1, false)} {
			for _, s := range structures() {
				if s.name == "slice" && n > 1e5 || s.name == "bitset" && w.universe > 1<<31 {
					continue
				}
				b.Run(fmt.Sprintf("%s/%d/%s", w.name, n, s.name), func(b *testing.B) {
					for b.Loop() {
						w.build(s)
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(w.adds)), "ns/add")
				})
			}
		}
	}
}
