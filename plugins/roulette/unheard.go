package roulette

import "time"

// unheard is what of all that was sent is not known to have left the modem. What is sent later leaves it later, whoever it goes to, so
// that one neighbour's echo of a datagram tells of all before it. It keeps the pacer from filling a modem while it cannot know
// better: before the first estimate, and where few stay long enough to compare their echoes (docs/adr/0040).
//
// What holds back must not wait for an echo alone: who sends nothing is echoed nothing. After a pause a message goes out as a probe,
// each after twice the pause of the one before it until something is heard (docs/adr/0043; RFC 9002, section 6.2, does the same for packets).
type unheard struct {
	came   float64       // bytes charged up to the newest datagram that is known to have come
	since  time.Duration // when the first datagram after it was sent
	sentAt time.Duration // when the last message was sent
	probes int           // messages sent since something was heard while it said to wait
}

const (
	// firstWindow is how many bytes may be on their way before anything is known (RFC 6928), and with nothing heard for silentFor.
	firstWindow = 14600
	silentFor   = 750 * time.Millisecond
	// probeAfter is the first pause before a probe, doubled probeDoublings times at most.
	probeAfter     = 250 * time.Millisecond
	probeDoublings = 3
)

// sent notes that a message leaves now; over is what tooMany said before.
func (h *unheard) sent(now time.Duration, charged, over float64) {
	if charged <= h.came {
		h.since = now
	}
	if over > 0 {
		h.probes++
	}
	h.sentAt = now
}

// heard notes that all that had been charged up to a datagram has left; the next was sent at since.
func (h *unheard) heard(charged float64, since time.Duration) {
	if charged > h.came {
		h.came, h.since, h.probes = charged, since, 0
	}
}

// probeAt is when the next message may go out whatever is unheard.
func (h *unheard) probeAt() time.Duration {
	return h.sentAt + probeAfter<<min(h.probes, probeDoublings)
}

// forget takes what the slowest modem has sent meanwhile for gone, so that who is never answered is not silent for ever.
func (h *unheard) forget(seconds, charged float64) {
	if charged-h.came > firstWindow {
		h.came = min(h.came+gridLow*seconds, charged-firstWindow)
	}
}

// tooMany is how many bytes less should be on their way for another one. At first it is as in a slow start: as many again as have come.
func (h *unheard) tooMany(now time.Duration, charged float64, first bool) float64 {
	over := charged - h.came - firstWindow
	switch {
	case over <= 0:
		return 0
	case first && over > h.came:
		return over - h.came
	case now-h.since > silentFor:
		return over
	}
	return 0
}
