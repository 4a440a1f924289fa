package kcp

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"nt/transport/wire"
)

// segment writes a KCP header and n bytes of data.
func segment(cmd byte, ts time.Duration, sn, una uint32, n int) []byte {
	b := make([]byte, header+n)
	b[4] = cmd
	binary.LittleEndian.PutUint32(b[8:], uint32(ts/time.Millisecond))
	binary.LittleEndian.PutUint32(b[12:], sn)
	binary.LittleEndian.PutUint32(b[16:], una)
	binary.LittleEndian.PutUint32(b[20:], uint32(n))
	return b
}

// round sends a window of packets at now and acknowledges them a round trip later.
func round(c *control, now, rtt time.Duration) time.Duration {
	first := c.next
	for sn := first; sn < first+uint32(c.window); sn++ {
		c.sent(segment(cmdPush, now, sn, 0, 100), now)
	}
	for sn := first; sn != c.next; sn++ {
		c.heard(segment(cmdAck, now, sn, sn+1, 0), true, now+rtt)
	}
	return now + rtt
}

func TestControlGrowsAndYields(t *testing.T) {
	const rtt = 20 * time.Millisecond
	c := newControl(512, false)
	now := time.Second
	for range 4 {
		now = round(c, now, rtt)
	}
	if c.window < 8*firstWindow {
		t.Errorf("slow start: %.0f packets after 4 round trips", c.window)
	}
	lost := c.next
	for range 3 { // the first of them is lost
		c.sent(segment(cmdPush, now, c.next, 0, 10), now)
		now += 2 * time.Millisecond
	}
	was := c.window
	if now += rtt; c.sent(segment(cmdPush, now, lost, 0, 10), now) || c.window != was {
		t.Errorf("a packet was repeated without a reason: %.0f after %.0f packets", c.window, was)
	}
	c.heard(segment(cmdAck, now-rtt, lost+2, lost, 0), true, now)
	if !c.sent(segment(cmdPush, now, lost, 0, 10), now) || c.window != was*noiseFactor {
		t.Errorf("a loss without a queue: %.0f after %.0f packets", c.window, was)
	}
	was = c.window
	if now += rtt + queueTarget + flushEvery + rideTime + time.Millisecond; !c.sent(segment(cmdPush, now, lost, 0, 10), now) {
		t.Error("nothing was acknowledged, and the packet is not repeated")
	}
	if c.window != was {
		t.Error("the same window's losses count twice")
	}
	c.heard(segment(cmdAck, now, lost, c.next, 0), true, now+rtt)
	now, was = now+rtt, c.window
	now = round(c, now, rtt)
	if c.window <= was || c.window > was*(1+2*growthEmpty) {
		t.Errorf("after slow start: from %.1f to %.1f packets in a round trip", was, c.window)
	}
	for was = c.window; c.queue() < queueTarget; {
		now = round(c, now, rtt+4*queueTarget)
	}
	for range 20 {
		now = round(c, now, rtt+4*queueTarget)
	}
	if c.window > was/4 || c.window < leastWindow {
		t.Errorf("a lasting queue: from %.0f to %.0f packets", was, c.window)
	}
}

// A sender with little to say proves nothing about the path.
func TestControlDoesNotGrowUnused(t *testing.T) {
	c := newControl(512, false)
	now := time.Second
	for range 100 {
		sn := c.next
		c.sent(segment(cmdPush, now, sn, 0, 100), now)
		now += 20 * time.Millisecond
		c.heard(segment(cmdAck, now-20*time.Millisecond, sn, sn+1, 0), true, now)
	}
	if c.window != firstWindow {
		t.Errorf("window %.0f", c.window)
	}
}

// KCP repeats a whole window to a peer that has vanished; nearly nothing of it goes out.
func TestRow21_VanishedPeerCostsLittle(t *testing.T) {
	c := newControl(512, false)
	now := time.Second
	for range 4 {
		now = round(c, now, 20*time.Millisecond)
	}
	first, start, out := c.next, now, 0
	for sn := first; sn < first+64; sn++ {
		c.sent(segment(cmdPush, now, sn, 0, 100), now)
	}
	for ; now < start+10*time.Second; now += 100 * time.Millisecond {
		for sn := first; sn < c.next; sn++ {
			if c.sent(segment(cmdPush, now, sn, 0, 1000), now) && now > start+silentAfter {
				out++
			}
		}
	}
	if out > 9*int(time.Second/leakEvery)+1 || out == 0 {
		t.Errorf("%d repetitions went out in 9 s of silence", out)
	}
	if !c.sent(segment(cmdAck, 0, 0, 0, 0), now) {
		t.Error("an acknowledgement is held back")
	}
	c.heard(segment(cmdAck, now, first, first+1, 0), true, now)
	if !c.sent(segment(cmdPush, now, first+1, 0, 10), now) {
		t.Error("repetitions are still held back though the peer is back")
	}
}

