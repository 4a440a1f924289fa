package transport

import "time"

// Latency is what is known of how long a peer's answers take, as TCP estimates round trips (RFC 6298). The zero value
// knows nothing.
type Latency struct {
	Mean, Dev time.Duration
	N         int // answers so far
}

// Add takes the time of one answer. The first deviation is a quarter of it, not half: what is answered in a hundred
// milliseconds is not waited for three.
func (l *Latency) Add(d time.Duration) {
	if l.N++; l.N == 1 {
		l.Mean, l.Dev = d, d/4
		return
	}
	diff := d - l.Mean
	l.Mean += diff / 8
	l.Dev += (max(diff, -diff) - l.Dev) / 4
}

// Usual is the time within which nearly all answers come, 0 while none came.
func (l *Latency) Usual() time.Duration { return l.Mean + 4*l.Dev }
