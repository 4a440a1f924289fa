package kcp

import "encoding/binary"

// gaps tells, by the numbers of the packets that arrive, of packets that were lost on their way here, or overtaken. Pure.
type gaps struct {
	next uint32 // one after the newest packet that arrived
}

// maxGap is more packets than KCP may have under way: a number so far ahead is none of this conversation.
const maxGap = 1 << 15

// heard hears of a packet in KCP's form and reports whether some are missing before it that were not missing yet.
func (g *gaps) heard(b []byte) (missing bool) {
	segments(b, func(h []byte) {
		if h[4] != cmdPush {
			return
		}
		sn := binary.LittleEndian.Uint32(h[12:])
		if ahead := int32(sn - g.next); ahead >= 0 && ahead < maxGap {
			g.next, missing = sn+1, missing || ahead > 0
		}
	})
	return missing
}
