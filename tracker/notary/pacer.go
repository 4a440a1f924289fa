package notary

import (
	"net/netip"
	"time"
)

const (
	maxPaced = 4096
	// maxLag is how many intervals a look may be put off for the sake of its address.
	maxLag = 5
)

// pacer spaces out what goes to one address. It is pure: time is an argument.
type pacer struct {
	interval time.Duration
	next     map[netip.Addr]time.Time
}

func newPacer(interval time.Duration) *pacer {
	return &pacer{interval: interval, next: make(map[netip.Addr]time.Time)}
}

// reserve takes the next turn at the address and returns how long it is off;
// false if that is too long, or too many addresses have turns.
func (p *pacer) reserve(now time.Time, a netip.Addr) (wait time.Duration, ok bool) {
	if len(p.next) >= maxPaced {
		for addr, at := range p.next {
			if !now.Before(at) {
				delete(p.next, addr)
			}
		}
		if len(p.next) >= maxPaced {
			return 0, false
		}
	}
	at := p.next[a]
	if at.Before(now) {
		at = now
	}
	wait = at.Sub(now)
	if wait > maxLag*p.interval {
		return 0, false
	}
	p.next[a] = at.Add(p.interval)
	return wait, true
}
