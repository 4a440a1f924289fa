package roulette

import "time"

// link is what Timing tells about the path to one neighbour.
type link struct {
	lastSent uint16 // Timing.Sent of the last message to it; unique, see stamp
	heard    bool
	echo     uint16        // Timing.Sent of the newest message from it
	echoAt   time.Duration // when that came
	echoed   bool          // it was told
	unsaid   unsaid        // what came since anything was told
	rtt      time.Duration // lowest seen, 0 if none
	last     *echoRecord

	delays  delays
	queue   time.Duration // how much longer than the least its last message took
	queueAt time.Duration // when that came
}

func ticks(d time.Duration) uint16 { return uint16(d / ClockUnit) }

// stamp fills in the Timing of a message to v. Sent never repeats from one
// message to the next, so that an echo names one message.
func (l *link) stamp(now time.Duration, t *Timing) {
	t.Sent = ticks(now)
	if t.Sent == l.lastSent {
		t.Sent++
	}
	l.lastSent = t.Sent
	l.unsaid.said()
	if l.heard && !l.echoed {
		t.Echo, t.Lag, l.echoed = l.echo, ticks(l.echoAt)-l.echo, true
	}
}

// receive takes the Timing of a message that came now. It returns the round
// trip, without the time the other side held its answer, and ok if the message echoed one of ours.
func (l *link) receive(now time.Duration, t *Timing) (rtt time.Duration, ok bool) {
	if !l.heard || t.Sent-l.echo < 1<<15 {
		l.heard, l.echo, l.echoAt, l.echoed = true, t.Sent, now, false
	}
	l.queue, l.queueAt = l.delays.over(now, ticks(now)-t.Sent), now
	if !t.echoes() {
		return 0, false
	}
	held := t.Sent - (t.Echo + t.Lag) // between its receiving and its sending, by its clock
	gone := ticks(now) - t.Echo       // since we sent, by ours
	if gone >= 1<<15 || held > gone {
		return 0, false
	}
	rtt = time.Duration(gone-held) * ClockUnit
	if l.rtt == 0 || rtt < l.rtt {
		l.rtt = rtt
	}
	return rtt, true
}
