package lab

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
)

// The lab's experiments. They are tests because virtual time needs one, and are
// skipped unless NT_LAB asks for them: "quick" for one line per system, "full" for all runs of
// docs/experiments, "report" for its tables and pictures, "trace" for what readers do by their age.

const kib = 1 << 10

// runner runs one case of one system.
type runner struct {
	name string
	run  func(t *testing.T, c Case) Result
}

func overNet(s System) runner {
	return runner{s.Name + "/" + s.Wire, func(t *testing.T, c Case) Result {
		c.Progress = progress(s.Name, c)
		return run(t, s, c)
	}}
}

func overMem(profile string) runner {
	return runner{"roulette-" + profile + "/mem", func(t *testing.T, c Case) Result {
		started := time.Now()
		r := RunMem(profile, c)
		r.Real = time.Since(started).Seconds()
		t.Logf("%s seed=%d %s", r.Line(), c.Seed, r.Note())
		return r
	}}
}

// progress tells of long runs on the standard error stream.
func progress(name string, c Case) func(second, pool int) {
	return func(second, pool int) {
		if second%10 == 0 && os.Getenv("NT_LAB") == "full" {
			fmt.Fprintf(os.Stderr, "  %s size=%d kbps=%d rate=%g seed=%d: %d s, %d in the pool\n", name, c.Size, c.Kbps, c.Rate, c.Seed, second, pool)
		}
	}
}

func wants(t *testing.T, mode string) {
	t.Helper()
	if os.Getenv("NT_LAB") != mode {
		t.Skipf("set NT_LAB=%s", mode)
	}
}

// repeat runs a case with seeds 1 to n and joins the results. A case that does not
// stabilise is not run again: nothing but its instability is told.
func repeat(t *testing.T, r runner, c Case, n int) Result {
	var all []Result
	for seed := range n {
		c.Seed = uint64(seed + 1)
		if all = append(all, r.run(t, c)); !all[seed].Stable {
			break
		}
	}
	m := Median(all)
	if !m.Stable {
		fmt.Printf("# %s kbps=%d size=%d rate=%g: ", r.name, c.Kbps, c.Size, c.Rate)
	} else {
		fmt.Println(m.Line())
		fmt.Print("# ")
	}
	fmt.Println(m.Note())
	return m
}

func runs(fallback int) int {
	if n, err := strconv.Atoi(os.Getenv("NT_LAB_RUNS")); err == nil && n > 0 {
		return n
	}
	return fallback
}

// TestLabQuick prints one line per system, each at a rate it bears, and fails when one
// of ours has become slower than its recorded ceiling.
func TestLabQuick(t *testing.T) {
	wants(t, "quick")
	base := Case{Size: 128 * kib, Kbps: 800}
	for _, x := range quickCases() {
		c := base
		c.Rate = x.rate
		r := repeat(t, x.runner, c, runs(x.runs))
		if x.ceiling > 0 && (!r.Stable || r.Ratio() > x.ceiling) {
			t.Errorf("%s at %g/s: ratio %.2f is over its ceiling of %.2f, or it did not stabilise: %s", x.name, x.rate, r.Ratio(), x.ceiling, r.Note())
		}
	}
	s := Swarm{base.Size, 32, 1e5, 1e5, 32e5}
	fmt.Printf("# one reader alone: %.2f s; 32 at once: L1 %.2f s, L2 %.2f s\n", Solo(base.Size, 1e5).Seconds(), s.ClientServer().Seconds(), s.PeerToPeer().Seconds())
}

type quickCase struct {
	runner
	rate    float64
	runs    int
	ceiling float64 // of the ratio: what was measured and a tenth; 0 for others' systems
}

func quickCases() []quickCase {
	return []quickCase{
		{overNet(Roulette("tuned", "kcp", startKCPClock)), 8, 1, 1.63},
		{overNet(Roulette("tuned", "udp", nil)), 4, 1, 1.64},
		{overMem("tuned"), 8, 1, 1.60},
		{overMem("classic"), 8, 1, 3.4},
		{overNet(BitTorrent()), 8, 1, 0},
		{overNet(PluginHTTP()), 4, 3, 3.4},
		{overNet(PlainHTTP()), 0.5, 3, 0},
	}
}
