package lab

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// run runs a case in a bubble of its own.
func run(t *testing.T, s System, c Case) (r Result) {
	t.Helper()
	started := time.Now()
	synctest.Test(t, func(t *testing.T) {
		var err error
		if r, err = Run(s, c); err != nil {
			t.Errorf("%s, seed %d: %v", s.Name, c.Seed, err)
		}
	})
	r.Real = time.Since(started).Seconds()
	t.Logf("%s seed=%d %s real=%.1fs", r.Line(), c.Seed, r.Note(), r.Real)
	return r
}

func TestF46_StabilisedPool(t *testing.T) {
	for _, c := range []struct {
		name    string
		samples []int
		over    int // after so many samples; 0: never
	}{
		{"never anybody", make([]int, 10), 10},
		{"grows for ever", steps(0, 1, 60), 0},
		{"grows and stays", append(steps(0, 1, 25), steps(25, 0, 40)...), 40},
		{"falls at once", append(steps(9, 0, 10), steps(8, 0, 20)...), 20},
		{"the same again is not higher", steps(5, 0, 30), 20},
		{"one sample counts", append(steps(3, 0, 19), append([]int{4}, steps(3, 0, 30)...)...), 30},
	} {
		var w Watch
		over := 0
		for i, s := range c.samples {
			if w.Sample(s) {
				over = i + 1
				break
			}
		}
		if over != c.over {
			t.Errorf("%s: over after %d samples, want %d", c.name, over, c.over)
		}
	}
}

func steps(from, step, n int) (out []int) {
	for i := range n {
		out = append(out, from+i*step)
	}
	return out
}

func TestL1_L2_Bounds(t *testing.T) {
	mb := int64(1_000_000)
	for _, c := range []struct {
		name   string
		s      Swarm
		l1, l2 float64
	}{
		{"one reader", Swarm{mb, 1, 100_000, 100_000, 100_000}, 10, 10},
		{"the server's uplink", Swarm{mb, 10, 100_000, 1e9, 1_000_000}, 100, 10},
		{"the slowest downlink", Swarm{mb, 10, 1e9, 50_000, 1_000_000}, 20, 20},
		{"all uplinks", Swarm{mb, 100, 1e6, 1e9, 1e6}, 100, 50},
		{"the course's figure: us = 10u, N = 30", Swarm{mb, 30, 10e6, 1e9, 30e6}, 3, 0.75},
	} {
		if l1, l2 := c.s.ClientServer().Seconds(), c.s.PeerToPeer().Seconds(); math.Abs(l1-c.l1) > 1e-6 || math.Abs(l2-c.l2) > 1e-6 {
			t.Errorf("%s: %v and %v, want %v and %v", c.name, l1, l2, c.l1, c.l2)
		}
	}
	if s := Solo(128<<10, 100_000).Seconds(); math.Abs(s-1.31072) > 1e-9 {
		t.Errorf("128 KiB at 800 kbit/s: %v s", s)
	}
}

