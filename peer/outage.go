package peer

import (
	"sync"
	"time"
)

const (
	// maxOutages bounds how many origins are remembered as down.
	maxOutages = 1024
	// freshOutage is for how long an origin that was found down is given less patience.
	freshOutage = 30 * time.Second
	// impatience divides the patience for an origin that was found down just now:
	// every page has dozens of parts, and each would wait its full time.
	impatience = 10
)

// outages remembers which origins were found down, to save the reader's time and
// to tell since when. An origin is asked all the same. The zero value is ready.
type outages struct {
	mu sync.Mutex
	m  map[string]outage
}

type outage struct{ since, last time.Time }

// down notes a failed attempt and returns since when the origin is down.
func (o *outages) down(origin string, now time.Time) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.m == nil {
		o.m = make(map[string]outage)
	}
	e, ok := o.m[origin]
	if !ok {
		if len(o.m) >= maxOutages {
			o.forgetOldest()
		}
		e.since = now
	}
	e.last = now
	o.m[origin] = e
	return e.since
}

func (o *outages) forgetOldest() {
	var oldest string
	var at time.Time
	for k, e := range o.m {
		if oldest == "" || e.last.Before(at) {
			oldest, at = k, e.last
		}
	}
	delete(o.m, oldest)
}

// isDown reports whether the origin was found down and has not answered since.
func (o *outages) isDown(origin string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.m[origin]
	return ok
}

// up notes that the origin answered.
func (o *outages) up(origin string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.m, origin)
}

// patience returns how long to wait for the origin's answer before looking for a copy.
func (o *outages) patience(origin string, now time.Time, usual time.Duration) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if e, ok := o.m[origin]; ok && now.Sub(e.last) < freshOutage {
		return usual / impatience
	}
	return usual
}
