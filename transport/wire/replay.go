package wire

import "math"

// replayWindow refuses counters that were seen or are too old (RFC 6479's idea
// on 64-bit words). Its zero value is ready to use.
type replayWindow struct {
	newest uint32 // highest counter accepted plus one; 0 before the first
	seen   [replayWords]uint64
}

const (
	replayWords = 16
	replayBits  = replayWords * 64 // how far reordering may reach, in packets
)

// fresh reports whether the counter may be new. It changes nothing, so that a
// forged datagram cannot move the window: mark after the packet proved genuine.
func (w *replayWindow) fresh(c uint32) bool {
	if c >= w.newest {
		return true
	}
	return w.newest-c <= replayBits && w.seen[c/64%replayWords]&(1<<(c%64)) == 0
}

// whole returns the counter whose lower half is low: of those the nearest to the next one. Who has missed 32,767 packets in a row
// takes none any more, and the session ends for silence.
func (w *replayWindow) whole(low uint16) uint32 {
	c := int64(w.newest) + int64(int16(low-uint16(w.newest)))
	switch {
	case c < 0:
		c += 1 << 16
	case c > math.MaxUint32:
		c -= 1 << 16
	}
	return uint32(c)
}

// mark notes a counter that fresh allowed.
func (w *replayWindow) mark(c uint32) {
	if c >= w.newest {
		for i := max(w.newest, c-min(c, replayBits-1)); i < c; i++ {
			w.seen[i/64%replayWords] &^= 1 << (i % 64)
		}
		w.newest = c + 1
		if w.newest == 0 { // the session is over at 2^32 packets, see Session.seal
			w.newest = c
		}
	}
	w.seen[c/64%replayWords] |= 1 << (c % 64)
}
