package lab

import (
	"fmt"
	"slices"
	"time"
)

// Result is what one run, or the median of several, showed. Times are in seconds.
type Result struct {
	System, Wire     string
	Case             string // its name in a table, if it has one
	Kbps             int    // of every link, each way
	Size             int64
	Rate             float64 // readers per second; 0: all at once
	Seed             uint64  // of all chance but the order of goroutines
	Real             float64 // seconds this machine worked at it
	State            string  // of the code that was measured, so that stale rows are known
	Readers, Done    int
	Stable           bool
	Mean, P95, Worst float64
	Bound            float64 // one reader alone, F/d, or what Case.Bound says
	// Received is what a reader received per byte of the object, with every
	// header down to IP; SeedShare is the part of it that the seed sent.
	Received, SeedShare float64
	Pool                int     // at its largest
	Honest, Free        float64 // means: who plays fair, and who does not
	Runs                int     // joined by Median, and those of them that were stable
	Steady              int
	Failure             string  // of the first reader that gave up; "" if none did
	MeanLow, MeanHigh   float64 // the spread of Mean over the runs
	P95Low, P95High     float64
}

// Ratio is the mean time over the bound.
func (r Result) Ratio() float64 { return r.Mean / r.Bound }

// Line is the report of the lab: one line per system and case.
func (r Result) Line() string {
	return fmt.Sprintf("%s wire=%s kbps=%d size=%d rate=%g mean_s=%.2f p95_s=%.2f bound_s=%.2f ratio=%.2f received_per_byte=%.3f seed_share=%.3f",
		r.System, r.Wire, r.Kbps, r.Size, r.Rate, r.Mean, r.P95, r.Bound, r.Ratio(), r.Received, r.SeedShare)
}

// Note says what the line leaves out.
func (r Result) Note() string {
	s := fmt.Sprintf("%d runs, mean %.2f to %.2f, p95 %.2f to %.2f, worst %.2f; %d of %d readers done, pool up to %d",
		r.Runs, r.MeanLow, r.MeanHigh, r.P95Low, r.P95High, r.Worst, r.Done, r.Readers, r.Pool)
	if r.Failure != "" {
		s += "; one gave up: " + r.Failure
	}
	if !r.Stable {
		s += "; DID NOT STABILISE"
	}
	return s
}

// spread fills the figures that come from a list of times.
func (r *Result) times(all []time.Duration) {
	if len(all) == 0 {
		return
	}
	slices.Sort(all)
	sum := 0.0
	for _, t := range all {
		sum += t.Seconds()
	}
	r.Mean = sum / float64(len(all))
	r.P95 = all[min(len(all)*95/100, len(all)-1)].Seconds()
	r.Worst = all[len(all)-1].Seconds()
}

// Median joins several runs of one case: of every figure the median, and the
// spread of the two that matter. A case is stable if all its runs are.
func Median(runs []Result) Result {
	r := runs[0]
	r.Steady = 0
	of := func(get func(Result) float64) (low, mid, high float64) {
		all := make([]float64, len(runs))
		for i, x := range runs {
			all[i] = get(x)
		}
		slices.Sort(all)
		return all[0], all[len(all)/2], all[len(all)-1]
	}
	r.MeanLow, r.Mean, r.MeanHigh = of(func(x Result) float64 { return x.Mean })
	r.P95Low, r.P95, r.P95High = of(func(x Result) float64 { return x.P95 })
	_, r.Received, _ = of(func(x Result) float64 { return x.Received })
	_, r.SeedShare, _ = of(func(x Result) float64 { return x.SeedShare })
	_, r.Honest, _ = of(func(x Result) float64 { return x.Honest })
	_, r.Free, _ = of(func(x Result) float64 { return x.Free })
	_, _, r.Worst = of(func(x Result) float64 { return x.Worst })
	r.Runs = len(runs)
	for _, x := range runs {
		if x.Stable {
			r.Steady++
		}
	}
	for _, x := range runs[1:] {
		r.Stable = r.Stable && x.Stable
		r.Done += x.Done
		r.Readers += x.Readers
		r.Pool = max(r.Pool, x.Pool)
	}
	return r
}
