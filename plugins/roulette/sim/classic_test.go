package sim

import (
	"testing"

	"nt/plugins/roulette"
)

// TestClassic holds the paper's protocol to the shape of its figures: a stable pool at 8
// arrivals a second, in several times what one reader alone needs, and uplinks that mostly wait.
func TestClassic(t *testing.T) {
	cfg := Config{Seed: 1, Params: roulette.Classic(), Size: 128 << 10, Rate: 8, PoolMax: 300}
	r := Run(cfg)
	t.Logf("%s, uplinks used to %.2f", r.Line("roulette-classic", cfg), r.UplinkUse)
	if !r.Stable || r.Finished != r.Readers {
		t.Fatalf("%d of %d readers finished, stable: %v", r.Finished, r.Readers, r.Stable)
	}
	if r.Ratio < 2.5 || r.Ratio > 3.4 || r.UplinkUse > 0.55 {
		t.Errorf("ratio %.2f, uplinks used to %.2f; recorded 2.95 and 0.44", r.Ratio, r.UplinkUse)
	}
}

// TestClassicBorders: sizes at the borders of chunks and MetaChunks, and chunks larger than
// the 4 KB of the tab.
func TestClassicBorders(t *testing.T) {
	for _, size := range []int64{0, 1, 1023, 1024, 16<<10 + 1, 64 << 10, 20 << 20} {
		cfg := Config{Seed: 3, Params: roulette.Classic(), Size: size, Rate: 20, Readers: 4, UpKbps: 80000}
		if r := Run(cfg); r.Finished != r.Readers || r.Readers != 4 {
			t.Errorf("%d bytes: %d of %d readers finished", size, r.Finished, r.Readers)
		}
	}
}
