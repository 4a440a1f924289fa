package sim

import (
	"testing"

	"nt/plugins/roulette"
)

// TestLabQuick prints one line per case and holds every figure to a recorded ceiling.
// Time is virtual, so a figure changes only when the protocol does.
func TestLabQuick(t *testing.T) {
	for _, c := range []struct {
		rate, kbps     float64
		size           int64
		ratio, p95     float64 // ceilings; p95 as a ratio too
		receivedPerFor float64
	}{
		{8, 800, 128 << 10, 1.60, 1.83, 1.26},
		{32, 800, 128 << 10, 1.63, 1.83, 1.28},
	} {
		cfg := Config{Seed: 1, Params: roulette.Tuned(), Size: c.size, Rate: c.rate, UpKbps: c.kbps}
		r := Run(cfg)
		t.Log(r.Line("roulette-tuned", cfg))
		if !r.Stable {
			t.Errorf("%g/s: the pool does not stabilise", c.rate)
		}
		if r.Ratio > c.ratio || r.P95/r.Bound > c.p95 || r.Received > c.receivedPerFor {
			t.Errorf("%g/s: ratio %.2f, p95 %.2f, received %.3f: worse than recorded (%.2f, %.2f, %.2f)",
				c.rate, r.Ratio, r.P95/r.Bound, r.Received, c.ratio, c.p95, c.receivedPerFor)
		}
	}
}
