package lab

import (
	"testing"
	"time"
)

// longFat is one reader and eight nodes that hold everything, all on links of 100 Mbit/s
// with round trips of 10 to 190 ms, 100 ms on average, and queues of half of that.
func longFat(size int64) Case {
	return Case{Seed: 1, Size: size, Kbps: 100_000, Holders: 7, Readers: 1, Delay: 50 * time.Millisecond, Queue: 625_000}
}

// TestLongFatLink: a path that holds more than a megabyte is filled. 100 MiB is
// one of the trials; here a quarter, of which the start is a larger part.
func TestLongFatLink(t *testing.T) {
	if testing.Short() {
		t.Skip("25 MiB through emulated links")
	}
	var all []Result // goroutine order makes runs differ
	for range 5 {
		r := run(t, Roulette("tuned", "kcp", startKCPClock), longFat(25<<20))
		if r.Done != 1 {
			t.Fatalf("not done: %s %s", r.Line(), r.Note())
		}
		all = append(all, r)
	}
	if r := Median(all); !r.Stable || r.Ratio() > 1/longFatLeast {
		t.Errorf("%.0f %% of the link: %s %s", 100/r.Ratio(), r.Line(), r.Note())
	}
}

// longFatLeast is the part of the link that must be used at 25 MiB, in the median of five runs.
const longFatLeast = 0.5
