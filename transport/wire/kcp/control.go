package kcp

import (
	"encoding/binary"
	"time"

	"nt/transport"
	"nt/transport/wire"
)

// control decides how many packets may be under way. KCP's own congestion window starts
// at two packets, has no slow start and grows once per acknowledging
// datagram, 20 times slower than a fast path allows; without it a slow path is
// flooded with repetitions. So KCP's is off, and its send window is set to this
// one: slow start until a queue builds up or a packet is repeated, then a few packets
// more per round trip; less when the queue on the path grows over queueTarget.
//
// It reads KCP's headers on their way through the virtual socket, little-endian:
//
//	conv 4 | cmd 1 | frg 1 | wnd 2 | ts 4 | sn 4 | una 4 | len 4 | data
//
// Pure: time is an argument. The caller serialises.
type control struct {
	max      float64 // packets
	window   float64 // packets that may be under way
	slow     float64 // slow start ends here
	una      uint32  // first packet not acknowledged
	next     uint32  // one after the last that was sent
	full     uint32  // packets before this one were sent while the window was full
	pressed  uint32  // packets before this one are to be acknowledged at once
	press    bool    // the packet that goes out asks for it
	recover  uint32  // losses of packets before this one have been answered
	cutAt    time.Duration
	rtt      time.Duration     // smoothed
	answer   transport.Latency // until an acknowledgement comes, held or not
	last     time.Duration     // the latest round trip
	shortest [2]time.Duration
	epoch    time.Duration // when shortest[0] began
	clock    uint32        // our milliseconds minus KCP's, as far as known; both may wrap
	clocked  bool
	sentAt   [sentLog]uint32 // when each packet under way was sent last, our milliseconds
	ackedAt  uint32          // when the latest sent of those acknowledged was sent
	since    time.Duration   // since when an answer is awaited
	unheard  bool            // the dialler of a session that was accepted has not been heard again
	begun    time.Duration   // when the first packet went out
	leaked   time.Duration   // when the last repetition to a silent peer went out
	lossy    bool            // something was lost, there or here
}

const (
	header  = 24
	cmdPush = 81
	cmdAck  = 82

	firstWindow = 10 // packets, as TCP's
	// leastWindow is a chunk of a few MiB and half of the next: who asked for it has room for it, and a packet at a time costs an
	// acknowledgement each. Roulette's own window gives way to others.
	leastWindow = 6
	// queueTarget is how much delay a transfer may add on its path: under TCP's and over
	// the 10 ms in which KCP may hold an acknowledgement back.
	queueTarget = 50 * time.Millisecond
	lossFactor  = 0.7  // as CUBIC's
	noiseFactor = 0.85 // for a loss without a queue: more often noise than congestion
	queueFactor = 0.85
	// growth is how many packets more the window gets per round trip, and growthIdle
	// how many on top while the path has no queue at all.
	growth, growthIdle = 1, 2
	// growthEmpty is the part of a large window that it grows by per round trip while the
	// queue is next to empty: a few packets would take a long and fast path's minutes.
	growthEmpty = 0.25
	// shortestFor is how long the shortest round trip is remembered, at least.
	shortestFor = 30 * time.Second
	// firstPatience is how long the first packets' acknowledgement may take: KCP's own
	// first timeout of 200 ms is less than a full queue on a slow path and rideTime together.
	firstPatience = 800 * time.Millisecond
	// unheardPatience is the same for who accepted a session and did not hear the dialler since: the Reply is on its way,
	// or lost and asked for again, and nothing else gets in before it.
	unheardPatience = 2 * time.Second
	// silentAfter is how long an answer may be missing before repetitions are held back to
	// one datagram per leakEvery: KCP itself repeats a whole window to a peer that has vanished.
	silentAfter = time.Second
	leakEvery   = 250 * time.Millisecond
	// pressStep is how many packets apart packets ask for acknowledgements, at most.
	pressStep = 4
	// sentLog is how many packets' times are remembered: more than a window.
	sentLog = 2048
)

