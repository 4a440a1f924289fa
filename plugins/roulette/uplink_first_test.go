package roulette

import (
	"math"
	"testing"
	"time"
)

// A busy machine makes a fast link look like a slow one for a moment. What was sent long ago must not be taken for what waits in the
// modem: a seed of 1 GiB was silent for four seconds, and its reader gave up.
func TestUplinkThatSuddenlyLooksSlowIsNotSilent(t *testing.T) {
	p := Tuned()
	u := NewUplink(&p, 80)
	var l link
	now, stamp := time.Duration(0), uint16(0)
	exchange := func(late time.Duration) { // 10,800 bytes in half a millisecond, and an echo of the last
		for range 10 {
			now += 50 * time.Microsecond
			stamp++
			u.sent(now, &l, stamp, 1000)
		}
		u.echoed(&l, stamp, ticks(late))
	}
	for range 2000 { // nothing is ever late
		exchange(0)
	}
	for i := range 300 { // as if the link were of 8 MB/s
		exchange(time.Duration(i) * 850 * time.Microsecond)
		if math.IsInf(u.Rate(), 1) {
			continue
		}
		if wait := u.readyAt() - now; wait > 10*time.Millisecond {
			t.Errorf("after %d late echoes the next block waits for %v at %.0f bytes/s", i+1, wait, u.Rate())
		}
		return
	}
	t.Error("nothing made the link look slow: the test shows nothing")
}
