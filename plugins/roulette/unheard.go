package roulette

import "time"

// unheard is what of all that was sent is not known to have left the modem. What is sent later leaves it later, whoever it goes to, so
// that one neighbour's echo of a datagram tells of all before it. It keeps the pacer from filling a modem while it cannot know
// better: before the first estimate, and where few stay long enough to compare their echoes (docs/adr/0040).
type unheard struct {
	came  float64       // bytes charged up to the newest datagram that is known to have come
	since time.Duration // when the first datagram after it was sent
}

const (
	// firstWindow is how many bytes may be on their way before anything is known (RFC 6928), and with nothing heard for silentFor.
	firstWindow = 14600
	silentFor   = 750 * time.Millisecond
)

// heard notes that all that had been charged up to a datagram has left; the next was sent at since.
func (h *unheard) heard(charged float64, since time.Duration) {
	if charged > h.came {
		h.came, h.since = charged, since
	}
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
