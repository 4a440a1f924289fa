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
	const sent = 3<<16 + 120 // ms
	at := func(ms int) time.Duration { return time.Duration(ms) * time.Millisecond }
	for _, c := range []struct {
		name   string
		packet []byte
		marks  marks
		want   string // hex
	}{
		{"nothing", nil, marks{}, ""},
		{"an acknowledgement", whole(firstReceive, segment(cmdAck, at(3<<16+100), 1, 2, 0)), marks{prompt: true}, "5102006402"},
		{"of what was sent when the lower half was larger", whole(firstReceive, segment(cmdAck, at(2<<16+1000), 1, 2, 0)), marks{}, "110203e802"},
		{"data", whole(firstReceive, segment(cmdPush, at(100), 1, 0, 3)), marks{}, "00006402000000"},
		{"data to a window that is full", whole(0, segment(cmdPush, at(100), 1, 0, 3)), marks{}, "0800006402000000"},
		{"two acknowledgements", whole(firstReceive, segment(cmdAck, at(3<<16+100), 1, 3, 0), segment(cmdAck, at(3<<16+97), 2, 3, 0)), marks{}, "310300640200" + "010502"},
		{"data that presses behind an acknowledgement", whole(firstReceive, segment(cmdAck, at(3<<16+100), 1, 2, 0), segment(cmdPush, at(90), 5, 2, 2)), marks{pressing: true}, "310200640200" + "40005a080000"},
	} {
		got := appendCompact(nil, c.packet, c.marks)
		if hex.EncodeToString(got) != c.want {
			t.Errorf("%s: %x, want %s", c.name, got, c.want)
		}
		back, m, err := appendExpanded(nil, got, maxExpanded, sent)
		if err != nil || m != c.marks || !bytes.Equal(back, c.packet) {
			t.Errorf("%s: back %x %+v (%v), was %x %+v", c.name, back, m, err, c.packet, c.marks)
		}
	}
}

func TestCompactRefusesTooMuch(t *testing.T) {
	many := append([]byte{0x21, 0, 0, 0, 0}, bytes.Repeat([]byte{0x21, 0, 0, 0}, 400)...) // acknowledgements without end
	if _, _, err := appendExpanded(nil, many[:5+4*maxRiding], maxExpanded, 0); err != nil {
		t.Error(err)
	}
	if _, _, err := appendExpanded(nil, many, maxExpanded, 0); err == nil {
		t.Error("400 segments were taken")
	}
	for _, b := range [][]byte{{0x80, 0, 0, 0}, {0x00}, {0x00, 0}, {0x00, 0, 0}, {0x00, 0, 0, 0x80}, {0x20, 0, 0, 0, 9, 1}, {0x04}} {
		if got, _, err := appendExpanded(nil, b, maxExpanded, 0); err == nil {
			t.Errorf("%x was taken for %x", b, got)
		}
	}
}

func FuzzCompact(f *testing.F) {
	f.Add([]byte{0x51, 2, 0, 0x64, 2}, uint32(1<<20))
	f.Add([]byte{0x31, 2, 0, 0x64, 2, 0, 0x40, 0, 0x5a, 8, 0, 0}, uint32(5))
	f.Fuzz(func(t *testing.T, b []byte, sent uint32) {
		p, m, err := appendExpanded(nil, b, maxExpanded, sent)
		if err != nil {
			return
		}
		if len(p) > maxExpanded {
			t.Fatalf("%d bytes", len(p))
		}
		again := appendCompact(nil, p, m)
		if len(again) > len(p) {
			t.Fatalf("%d bytes became %d", len(p), len(again))
		}
		back, _, err := appendExpanded(nil, again, maxExpanded, sent)
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
	for sn := range uint32(maxRiding - 1) {
		if first, _, _ := r.offer(ack(sn), room, 0); first != nil {
			t.Errorf("acknowledgement %d left", sn)
		}
	}
	if first, _, prompt := r.offer(ack(9), room, 0); len(first) != maxRiding*header || prompt {
		t.Errorf("%d bytes of many, prompt %v", len(first), prompt)
	}
	r.offer(ack(1), room, 0)
	if first, second, _ := r.offer(data, header+len(data)-1, 0); !bytes.Equal(first, ack(1)) || !bytes.Equal(second, data) {
		t.Errorf("no room: %x, then %x", first, second)
	}
}
