package main

import (
	"math/rand/v2"
	"slices"

	"nt/chunker/nois"
)

// workload is a list of intervals to be added, in that order.
type workload struct {
	name     string
	universe uint64 // numbers are below this
	adds     []nois.Interval
	asks     []uint32 // half of them there
}

// comb returns n intervals of the given length that never touch, one in each
// stretch of spacing numbers, in random order.
func comb(name string, n int, length, spacing uint32, shuffled bool) workload {
	rnd := rand.New(rand.NewPCG(1, uint64(n)))
	w := workload{name: name, universe: uint64(n) * uint64(spacing)}
	for i := range uint32(n) {
		at := i*spacing + rnd.Uint32N(spacing-length)
		w.adds = append(w.adds, nois.Interval{Start: at, End: at + length})
	}
	if shuffled {
		rnd.Shuffle(n, func(i, j int) { w.adds[i], w.adds[j] = w.adds[j], w.adds[i] })
	}
	w.ask(rnd)
	return w
}

// fill returns the numbers below n in pieces of the given length, in random
// order or not: an object being fetched, which ends as one interval.
func fill(name string, n int, length uint32, shuffled bool) workload {
	rnd := rand.New(rand.NewPCG(2, uint64(n)))
	w := workload{name: name, universe: uint64(n)}
	for at := uint32(0); at < uint32(n); at += length {
		w.adds = append(w.adds, nois.Interval{Start: at, End: min(at+length, uint32(n))})
	}
	if shuffled {
		rnd.Shuffle(len(w.adds), func(i, j int) { w.adds[i], w.adds[j] = w.adds[j], w.adds[i] })
	}
	w.ask(rnd)
	return w
}

func (w *workload) ask(rnd *rand.Rand) {
	for range min(len(w.adds), 1<<16) {
		w.asks = append(w.asks, w.adds[rnd.IntN(len(w.adds))].Start, uint32(rnd.Uint64N(w.universe)))
	}
}

func (w *workload) build(s structure) set {
	out := s.make(w.universe)
	for _, iv := range w.adds {
		out.add(iv.Start, iv.End)
	}
	return out
}

// half is the same workload without every second add, in order of number.
func (w *workload) half() workload {
	h := workload{universe: w.universe}
	adds := slices.SortedFunc(slices.Values(w.adds), func(a, b nois.Interval) int { return int(int64(a.Start) - int64(b.Start)) })
	for i := 0; i < len(adds); i += 2 {
		h.adds = append(h.adds, adds[i])
	}
	return h
}
