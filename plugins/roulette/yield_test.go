package roulette

import (
	"testing"
	"time"
)

// TestDelays: what a delay is over the least, whatever the clocks' offset, and a least of
// long ago does not count.
func TestDelays(t *testing.T) {
	ms := func(n int) uint16 { return uint16(n * int(time.Millisecond/ClockUnit)) }
	for _, offset := range []uint16{0, 40_000, 65_530} {
		var d delays
		for i, c := range []struct {
			at   time.Duration
			late int // ms
			want int
		}{
			{0, 30, 0}, {time.Second, 50, 20}, {2 * time.Second, 10, 0}, {3 * time.Second, 70, 60},
			{63 * time.Second, 25, 15},  // the least of the span before
			{124 * time.Second, 30, 5},  // which is forgotten now, not the one after
			{185 * time.Second, 40, 10}, // and so on
		} {
			if got := d.over(c.at, offset+ms(c.late)); got != time.Duration(c.want)*time.Millisecond {
				t.Errorf("offset %d, message %d: %v over the least, want %d ms", offset, i, got, c.want)
			}
		}
	}
}

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
