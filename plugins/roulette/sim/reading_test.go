package sim

import (
	"testing"

	"nt/plugins/roulette"
)

// TestBeginningComesEarly: whoever reads the object while it comes sees its beginning long before its end, and the
// whole does not come later for it (docs/adr/0028).
func TestBeginningComesEarly(t *testing.T) {
	var first, mean [2]float64
	for seed := range uint64(5) {
		for i, ahead := range []int{0, roulette.Tuned().Ahead} {
			c := small(seed + 1)
			c.Params.Ahead = ahead
			r := Run(c)
			first[i] += r.First / 5
			mean[i] += r.Mean / 5
		}
	}
	t.Logf("first chunk after %.2f s, all after %.2f s; %.2f and %.2f s where the rarest is all that counts", first[1], mean[1], first[0], mean[0])
	if first[1] > 0.7*first[0] {
		t.Errorf("the first chunk is there after %.2f of the time it takes without", first[1]/first[0])
	}
	if mean[1] > 1.03*mean[0] {
		t.Errorf("all is there after %.3f times the time it takes without", mean[1]/mean[0])
	}
}
