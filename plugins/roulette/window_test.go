package roulette

import (
	"testing"
	"time"
)

// Who is far away has more under way, who is near less.
func TestChunkWindow(t *testing.T) {
	for _, test := range []struct {
		size   int64
		rtt    time.Duration
		link   float64
		window int
	}{
		{10 << 20, 0, 1e5, 24},
		{10 << 20, usualWay, 1e5, 24},
		{10 << 20, 20 * time.Millisecond, 1e5, 19},
		{10 << 20, 145 * time.Millisecond, 1e5, 30},
		{10 << 20, time.Second, 1e5, 36},
		{10 << 20, time.Second, 0, 24},
		{10 << 20, time.Second, 1e6, 24},
		{128 << 10, 145 * time.Millisecond, 1e5, 6},
	} {
		c, _ := lacking(t, test.size, 9, 0, 0)
		c.peak.most = test.link * peakSpan.Seconds()
		for _, v := range c.neighbours {
			v.link.rtt = test.rtt
		}
		if got := c.chunkWindow(); got != test.window {
			t.Errorf("%d bytes, %v away: %d blocks, want %d", test.size, test.rtt, got, test.window)
		}
	}
}
