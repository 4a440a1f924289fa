package kcp

import "encoding/binary"

// history is what this end sent, so that the peer need not repeat it: the clock of a packet that was sent once is known from its
// number, and a packet with data that says all before una has arrived need not acknowledge the last of them besides. KCP wants
// both, and gets them back here.
//
// Pure. The caller serialises.
type history struct {
	una      uint32          // the first packet not acknowledged
	next     uint32          // one after the last that was sent
	repeated uint32          // one after the newest that was sent again: an answer to it may be one to the first
	last     uint32          // ts of the data that was sent last
	stamps   [sentLog]uint32 // ts of each packet under way, as it was sent first
}

// sent hears of a packet in KCP's form that goes out, and returns from what number on its data was never sent before.
func (y *history) sent(b []byte) (fresh uint32) {
	fresh = y.next
	segments(b, func(h []byte) {
		if h[4] != cmdPush {
			return
		}
		sn := binary.LittleEndian.Uint32(h[12:])
		y.last = stamp(h)
		if int32(sn-y.next) >= 0 {
			y.next, y.stamps[sn%sentLog] = sn+1, y.last
		} else if int32(sn+1-y.repeated) > 0 {
			y.repeated = sn + 1
		}
	})
	return fresh
}

// heard completes a packet that arrived, in KCP's form and with room for another header: the clock of acknowledgements that came without
// it, and the acknowledgement that una says.
func (y *history) heard(b []byte) []byte {
	said := false
	una := y.una
	segments(b, func(h []byte) {
		una = binary.LittleEndian.Uint32(h[16:])
		if h[4] != cmdAck {
			return
		}
		said = true
		if ts := binary.LittleEndian.Uint32(h[8:]); ts&clocked != 0 {
			binary.LittleEndian.PutUint32(h[8:], y.last-uint32(uint16(y.last)-uint16(ts)))
		} else {
			binary.LittleEndian.PutUint32(h[8:], y.stampOf(binary.LittleEndian.Uint32(h[12:])))
		}
	})
	if int32(una-y.una) <= 0 || int32(una-y.next) > 0 {
		return b
	}
	y.una = una
	if said || int32(una-y.repeated) <= 0 || len(b)+header > cap(b) {
		return b
	}
	f := parseFields(b)
	f.cmd, f.frg, f.sn, f.ts = cmdAck, 0, una-1, y.stampOf(una-1)
	return f.append(b, 0)
}

// stampOf returns the ts with which a packet was sent first; of one that is long gone, or was never sent, the latest.
func (y *history) stampOf(sn uint32) uint32 {
	if before := y.next - sn; before == 0 || before > sentLog {
		return y.last
	}
	return y.stamps[sn%sentLog]
}