func TestResultLine(t *testing.T) {
	r := Result{System: "roulette-tuned", Wire: "kcp", Kbps: 800, Size: 131072, Rate: 32, Mean: 1.7849, P95: 2, Bound: 1.31072, Received: 1.1234, SeedShare: 0.0156}
	want := "roulette-tuned wire=kcp kbps=800 size=131072 rate=32 mean_s=1.78 p95_s=2.00 bound_s=1.31 ratio=1.36 received_per_byte=1.123 seed_share=0.016"
	if got := r.Line(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// TestMedian: the middle of the runs, their spread, and unstable if one is.
func TestMedian(t *testing.T) {
	m := Median([]Result{{Mean: 3, P95: 4, Stable: true, Done: 1}, {Mean: 1, P95: 9, Stable: true, Done: 2}, {Mean: 2, P95: 5, Done: 3}})
	if m.Mean != 2 || m.MeanLow != 1 || m.MeanHigh != 3 || m.P95 != 5 || m.P95High != 9 || m.Stable || m.Done != 6 || m.Runs != 3 {
		t.Errorf("%+v", m)
	}
}

// TestL1_HTTPAloneMeetsItsBound: one server and its readers take what the course's
// formula says, and no stable pool below its capacity becomes unstable above.
func TestL1_HTTPAloneMeetsItsBound(t *testing.T) {
	const readers = 10
	r := run(t, PlainHTTP(), Case{Seed: 1, Size: 64 << 10, Kbps: 800, Readers: readers})
	bound := Swarm{64 << 10, readers, 100_000, 100_000, readers * 100_000}.ClientServer().Seconds()
	if r.Done != readers || r.Worst < bound || r.Worst > 1.15*bound+0.2 || r.SeedShare < 0.99 {
		t.Errorf("%d of %d readers after %.2f s, seed share %.2f; the bound is %.2f s", r.Done, readers, r.Worst, r.SeedShare, bound)
	}
	if r := run(t, PlainHTTP(), Case{Seed: 1, Size: 64 << 10, Kbps: 800, Rate: 1}); !r.Stable || r.Ratio() > 2 {
		t.Errorf("one reader a second: %s %s", r.Line(), r.Note())
	}
	if r := run(t, PlainHTTP(), Case{Seed: 1, Size: 64 << 10, Kbps: 800, Rate: 8, PoolMax: 100}); r.Stable {
		t.Errorf("F50: 8 readers a second should be too many: %s %s", r.Line(), r.Note())
	}
}

// TestReadersHelp: at a rate that one server cannot bear, transport http does.
func TestReadersHelp(t *testing.T) {
	r := run(t, PluginHTTP(), Case{Seed: 1, Size: 128 << 10, Kbps: 800, Rate: 4})
	if !r.Stable || r.SeedShare > 0.5 || r.Received < 1 {
		t.Errorf("%s %s", r.Line(), r.Note())
	}
}

// TestWhoGivesUpIsNotServed: a pool that empties because readers fail is not stable.
func TestWhoGivesUpIsNotServed(t *testing.T) {
	s := System{Name: "nobody", Wire: "none", Open: func(*Node) (Client, error) { return failing{}, nil }}
	if r := run(t, s, Case{Seed: 1, Size: 4 << 10, Kbps: 800, Rate: 2}); r.Stable || r.Done != 0 || r.Readers == 0 || !strings.Contains(r.Note(), "not today") {
		t.Errorf("%s", r.Note())
	}
}

type failing struct{}

func (failing) Fetch(context.Context) error { return errors.New("not today") }
func (failing) Close() error                { return nil }

// TestRouletteOverBothWires: the real nodes run in virtual time and finish.
func TestRouletteOverBothWires(t *testing.T) {
	for _, s := range []System{Roulette("tuned", "kcp", startKCPClock), Roulette("tuned", "udp", nil),
		Roulette("classic", "kcp", startKCPClock), Roulette("classic", "udp", nil)} {
		if r := run(t, s, Case{Seed: 1, Size: 64 << 10, Kbps: 800, Rate: 4, Readers: 8}); !r.Stable || r.Done != 8 || r.Received < 1 || r.Received > 3 {
			t.Errorf("%s %s", r.Line(), r.Note())
		}
	}
}

// TestPlugsArePulled: readers that vanish are not waited for and not counted.
func TestPlugsArePulled(t *testing.T) {
	r := run(t, PlainHTTP(), Case{Seed: 1, Size: 64 << 10, Kbps: 800, Readers: 10, Killed: 0.5, KillAt: 100 * time.Millisecond})
	if r.Readers >= 10 || r.Readers == 0 || r.Done != r.Readers {
		t.Errorf("%s %s", r.Line(), r.Note())
	}
	if !strings.Contains(r.Note(), "readers done") {
		t.Error(r.Note())
	}
}