// newControl returns the control of a session of at most window packets. Who accepted it may send few packets before it hears
// the dialler again, and what is more than these is lost, which would end slow start before it began.
func newControl(window int, accepted bool) *control {
	c := &control{max: float64(window), window: min(firstWindow, float64(window)), slow: float64(window), unheard: accepted}
	if accepted {
		c.window = min(c.window, wire.MaxUnconfirmed-1) // and an acknowledgement
	}
	return c
}

// segments calls f with the header of each KCP segment in a packet.
func segments(b []byte, f func(h []byte)) {
	for len(b) >= header {
		n := int(binary.LittleEndian.Uint32(b[20:]))
		f(b[:header])
		if n < 0 || n > len(b)-header {
			return
		}
		b = b[header+n:]
	}
}

// sent hears of a packet to be sent and reports whether it may go out.
func (c *control) sent(b []byte, now time.Duration) bool {
	var fresh, repeat, early bool // what it carries: news, a repetition, one that comes too early
	segments(b, func(h []byte) {
		if h[4] != cmdPush {
			fresh = true
			return
		}
		if at := millis(now) - stamp(h); !c.clocked || int32(at-c.clock) < 0 {
			c.clock, c.clocked = at, true
		}
		sn := binary.LittleEndian.Uint32(h[12:])
		if int32(sn-c.next) < 0 {
			if c.tooEarly(sn, now) {
				early = true
				return
			}
			c.sentAt[sn%sentLog] = millis(now)
			c.lost(sn, now)
			repeat, c.press = true, c.press || c.pressable()
			return
		}
		c.sentAt[sn%sentLog] = millis(now)
		if c.next == c.una {
			c.since = now
		}
		if c.next == 0 {
			c.begun = now
		}
		fresh, c.next = true, sn+1
		if c.next-c.una >= uint32(c.window) {
			c.full = c.next
		}
		if c.due() {
			c.press, c.pressed = true, c.next
		}
	})
	if early && !fresh && !repeat {
		return false
	}
	if fresh || now-c.since < max(silentAfter, 4*c.rtt) {
		return true
	}
	if now-c.leaked < leakEvery {
		return false
	}
	c.leaked = now
	return true
}

// pressable reports whether acknowledgements are waited for: half the window is under way, and more than a chunk.
func (c *control) pressable() bool { return c.next-c.una >= max(uint32(c.window)/2, leastWindow) }

// due reports whether a new packet is to ask for acknowledgements, each of which is a datagram: the last of pressStep since
// they were asked for, or nothing more may leave. A repeated one always asks, because the one that did may be what was lost.
func (c *control) due() bool {
	step := min(pressStep, max(uint32(c.window)/4, 1))
	return c.pressable() && c.next-max(c.pressed, c.una) >= step || c.next-c.una >= uint32(c.window)
}

// pressing reports, once, whether the packet that was just sent asks for acknowledgements.
func (c *control) pressing() bool {
	press := c.press
	c.press = false
	return press
}

// tooEarly reports whether there is no reason yet to repeat a packet: none that was sent
// after it has been acknowledged, and the queue that a transfer may build and a held
// acknowledgement can explain that its own is not here. KCP repeats after the usual round
// trip and four times its deviation, or 10 ms; a path that was quiet and fills up then
// carries much of what is under way twice.
func (c *control) tooEarly(sn uint32, now time.Duration) bool {
	first := firstPatience
	if c.unheard {
		first = unheardPatience
	}
	if c.una == 0 && now-c.begun < first {
		return true
	}
	at := c.sentAt[sn%sentLog]
	patience := max(firstPatience, c.answer.Usual()) // while no acknowledgement was prompt enough to tell how long the way is
	if c.rtt > 0 {
		patience = c.rtt + queueTarget
		if int32(sn-c.pressed) >= 0 { // nobody was asked to acknowledge it at once
			patience += flushEvery + c.hold()
		}
	}
	return int32(c.ackedAt-at) <= 0 && time.Duration(millis(now)-at)*time.Millisecond < patience
}

