package kcp

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// A packet that is left out is noticed once, when a later one comes; repeats, acknowledgements and numbers of no conversation say nothing.
func TestGaps(t *testing.T) {
	for _, test := range []struct {
		name    string
		arrive  []uint32
		missing []bool
	}{
		{"in order", []uint32{0, 1, 2}, []bool{false, false, false}},
		{"the first is lost", []uint32{1, 2, 0, 3}, []bool{true, false, false, false}},
		{"two are lost, and one again", []uint32{0, 3, 4, 1, 6, 2, 5, 7}, []bool{false, true, false, false, true, false, false, false}},
		{"a repeat", []uint32{0, 1, 1, 0, 2}, []bool{false, false, false, false, false}},
		{"no packet of this conversation", []uint32{0, 1 << 20, 1<<32 - 1, 1}, []bool{false, false, false, false}},
	} {
		var g gaps
		var got []bool
		for _, sn := range test.arrive {
			got = append(got, g.heard(segment(cmdPush, 0, sn, 0, 10)))
		}
		if !slices.Equal(got, test.missing) {
			t.Errorf("%s: %v, want %v", test.name, got, test.missing)
		}
	}
	g := gaps{next: 1<<32 - 1}
	if g.heard(segment(cmdPush, 0, 1<<32-1, 0, 10)) || !g.heard(segment(cmdPush, 0, 1, 0, 10)) {
		t.Error("numbers that wrap: want a gap before the second packet only")
	}
	if g.heard(segment(cmdAck, 0, 9, 0, 0)) {
		t.Error("an acknowledgement counts as a packet")
	}
	if both := append(segment(cmdPush, 0, 2, 0, 10), segment(cmdPush, 0, 4, 0, 10)...); !g.heard(both) {
		t.Error("a gap within a packet of several segments is not seen")
	}
}

// Missed is called when packets are lost, and only then.
func TestPipeTellsOfLosses(t *testing.T) {
	for _, loss := range []float64{0, 0.1} {
		var missed atomic.Int64
		conf := Config{Missed: func() { missed.Add(1) }}
		transfer(t, newPath(4e6, time.Millisecond, 1e6, loss), newPath(4e6, time.Millisecond, 1e6, 0), conf, 256<<10)
		if n := missed.Load(); n > 0 != (loss > 0) {
			t.Errorf("%.0f %% lost: %d calls", 100*loss, n)
		}
	}
}
