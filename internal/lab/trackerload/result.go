package main

import (
	"fmt"
	"math/bits"
	"time"
)

// result is what came back.
type result struct {
	sent, answered, refused int64
	bytes                   int64
	took                    time.Duration // of sending
	latency                 histogram
}

// histogram counts microseconds in buckets an eighth of their size wide.
type histogram [64 * 8]int64

func (h *histogram) add(us int64) {
	us = max(us, 1)
	top := bits.Len64(uint64(us)) - 1
	eighth := 0
	if top >= 3 {
		eighth = int(us>>(top-3)) & 7
	}
	h[top*8+eighth]++
}

// at returns the microseconds below which the share of all values lies, as the
// bucket's upper end.
func (h *histogram) at(share float64) int64 {
	total := int64(0)
	for _, n := range h {
		total += n
	}
	rest := int64(float64(total) * share)
	for i, n := range h {
		if rest -= n; rest < 0 {
			top := i / 8
			if top < 3 {
				return 2<<top - 1
			}
			return 1<<top + int64(i%8+1)<<(top-3) - 1
		}
	}
	return 0
}

func (r *result) line(c config) string {
	s := r.took.Seconds()
	return fmt.Sprintf("%s offered=%.0f/s answered=%.0f/s refused=%d loss=%.2f%% p50=%v p99=%v bytes=%.0f took=%v", c.mode,
		float64(r.sent)/s, float64(r.answered)/s, r.refused, 100*(1-float64(r.answered+r.refused)/float64(max(r.sent, 1))),
		time.Duration(r.latency.at(0.5))*time.Microsecond, time.Duration(r.latency.at(0.99))*time.Microsecond,
		float64(r.bytes)/float64(max(r.answered, 1)), r.took)
}