func FuzzControl(f *testing.F) {
	f.Add(segment(cmdPush, 5, 1, 0, 10), segment(cmdAck, 5, 1, 2, 0), uint16(3))
	f.Add([]byte{1, 2, 3}, append(segment(cmdAck, 0, 0, 1<<31, 0), segment(cmdPush, 0, 9, 0, 3)...), uint16(60000))
	f.Fuzz(func(t *testing.T, out, in []byte, later uint16) {
		c := newControl(64, false)
		now := time.Second
		for range 3 {
			c.sent(out, now)
			now += time.Duration(later) * time.Millisecond
			if w := c.heard(in, true, now); w < leastWindow || w > 64 {
				t.Fatalf("window %d", w)
			}
		}
	})
}

// A chunk of four packets asks for no acknowledgement, which then rides or comes alone for all of them; a sender whose window
// fills up asks with one packet of four, and with the last that may leave.
func TestAcknowledgementsAreAskedForSeldom(t *testing.T) {
	c := newControl(512, false)
	c.window = 20
	asked := func(n int) (which []uint32) {
		for range n {
			sn := c.next
			c.sent(segment(cmdPush, time.Second, sn, 0, 1000), time.Second)
			if c.pressing() {
				which = append(which, sn)
			}
		}
		return which
	}
	if got := asked(4); len(got) > 0 {
		t.Errorf("packets %v of 4 ask for acknowledgements", got)
	}
	if got := asked(16); !slices.Equal(got, []uint32{9, 13, 17, 19}) {
		t.Errorf("packets %v of a window of 20 ask for acknowledgements", got)
	}
	if c.pressing() {
		t.Error("asked twice")
	}
	if now := time.Minute; !c.sent(segment(cmdPush, now, 0, 0, 1000), now) || !c.pressing() {
		t.Error("a repeated packet of a full window does not ask")
	}
}

// An accepter's first packets are no more than it may send before it hears the dialler again; what the session refuses would
// count as lost, 200 ms later, and end slow start.
func TestAccepterBeginsWithWhatItMaySend(t *testing.T) {
	c := newControl(512, true)
	if w := c.window; w >= wire.MaxUnconfirmed || w < wire.MaxUnconfirmed/2 {
		t.Errorf("an accepter begins with %.0f packets, and may send %d", w, wire.MaxUnconfirmed)
	}
	if w := c.heard(segment(cmdPush, 0, 0, 0, 10), false, time.Second); w != firstWindow {
		t.Errorf("an accepter that has heard the dialler has a window of %d packets", w)
	}
	if w := newControl(512, false).window; w != firstWindow {
		t.Errorf("a dialler begins with %.0f packets", w)
	}
}

// TestSlowPathsAreNotRepeated: nothing is repeated while the dialler of an accepted session cannot have answered, nor, where
// acknowledgements took long, before one more can be there; and where they take long they wait longer for data to ride on.
func TestSlowPathsAreNotRepeated(t *testing.T) {
	c := newControl(512, true)
	if c.sent(segment(cmdPush, 0, 0, 0, 10), 0); c.sent(segment(cmdPush, 0, 0, 0, 10), firstPatience+time.Millisecond) {
		t.Error("repeated to a dialler that was not heard again")
	}
	if !c.sent(segment(cmdPush, 0, 0, 0, 10), unheardPatience+time.Millisecond) {
		t.Error("never repeated")
	}

	c = newControl(512, false)
	if c.hold() != calmRide {
		t.Errorf("acknowledgements wait %v before anything is known", c.hold())
	}
	for _, lost := range []func(c *control){
		func(c *control) { c.heard(segment(cmdPush, clocked*time.Millisecond, 0, 0, 10), false, 0) }, // sent again
		func(c *control) {
			c.sent(segment(cmdPush, 0, 0, 0, 10), 0)
			c.sent(segment(cmdPush, 0, 0, 0, 10), firstPatience+time.Millisecond)
		},
	} {
		c := newControl(512, false)
		if lost(c); c.hold() != rideTime {
			t.Errorf("acknowledgements wait %v after a loss", c.hold())
		}
	}
	c.lossy = true
	now, usual := time.Second, 900*time.Millisecond
	for sn := range uint32(8) {
		c.sent(segment(cmdPush, now, sn, 0, 10), now)
		c.heard(segment(cmdAck, now, sn, sn+1, 0), false, now+usual)
		now += usual
	}
	if c.hold() != usual/3 {
		t.Errorf("acknowledgements wait %v where they take %v", c.hold(), usual)
	}
	c.sent(segment(cmdPush, now, 8, 0, 10), now)
	if c.sent(segment(cmdPush, now, 8, 0, 10), now+usual) {
		t.Error("repeated before it can be acknowledged")
	}
}
