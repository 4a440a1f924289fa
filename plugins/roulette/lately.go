package roulette

import "time"

// lately is a set of chunks that forgets each latelySpan to twice that after it was added: bits for two spans of time instead of a time
// for each chunk.
type lately struct {
	now, before bitset
	since       time.Duration // when the present span began
}

// latelySpan is longer than a chunk is on its way, and no longer than a reader that waits for one that was lost should.
const latelySpan = 500 * time.Millisecond

// add notes chunk i of n.
func (l *lately) add(now time.Duration, i, n int) {
	if l.now == nil {
		l.now, l.before, l.since = newBitset(n), newBitset(n), now
	}
	l.turn(now)
	l.now.add(i)
}

// has reports whether chunk i was added lately.
func (l *lately) has(now time.Duration, i int) bool {
	l.turn(now)
	return l.now != nil && (l.now.has(i) || l.before.has(i))
}

// turn forgets what is over.
func (l *lately) turn(now time.Duration) {
	spans := (now - l.since) / latelySpan
	if l.now == nil || spans < 1 {
		return
	}
	l.now, l.before = l.before, l.now
	clear(l.now)
	if spans > 1 {
		clear(l.before)
	}
	l.since += spans * latelySpan
}