// hold is how long an acknowledgement may wait for data to ride on: longer where answers take long, because data is
// as seldom there, and while nothing was lost.
func (c *control) hold() time.Duration {
	ride := rideTime
	if !c.lossy {
		ride = calmRide
	}
	return min(max(ride, c.answer.Mean/3), longestRide)
}

func stamp(h []byte) uint32 { return binary.LittleEndian.Uint32(h[8:]) }

func millis(d time.Duration) uint32 { return uint32(d / time.Millisecond) }

// lost answers the repetition of a packet, once per window.
func (c *control) lost(sn uint32, now time.Duration) {
	if int32(sn-c.recover) < 0 {
		return
	}
	c.recover, c.lossy = c.next, true
	factor := lossFactor
	if c.queue() < queueTarget/4 {
		factor = noiseFactor
	}
	c.cut(factor, now)
}

func (c *control) cut(factor float64, now time.Duration) {
	c.window = max(c.window*factor, leastWindow)
	c.slow = c.window
	c.cutAt = now
}

// heard hears of a packet that arrived and returns the window. Only prompt acknowledgements
// tell how long the way is.
func (c *control) heard(b []byte, prompt bool, now time.Duration) int {
	c.since = now
	if c.unheard {
		c.unheard, c.window = false, max(c.window, min(firstWindow, c.max))
	}
	before := c.una
	var echo uint32
	acked := false
	segments(b, func(h []byte) {
		if una := binary.LittleEndian.Uint32(h[16:]); int32(una-c.una) > 0 && int32(una-c.next) <= 0 {
			c.una = una
		}
		switch {
		case h[4] == cmdAck:
			acked, echo = true, stamp(h)
		case h[4] == cmdPush && stamp(h)&clocked != 0: // the peer sent it again, and does not wait for what is held for long
			c.lossy = true
		}
	})
	if acked && c.clocked {
		at := echo + c.clock
		rtt := millis(now) - at
		if rtt < 60_000 && int32(at-c.ackedAt) > 0 {
			c.ackedAt = at
		}
		if rtt < 60_000 {
			c.answer.Add(time.Duration(rtt) * time.Millisecond)
		}
		if rtt < 60_000 && prompt {
			c.measured(time.Duration(rtt)*time.Millisecond, now)
		}
	}
	if n := c.una - before; n > 0 {
		c.grow(float64(n), now)
	}
	return int(c.window)
}

// measured takes a round trip.
func (c *control) measured(rtt, now time.Duration) {
	rtt = max(rtt, time.Millisecond) // KCP's resolution
	c.last = rtt
	if c.rtt == 0 {
		c.rtt = rtt
		c.shortest, c.epoch = [2]time.Duration{rtt, rtt}, now
	}
	c.rtt += (rtt - c.rtt) / 8
	if now-c.epoch > shortestFor {
		c.shortest[0], c.shortest[1] = rtt, c.shortest[0]
		c.epoch = now
	}
	c.shortest[0] = min(c.shortest[0], rtt)
}

// queue returns the delay that waiting on the path adds, as it seems.
func (c *control) queue() time.Duration { return c.rtt - min(c.shortest[0], c.shortest[1]) }

// grow opens the window for n packets acknowledged.
func (c *control) grow(n float64, now time.Duration) {
	switch {
	case c.queue() > queueTarget:
		if now-c.cutAt > c.rtt {
			c.cut(queueFactor, now)
		}
	case int32(c.una-c.full) > 0: // the sender had no more to send: it proves nothing
	case c.window < c.slow && c.last-min(c.shortest[0], c.shortest[1]) > queueTarget/2: // a queue builds up, and half as much is coming
		c.cut(lossFactor, now)
	case c.window < c.slow:
		c.window += n
	default:
		idle := 1 - float64(c.queue())/float64(queueTarget)
		empty := max(0, 1-4*float64(c.queue())/float64(queueTarget))
		c.window += max(growth+growthIdle*idle, c.window*growthEmpty*empty) * n / c.window
	}
	c.window = min(c.window, c.max)
}
