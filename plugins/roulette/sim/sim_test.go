package sim

import (
	"testing"

	"nt/plugins/roulette"
)

func small(seed uint64) Config {
	return Config{Seed: seed, Params: roulette.Tuned(), Size: 128 << 10, Rate: 20, Readers: 40}
}

func TestSameSeedSameTrace(t *testing.T) {
	a, b, c := Run(small(1)), Run(small(1)), Run(small(2))
	if a.Trace != b.Trace {
		t.Errorf("two runs of one seed: traces %x and %x", a.Trace, b.Trace)
	}
	if a.Trace == c.Trace {
		t.Errorf("seeds 1 and 2 have the same trace %x", a.Trace)
	}
}

func TestEveryReaderFinishes(t *testing.T) {
	for _, size := range []int64{0, 1, 1023, 1024, 4 << 10, 16<<10 + 1, 64 << 10, 5 << 20} {
		cfg := small(3)
		cfg.Size, cfg.Readers = size, 8
		cfg.UpKbps = 8000
		if r := Run(cfg); r.Finished != r.Readers || r.Readers != 8 {
			t.Errorf("%d bytes: %d of %d readers finished", size, r.Finished, r.Readers)
		}
	}
}
