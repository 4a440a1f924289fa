package kcp

import (
	"bytes"
	"testing"
	"time"
)

// What a packet leaves out comes back as KCP would have said it.
func TestHistory(t *testing.T) {
	const ms = time.Millisecond
	heard := func(y *history, b []byte) []byte { return y.heard(append(make([]byte, 0, 200), b...)) }
	began := func() *history {
		y := new(history)
		for sn := range uint32(4) {
			if fresh := y.sent(segment(cmdPush, 70_000*ms+time.Duration(sn)*ms, sn, 0, 10)); fresh != sn {
				t.Errorf("packet %d is fresh from %d on", sn, fresh)
			}
		}
		return y
	}
	data := func(una uint32) []byte { return whole(0, segment(cmdPush, 0, 0, una, 5)) }
	for _, c := range []struct {
		name   string
		packet []byte
		want   []byte
	}{
		{"an acknowledgement without its clock", segment(cmdAck, 0, 2, 0, 0), segment(cmdAck, 70_002*ms, 2, 0, 0)},
		{"one whose data came with its clock", segment(cmdAck, (clocked|70_001&0xffff)*ms, 1, 0, 0), segment(cmdAck, 70_001*ms, 1, 0, 0)},
		{"of what was never sent", segment(cmdAck, 0, 9, 0, 0), segment(cmdAck, 70_003*ms, 9, 0, 0)},
		{"data that says two have arrived", data(2), append(data(2), whole(0, segment(cmdAck, 70_001*ms, 1, 2, 0))...)},
		{"data that says nothing new", data(0), data(0)},
		{"data that says that more have arrived than were sent", data(5), data(5)},
		{"data with an acknowledgement", append(segment(cmdAck, 0, 1, 2, 0), data(2)...), append(segment(cmdAck, 70_001*ms, 1, 2, 0), data(2)...)},
	} {
		if got := heard(began(), c.packet); !bytes.Equal(got, c.want) {
			t.Errorf("%s: %x, want %x", c.name, got, c.want)
		}
	}
	y := began()
	heard(y, data(2))
	if got := heard(y, data(2)); !bytes.Equal(got, data(2)) {
		t.Errorf("said again: %x", got)
	}
	if fresh := y.sent(segment(cmdPush, 71_000*ms, 2, 0, 10)); fresh != 4 {
		t.Errorf("sent again, fresh from %d on", fresh)
	}
	if got := heard(y, data(3)); !bytes.Equal(got, data(3)) {
		t.Errorf("it was sent twice, and may be the first or the second: %x", got)
	}
	if got := heard(y, data(4)); !bytes.Equal(got, append(data(4), whole(0, segment(cmdAck, 70_003*ms, 3, 4, 0))...)) {
		t.Errorf("the next was sent once: %x", got)
	}
	y = began()
	if got := y.heard(bytes.Clone(data(2))[: header+5 : header+5]); !bytes.Equal(got, data(2)) {
		t.Errorf("there is no room for it: %x", got)
	}
}
