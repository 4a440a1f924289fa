package peer

import "time"

// DefaultSlowRate is the rate below which an origin's body trickles, in bytes per second:
// half of what a telephone modem brought.
const DefaultSlowRate = 4 << 10

// trickle tells a body that comes too slowly from one that is well, by the time its reader
// waited for it: who reads slowly makes no origin slow. It is curl's --speed-limit and
// --speed-time, with another consequence.
type trickle struct {
	slow   int64         // bytes per second; 0 or less: nothing is too slow
	span   time.Duration // over how much waiting the rate is taken
	waited time.Duration
	got    int64
}

// note adds a wait that brought n bytes. Once per span it says whether the body
// trickled in it and left, the bytes that are to come (-1: unknown), would take yet
// longer than another span.
func (t *trickle) note(wait time.Duration, n, left int64) bool {
	t.waited += wait
	t.got += n
	if t.waited < t.span {
		return false
	}
	slow := float64(t.got) < float64(t.slow)*t.waited.Seconds() && (left < 0 || left > t.got)
	t.waited, t.got = 0, 0
	return slow
}
