package sim

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"nt/plugins/roulette"
)

func forty(seed uint64) Config {
	return Config{Seed: seed, Params: roulette.Tuned(), Size: 128 << 10, Rate: 10, Readers: 40}
}

// beside is what forty nodes do with adversaries among them and without, in all seeds together.
type beside struct {
	clean, honest float64 // medians of honest readers, s
	mean          float64 // of honest readers over that of the clean run: the slowest count
	free          float64 // means of free riders, s
	wasted        float64 // bytes of chunks that failed their proof, over what readers wanted
}

// goal is what forty nodes reach with adversaries among them.
type goal struct {
	name  string
	size  int64
	seeds int
	most  float64 // median of honest readers over the clean run's
	short float64 // the same of a few seeds, under the race detector
}

// besideClean runs seeds 1 to n of a swarm without adversaries and with them; everybody finishes. Runs of a small object differ by a
// twentieth, so that it takes hundreds to tell two states of the protocol apart.
func besideClean(t *testing.T, n int, size int64, poisoners, riders float64) (b beside) {
	t.Helper()
	clean, with := make([]Result, n), make([]Result, n)
	cleanMean, mean := 0.0, 0.0
	var workers sync.WaitGroup
	step := runtime.GOMAXPROCS(0)
	for first := range min(step, n) {
		workers.Go(func() {
			for i := first; i < n; i += step {
				c := forty(uint64(i + 1))
				c.Size, c.TimeMax = size, time.Hour
				clean[i] = Run(c)
				c.Poisoners, c.FreeRiders = poisoners, riders
				with[i] = Run(c)
			}
		})
	}
	workers.Wait()
	bad, wanted := 0, 0
	for i, r := range with {
		if r.Finished != r.Readers {
			t.Errorf("seed %d: %d of %d readers finished", i+1, r.Finished, r.Readers)
		}
		if with[i].Stats.Bad == 0 && poisoners > 0 {
			t.Errorf("seed %d: no poison was met", i+1)
		}
		b.clean += clean[i].HonestMedian / float64(n)
		b.honest += r.HonestMedian / float64(n)
		b.free += r.FreeMean / float64(n)
		cleanMean += clean[i].HonestMean
		mean += r.HonestMean
		bad += r.Stats.Bad * roulette.BlockSize // a chunk each, at these sizes
		wanted += r.Finished * int(size)
	}
	b.wasted = float64(bad) / float64(wanted)
	b.mean = mean / cleanMean
	return b
}

// reach runs forty nodes of which these parts are adversaries, and holds them to the goals. The content's own door proves every chunk, so
// that finishing means that every byte was right.
func reach(t *testing.T, poisoners, riders float64, goals ...goal) {
	for _, g := range goals {
		t.Run(g.name, func(t *testing.T) {
			b := besideClean(t, seeds(g.seeds), g.size, poisoners, riders)
			t.Logf("median of honest readers: %.2f s clean, %.2f s with %.0f %% poisoners and %.0f %% free riders (%.3f times, means %.3f times); free riders' mean %.2f s (%.3f times), %.1f %% wasted",
				b.clean, b.honest, poisoners*100, riders*100, b.honest/b.clean, b.mean, b.free, b.free/b.honest, b.wasted*100)
			most, least := g.most, 3.0
			if testing.Short() {
				most = g.short
				if poisoners == 0 {
					least = 2.7
				}
			}
			if b.honest > most*b.clean {
				t.Errorf("honest median %.3f times the clean run's, want at most %.2f", b.honest/b.clean, most)
			}
			if b.mean > most+0.2 { // nobody is left behind among those who give nothing
				t.Errorf("honest readers' mean is %.3f times the clean run's, want at most %.2f", b.mean, most+0.2)
			}
			if riders > 0 && b.free < least*b.honest {
				t.Errorf("free riders are only %.2f times slower than honest readers, want %.1f", b.free/b.honest, least)
			}
			if b.wasted > 0.10 {
				t.Errorf("%.1f %% of the content was fetched in vain, want at most 10 %%", b.wasted*100)
			}
		})
	}
}

// seeds is how many seeds a test takes, less under the race detector.
func seeds(n int) int {
	if testing.Short() {
		return max(2, n/16)
	}
	return n
}

// TestPoisoners: 30 % of 40 nodes serve wrong bytes.
func TestPoisoners(t *testing.T) {
	reach(t, 0.3, 0, goal{"128 KiB", 128 << 10, 48, 1.3, 1.3}, goal{"1 MiB", 1 << 20, 8, 1.3, 1.3})
}

// TestFreeRiders: 30 % of 40 nodes serve nobody (docs/experiments/causes.md).
func TestFreeRiders(t *testing.T) {
	reach(t, 0, 0.3, goal{"128 KiB", 128 << 10, 208, 1.3, 1.4}, goal{"1 MiB", 1 << 20, 8, 1.3, 1.3})
}

// TestPoisonersAndFreeRiders: both in one swarm, where sixteen of forty are honest. To find out who is who costs as much for a small
// object as for a large one: honest readers of 512 KiB and more take at most 1.3 times as long as in the clean run, those of 128 KiB
// some 1.35 times, which is kept from growing (docs/experiments/causes.md).
func TestPoisonersAndFreeRiders(t *testing.T) {
	reach(t, 0.3, 0.3, goal{"128 KiB", 128 << 10, 192, 1.38, 1.5}, goal{"512 KiB", 512 << 10, 12, 1.3, 1.3}, goal{"1 MiB", 1 << 20, 32, 1.3, 1.3})
}

// TestFreeRidersLetThePoolStabilise: a stream of readers of whom 30 % serve nobody does not pile up.
func TestFreeRidersLetThePoolStabilise(t *testing.T) {
	if r := Run(Config{Seed: 1, Params: roulette.Tuned(), Size: 128 << 10, Rate: 16, FreeRiders: 0.3}); !r.Stable {
		t.Errorf("the pool does not stabilise: %+v", r)
	}
}

// TestNinetyPercentDie: 90 % of the readers vanish without a word within 10 s (F6);
// everyone that stays finishes.
func TestNinetyPercentDie(t *testing.T) {
	c := Config{Seed: 4, Params: roulette.Tuned(), Size: 1 << 20, Rate: 8, Readers: 40, Kill: 0.9, KillAt: 3 * time.Second, TimeMax: 10 * time.Minute}
	r := Run(c)
	if r.Finished == 0 || r.Finished != r.Readers {
		t.Errorf("%d of %d stayers finished", r.Finished, r.Readers)
	}
}
