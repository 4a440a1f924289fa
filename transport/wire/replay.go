package wire

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
