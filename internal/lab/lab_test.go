package lab

import (
	"fmt"
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
	t.Logf("%s seed=%d %s real=%.1fs", r.Line(), c.Seed, r.Note(), time.Since(started).Seconds())
	return r
}

func TestTry(t *testing.T) {
	for _, s := range []System{PlainHTTP(), PluginHTTP()} {
		for _, rate := range []float64{0.25, 0.5} {
			r := run(t, s, Case{Seed: 1, Size: 128 << 10, Kbps: 800, Rate: rate})
			fmt.Println(r.Line())
		}
	}
	fmt.Println(run(t, PluginHTTP(), Case{Seed: 1, Size: 128 << 10, Kbps: 800, Rate: 4}).Line())
	fmt.Println(run(t, PlainHTTP(), Case{Seed: 1, Size: 128 << 10, Kbps: 800, Rate: 1}).Line())
}
