package udp

// maxDatagram is the longest datagram that is read whole; longer ones are cut
// off and then refused by whoever parses them.
const maxDatagram = 1500

// slot is one datagram of a batch and the answer to it.
type slot struct {
	in  [maxDatagram]byte
	out [maxDatagram]byte
	n   int // bytes of in
	ans int // bytes of out; 0 is no answer
}

// isWire reports whether a datagram is of nt's own wire (docs/wire.md), whatever type of it is added.
func isWire(b []byte) bool { return len(b) > 0 && b[0]&0xF0 == 0xC0 }
