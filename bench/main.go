// Command bench compares the interval skiplist of chunker/nois with other ways
// to keep a set of chunk numbers, and prints what it measured as Markdown:
//
//	cd bench && go run . > ../docs/experiments/nois.md
//
// It is a module of its own, so that what it compares with is no dependency of nt.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"time"
)

func main() {
	report(os.Stdout, []int{1e2, 1e3, 1e4, 1e5, 1e6})
}

// result is what one structure did with one workload.
type result struct {
	add, has, minus, encode float64 // ns: per add, per question, per interval, per interval
	memory, wire            int     // bytes
	summary                 int     // bytes of the form that fits a message; nois only
	skipped                 bool
}

// tooSlow names what is left out: the sorted slice moves half of its memory for
// every add, and a bitset of the whole number range is half a gigabyte.
func tooSlow(s structure, w workload) bool {
	return s.name == "slice" && len(w.adds) > 1e5 || s.name == "bitset" && w.universe > 1<<31
}

// measure takes the best of several rounds, which other work on the machine
// disturbs least; small sets are built more often, for the clock's sake.
func measure(s structure, w workload) (r result) {
	if tooSlow(s, w) {
		return result{skipped: true}
	}
	rounds := max(3, 200_000/len(w.adds))
	n := float64(len(w.adds))
	h := w.half()
	half := h.build(s)
	var built set
	r.add = best(rounds, func() { built = w.build(s) }) / n
	found := 0
	r.has = best(rounds, func() {
		for _, x := range w.asks {
			if built.has(x) {
				found++
			}
		}
	}) / float64(len(w.asks))
	if found == 0 {
		panic("nothing was found")
	}
	r.minus = best(min(rounds, 100), func() { built.minus(half) }) / n
	var wire []byte
	r.encode = best(min(rounds, 100), func() { wire = built.encode() }) / n
	r.wire = len(wire)
	if a, ok := built.(*noisSet); ok {
		r.summary = len(a.s.AppendSummary(nil, uint32(min(w.universe, 1<<32-1))))
	}
	r.memory = heapOf(func() any { return w.build(s) })
	return r
}

func best(rounds int, do func()) float64 {
	least := time.Hour
	for range rounds {
		start := time.Now()
		do()
		least = min(least, time.Since(start))
	}
	return float64(least.Nanoseconds())
}

// heapOf returns how many bytes more the heap holds while what make returns is alive.
func heapOf(make func() any) int {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept := make()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(kept)
	return max(0, int(after.HeapAlloc)-int(before.HeapAlloc))
}

// report prints a table for every workload, and one about growth.
func report(out io.Writer, sizes []int) {
	fmt.Fprint(out, introduction)
	fmt.Fprintf(out, "Measured with %s on %s/%s, %d processors.\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	growth := make(map[string][]result)
	for _, n := range sizes {
		for _, s := range structures() {
			growth[s.name] = append(growth[s.name], measure(s, comb("", n, 1, 4, true)))
		}
	}
	writeGrowth(out, sizes, growth)
	last := sizes[len(sizes)-1]
	mid := sizes[len(sizes)/2]
	for _, w := range []workload{
		comb(fmt.Sprintf("%d single numbers, one in each 4, in random order", mid), mid, 1, 4, true),
		comb(fmt.Sprintf("%d single numbers, one in each 4, in random order", last), last, 1, 4, true),
		comb(fmt.Sprintf("%d single numbers over the whole 32 bits, in random order", last), last, 1, uint32(1<<32/uint64(last)), true),
		comb(fmt.Sprintf("%d runs of 16 numbers, one in each 40, in random order", last), last, 16, 40, true),
		comb(fmt.Sprintf("%d single numbers, one in each 4, in ascending order", last), last, 1, 4, false),
		fill(fmt.Sprintf("an object of %d chunks filled one by one in random order", last), last, 1, true),
		fill(fmt.Sprintf("an object of %d chunks filled in MetaChunks of 16 in random order", last), last, 16, true),
		fill(fmt.Sprintf("an object of %d chunks filled one by one in ascending order", last), last, 1, false),
	} {
		writeWorkload(out, w)
	}
}

func writeGrowth(out io.Writer, sizes []int, growth map[string][]result) {
	fmt.Fprint(out, "\n## Growth\n\nns per add, and ns per question, of n single numbers added in random order (one in each 4):\n\n| |")
	for _, n := range sizes {
		fmt.Fprintf(out, " n = %d |", n)
	}
	fmt.Fprint(out, "\n|---|")
	for range sizes {
		fmt.Fprint(out, "---:|")
	}
	for _, s := range structures() {
		fmt.Fprintf(out, "\n| %s |", s.name)
		for _, r := range growth[s.name] {
			if r.skipped {
				fmt.Fprint(out, " - |")
				continue
			}
			fmt.Fprintf(out, " %.1f, %.1f |", r.add, r.has)
		}
	}
	fmt.Fprintln(out)
}

func writeWorkload(out io.Writer, w workload) {
	fmt.Fprintf(out, "\n## %s\n\n", w.name)
	fmt.Fprintln(out, "| | ns/add | ns/contains | ns/interval, difference | ns/interval, encode | memory, bytes | encoded, bytes |")
	fmt.Fprintln(out, "|---|---:|---:|---:|---:|---:|---:|")
	message, adds := 0, make(map[string]float64)
	for _, s := range structures() {
		r := measure(s, w)
		if r.skipped {
			fmt.Fprintf(out, "| %s | - | - | - | - | - | - |\n", s.name)
			continue
		}
		fmt.Fprintf(out, "| %s | %.1f | %.1f | %.2f | %.2f | %d | %d |\n", s.name, r.add, r.has, r.minus, r.encode, r.memory, r.wire)
		message = max(message, r.summary)
		adds[s.name] = r.add
	}
	fmt.Fprintf(out, "\nAn add takes nois %.2f of the btree's time and %.2f of roaring's. ", adds["nois"]/adds["btree"], adds["nois"]/adds["roaring"])
	fmt.Fprintf(out, "In a message (8 longest intervals or bitmap): %d bytes.\n", message)
}

const introduction = `# The interval skiplist against other sets

Which chunks a node holds is kept in a skiplist of intervals (F26). This page says what that costs and what it
saves. It is written by

    cd bench && go run . > ../docs/experiments/nois.md

* nois: chunker/nois. Encoded as all its intervals, two varints each; a message carries at most 8 of them.
* btree: intervals in tidwall/btree v1.8.2 (Map), encoded as nois.
* roaring: RoaringBitmap v2.30.0; runs are compressed when it is encoded.
* bitset: bits-and-blooms/bitset v1.29.0, made large enough beforehand.
* slice: intervals in a sorted slice; left out (-) where it takes minutes. So is a bitset of 32 bits.

Every time is the best of at least three rounds in one run, so only ratios mean anything. "Difference" takes every
second interval, in order of number, away; "per interval" is per interval added, not per interval left.
A bitset, and roaring where numbers lie so close that it is one, are faster at single numbers: they compute where a
number is instead of searching. They pay for it with what they send and, when numbers lie far apart, with memory and time.

`
