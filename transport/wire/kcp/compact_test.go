package kcp

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"testing"
	"time"
)

// whole puts KCP's conversation and a window into segments as KCP writes them.
func whole(window uint16, segs ...[]byte) (b []byte) {
	for _, s := range segs {
		binary.LittleEndian.PutUint32(s, conversation)
		binary.LittleEndian.PutUint16(s[6:], window)
		b = append(b, s...)
	}
	return b
}

func TestCompact(t *testing.T) {
	at := func(ms int) time.Duration { return time.Duration(ms) * time.Millisecond }
	const came = clocked // a ts that came with its data
	for _, c := range []struct {
		name   string
		packet []byte
		marks  marks
		want   string // hex
		back   []byte // nil: packet
	}{
		{"nothing", nil, marks{}, "", nil},
		{"an acknowledgement", whole(firstReceive, segment(cmdAck, 0, 1, 2, 0)), marks{prompt: true}, "510202", nil},
		{"of what was sent again", whole(firstReceive, segment(cmdAck, at(came|1000), 1, 2, 0)), marks{}, "910203e802", nil},
		{"data", whole(firstReceive, segment(cmdPush, at(100), 9, 0, 3)), marks{}, "0012000000", whole(firstReceive, segment(cmdPush, 0, 9, 0, 3))},
		{"data that is sent again", whole(firstReceive, segment(cmdPush, at(5<<16|100), 4, 0, 3)), marks{}, "80006408000000", whole(firstReceive, segment(cmdPush, at(came|100), 4, 0, 3))},
		{"data to a window that is full", whole(0, segment(cmdPush, 0, 9, 0, 3)), marks{}, "080012000000", nil},
		{"two acknowledgements", whole(firstReceive, segment(cmdAck, 0, 1, 3, 0), segment(cmdAck, at(came|97), 2, 3, 0)), marks{}, "31030200" + "81006102", nil},
		{"data that presses behind an acknowledgement", whole(firstReceive, segment(cmdAck, 0, 7, 2, 0), segment(cmdPush, 0, 8, 2, 2)), marks{pressing: true}, "31020e00" + "40020000", nil},
	} {
		got := appendCompact(nil, c.packet, c.marks, 8)
		if hex.EncodeToString(got) != c.want {
			t.Errorf("%s: %x, want %s", c.name, got, c.want)
		}
		if c.back == nil {
			c.back = c.packet
		}
		back, m, err := appendExpanded(nil, got, maxExpanded)
		if err != nil || m != c.marks || !bytes.Equal(back, c.back) {
			t.Errorf("%s: back %x %+v (%v), was %x %+v", c.name, back, m, err, c.back, c.marks)
		}
	}
}

func TestCompactRefusesTooMuch(t *testing.T) {
	many := bytes.Repeat([]byte{0x21, 0, 0}, 400) // acknowledgements without end
	if _, _, err := appendExpanded(nil, many[:3*maxRiding], maxExpanded); err != nil {
		t.Error(err)
	}
	if _, _, err := appendExpanded(nil, many, maxExpanded); err == nil {
		t.Error("400 segments were taken")
	}
	for _, b := range [][]byte{{0x80, 0}, {0x80, 0, 0}, {0x00}, {0x00, 0x80}, {0x20, 0, 9, 1}, {0x04}} {
		if got, _, err := appendExpanded(nil, b, maxExpanded); err == nil {
			t.Errorf("%x was taken for %x", b, got)
		}
	}
}

// What arrives is at most so long, and the same in KCP's form and on the wire again, where its end knows which data was sent before.
func FuzzCompact(f *testing.F) {
	f.Add([]byte{0x51, 2, 2}, uint32(0))
	f.Add([]byte{0x31, 2, 0x0e, 0, 0xc0, 0, 0x64, 2, 0, 0}, uint32(9))
	f.Fuzz(func(t *testing.T, b []byte, fresh uint32) {
		p, m, err := appendExpanded(nil, b, maxExpanded)
		if err != nil {
			return
		}
		if len(p) > maxExpanded {
			t.Fatalf("%d bytes", len(p))
		}
		segments(p, func(h []byte) {
			switch sn := binary.LittleEndian.Uint32(h[12:]); {
			case h[4] == cmdPush && int32(sn-fresh) < 0:
				h[10] |= 1
			case h[4] != cmdAck:
				copy(h[8:], []byte{0, 0, 0, 0})
			}
		})
		again := appendCompact(nil, p, m, fresh)
		if len(again) > len(p) {
			t.Fatalf("%d bytes became %d", len(p), len(again))
		}
		back, _, err := appendExpanded(nil, again, maxExpanded)
		if err != nil || !bytes.Equal(back, p) {
			t.Fatalf("%x came back as %x (%v)", p, back, err)
		}
	})
}

func TestAcknowledgementsRide(t *testing.T) {
	ack := func(sn uint32) []byte { return segment(cmdAck, 0, sn, sn+1, 0) }
	data := segment(cmdPush, 0, 7, 0, 10)
	const room = 1000
	var r rider
	if first, second, _ := r.offer(ack(1), room, 0); first != nil || second != nil {
		t.Errorf("%x %x was not held", first, second)
	}
	if _, wait := r.overdue(rideTime / 2); wait != rideTime/2 {
		t.Errorf("waits %v", wait)
	}
	if first, second, _ := r.offer(data, room, rideTime/2); !bytes.Equal(first, append(ack(1), data...)) || second != nil {
		t.Errorf("on data rides %x, then %x", first, second)
	}
	r.offer(ack(2), room, 0)
	if b, _ := r.overdue(rideTime); !bytes.Equal(b, ack(2)) {
		t.Errorf("overdue: %x", b)
	}
	if b, wait := r.overdue(rideTime); b != nil || wait != 0 {
		t.Errorf("nothing is held: %x %v", b, wait)
	}
	r.press = true
	if first, _, prompt := r.offer(ack(3), room, 0); !bytes.Equal(first, ack(3)) || !prompt {
		t.Errorf("pressed for: %x, prompt %v", first, prompt)
	}
	beyond := func(sn uint32) []byte { return segment(cmdAck, 0, sn, 1, 0) } // packet 1 is missing
	for sn := range uint32(maxRiding - 1) {
		if first, _, _ := r.offer(beyond(2+sn), room, 0); first != nil {
			t.Errorf("acknowledgement %d left", sn)
		}
	}
	if first, _, prompt := r.offer(beyond(9), room, 0); len(first) != maxRiding*header || prompt {
		t.Errorf("%d bytes of many, prompt %v", len(first), prompt)
	}
	for sn := range uint32(3 * maxRiding) {
		if first, _, _ := r.offer(ack(sn), room, 0); first != nil {
			t.Errorf("acknowledgement %d left, of which the one before says nothing new", sn)
		}
	}
	if b, _ := r.overdue(rideTime); !bytes.Equal(b, ack(3*maxRiding-1)) {
		t.Errorf("of %d in a row are said: %x", 3*maxRiding, b)
	}
	told := segment(cmdPush, 0, 7, 3, 10) // all before 3 is here
	r.offer(ack(1), room, 0)
	if first, second, _ := r.offer(append(ack(2), told...), room, 0); !bytes.Equal(first, told) || second != nil {
		t.Errorf("data that says it goes with %x, then %x", first, second)
	}
	r.offer(ack(1), room, 0)
	if first, second, _ := r.offer(data, header+len(data)-1, 0); !bytes.Equal(first, ack(1)) || !bytes.Equal(second, data) {
		t.Errorf("no room: %x, then %x", first, second)
	}
}
