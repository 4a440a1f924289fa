package kcp

import (
	"encoding/binary"
	"errors"
)

// KCP repeats 24 bytes in front of every segment that a session makes superfluous: its
// conversation, its window, and numbers that are mostly one more than those before. Inside a
// session its packets therefore travel in this form, and are KCP's own again before KCP sees
// them. Per segment, integers as unsigned varints:
//
//	head 1 | [frg 1] | [wnd] | [una] | [ts 2] | sn | [len] | data
//
// head: bits 0-1 the command (push, ack, window asked, window told), 2 frg is not 0, 3 wnd and
// 4 una are not those of the segment before, 5 data ends before the packet does, 6 pressing (see
// below), 7 ts. sn is the difference to the segment before as a zigzag varint. Before the
// first segment sn and una count as 0, wnd as firstReceive. A segment never grows.
//
// ts is milliseconds of whoever sent the data, and comes back with its acknowledgement. Nobody else makes anything of it, and who sent
// a packet once knows when (history). So it goes with data that is sent again, and with the acknowledgement of such: the
// lower 16 bits, big-endian, which is more than an answer takes.
const (
	headCommand = 3
	headFrg     = 1 << 2
	headWnd     = 1 << 3
	headUna     = 1 << 4
	headLen     = 1 << 5
	headPrompt  = 1 << 6
	headClock   = 1 << 7
)

// clocked marks a ts, in KCP's form at the end that gets the data, that came with it; its lower 16 bits are what came. Without
// the mark nothing did.
const clocked = 1 << 16

var errCompact = errors.New("kcp: malformed packet")

// fields is one segment's header without conversation and length.
type fields struct {
	cmd, frg    byte
	wnd         uint16
	ts, sn, una uint32
}

func parseFields(h []byte) fields {
	return fields{cmd: h[4], frg: h[5], wnd: binary.LittleEndian.Uint16(h[6:]), ts: binary.LittleEndian.Uint32(h[8:]),
		sn: binary.LittleEndian.Uint32(h[12:]), una: binary.LittleEndian.Uint32(h[16:])}
}

func (f fields) append(b []byte, length int) []byte {
	b = binary.LittleEndian.AppendUint32(b, conversation)
	b = append(b, f.cmd, f.frg)
	b = binary.LittleEndian.AppendUint16(b, f.wnd)
	for _, v := range [...]uint32{f.ts, f.sn, f.una, uint32(length)} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

// marks are what a packet says besides its segments.
type marks struct {
	pressing bool // its data is to be acknowledged at once
	prompt   bool // its acknowledgements were not held back
}

// appendCompact appends a packet of KCP's, which must be whole segments, in compact form. Data from fresh on is sent for the first time.
func appendCompact(b, packet []byte, m marks, fresh uint32) []byte {
	var before fields
	before.wnd = firstReceive
	for len(packet) >= header {
		f := parseFields(packet)
		n := int(binary.LittleEndian.Uint32(packet[20:]))
		data := packet[header : header+n]
		packet = packet[header+n:]
		head := (f.cmd - cmdPush) & headCommand
		set := func(bit byte, on bool) bool {
			if on {
				head |= bit
			}
			return on
		}
		at := len(b)
		b = append(b, 0)
		if set(headFrg, f.frg != 0) {
			b = append(b, f.frg)
		}
		if set(headWnd, f.wnd != before.wnd) {
			b = binary.AppendUvarint(b, uint64(f.wnd))
		}
		if set(headUna, f.una != before.una) {
			b = binary.AppendUvarint(b, uint64(f.una))
		}
		again := f.cmd == cmdPush && int32(f.sn-fresh) < 0
		if set(headClock, again || f.cmd == cmdAck && f.ts&clocked != 0) {
			b = binary.BigEndian.AppendUint16(b, uint16(f.ts))
		}
		b = binary.AppendUvarint(b, zigzag(f.sn-before.sn))
		if set(headLen, len(packet) > 0) {
			b = binary.AppendUvarint(b, uint64(n))
		}
		set(headPrompt, m.pressing && f.cmd == cmdPush || m.prompt && f.cmd == cmdAck)
		b[at] = head
		b = append(b, data...)
		before = f
	}
	return b
}

func zigzag(d uint32) uint64 {
	v := int32(d)
	return uint64(uint32(v<<1) ^ uint32(v>>31))
}

func unzigzag(u uint32) uint32 { return u>>1 ^ -(u & 1) }

// appendExpanded appends a compact packet in KCP's form, at most max bytes. What it lacks still history completes.
func appendExpanded(b, compact []byte, max int) (packet []byte, m marks, err error) {
	max += len(b)
	r := compactReader{b: compact}
	f := fields{wnd: firstReceive}
	for len(r.b) > 0 && !r.bad {
		head := r.byte()
		f.cmd, f.frg = cmdPush+head&headCommand, 0
		if head&headFrg != 0 {
			f.frg = r.byte()
		}
		if head&headWnd != 0 {
			f.wnd = uint16(r.uvarint(1<<16 - 1))
		}
		if head&headUna != 0 {
			f.una = r.uvarint(1<<32 - 1)
		}
		f.ts = 0
		if head&headClock != 0 {
			f.ts = clocked | uint32(r.byte())<<8
			f.ts |= uint32(r.byte())
		}
		f.sn += unzigzag(r.uvarint(1<<32 - 1))
		n := len(r.b)
		if head&headLen != 0 {
			n = int(r.uvarint(uint64(n)))
		}
		if r.bad || n > len(r.b) || len(b)+header+n > max {
			return b, m, errCompact
		}
		if head&headPrompt != 0 {
			m.pressing = m.pressing || f.cmd == cmdPush
			m.prompt = m.prompt || f.cmd == cmdAck
		}
		b = append(f.append(b, n), r.b[:n]...)
		r.b = r.b[n:]
	}
	if r.bad {
		return b, m, errCompact
	}
	return b, m, nil
}

// compactReader takes fields off the front; the first fault sticks.
type compactReader struct {
	b   []byte
	bad bool
}

func (r *compactReader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *compactReader) uvarint(max uint64) uint32 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > max {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return uint32(v)
}
