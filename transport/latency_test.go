package transport

import (
	"testing"
	"time"
)

// TestLatencyFollows: what is usual is near the mean where all answers take as long, and far over it where they do not.
func TestLatencyFollows(t *testing.T) {
	var even, uneven Latency
	if even.Usual() != 0 {
		t.Error("something is usual before anything came")
	}
	for i := range 50 {
		even.Add(100 * time.Millisecond)
		uneven.Add(time.Duration(50+100*(i%2)) * time.Millisecond)
	}
	if even.Mean != 100*time.Millisecond || even.Usual() > 101*time.Millisecond {
		t.Errorf("mean %v, usual %v", even.Mean, even.Usual())
	}
	if uneven.Usual() < 200*time.Millisecond {
		t.Errorf("usual is %v where every other answer takes 150 ms", uneven.Usual())
	}
}
