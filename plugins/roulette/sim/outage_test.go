package sim

import (
	"testing"
	"time"

	"nt/plugins/roulette"
)

// A swarm whose seed cannot be reached for ten seconds stays together: its readers have the same and nothing to say to each other but
// that they are there. When the seed is back they go on as they were, and need hardly more than the time it was away.
func TestASwarmWaitsForItsSeed(t *testing.T) {
	const from, away = 2 * time.Second, 10 * time.Second
	run := func(away time.Duration) (least int, r Result) {
		cfg := forty(1)
		cfg.Size, cfg.Rate, cfg.TimeMax = 512<<10, 0, 2*time.Minute
		w := New(cfg)
		w.begin()
		least = roulette.Tuned().MaxDegree
		cut, looked := false, false
		for w.more() && w.Step() {
			if !cut && w.now >= from {
				cut = true
				w.hosts[0].up.busy, w.hosts[0].down.busy = w.now+away, w.now+away // what goes that way is lost
			}
			if !looked && w.now >= from+away {
				looked = true
				for _, h := range w.hosts[1:] {
					if h.doneAt == 0 {
						least = min(least, h.core.Glance().Neighbours)
					}
				}
			}
		}
		return least, w.result()
	}
	_, well := run(0)
	least, r := run(away)
	t.Logf("at least %d neighbours after %v without a seed; mean %.1f s, the last %.1f; %.1f and %.1f s with it", least, away, r.Mean, r.Max, well.Mean, well.Max)
	if want := roulette.Tuned().MinDegree / 2; least < want {
		t.Errorf("a reader has %d neighbours when the seed is back, want %d", least, want)
	}
	if r.Finished != r.Readers || r.Mean > 1.1*(well.Mean+away.Seconds()) {
		t.Errorf("%d of %d are done, after %.1f s on average; %.1f with the seed there", r.Finished, r.Readers, r.Mean, well.Mean)
	}
}
