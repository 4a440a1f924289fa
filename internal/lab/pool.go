package lab

import (
	"slices"
	"time"
)

// Watch is the stabilised pool test (F46): the number of readers that are not
// done is sampled each second; every ten seconds the largest of the last ten samples is
// compared with the largest so far, and the test ends when it is not larger.
type Watch struct {
	samples []int
	highest int
	Stable  bool
}

const (
	sampleEvery = time.Second
	windowOf    = 10 // samples
)

// Sample takes the size of the pool and reports whether the test is over.
func (w *Watch) Sample(pool int) (over bool) {
	w.samples = append(w.samples, pool)
	if w.Stable || len(w.samples)%windowOf != 0 {
		return w.Stable
	}
	last := slices.Max(w.samples[len(w.samples)-windowOf:])
	w.Stable = last <= w.highest
	w.highest = max(w.highest, last)
	return w.Stable
}

// Largest is the largest pool seen.
func (w *Watch) Largest() int {
	if len(w.samples) == 0 {
		return 0
	}
	return slices.Max(w.samples)
}
