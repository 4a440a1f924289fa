package notary

import (
	"net/netip"
	"time"
)

const (
	maxPaced = 4096
	// maxLag is how many intervals a look may be put off for the sake of its address.
	maxLag = 5
	// costly is how many bytes of an object count as one look more.
	costly = 1 << 20
)

// pace is how often somebody may be asked: burst times one after the other after a pause, as
// a page and its parts are, and once an interval in the long run. Of whom is asked it needs one
// time, until when what was taken is paid off; the zero time owes nothing.
type pace struct {
	interval time.Duration
	burst    int
}

// wait returns how long it is until the next turn.
func (p pace) wait(now, paid time.Time) time.Duration {
	if !paid.After(now) { // the zero time, above all, from which nothing can be subtracted
		return 0
	}
	return max(0, paid.Sub(now)-time.Duration(p.burst-1)*p.interval)
}

// take returns until when one turn more is paid off. One that costs more than there is left is
// a debt.
func (p pace) take(now, paid time.Time, cost int64) time.Time {
	if paid.Before(now) {
		paid = now
	}
	return paid.Add(time.Duration(cost) * p.interval)
}

// costOf is how many turns looking at an object of that size takes.
func costOf(size int64) int64 { return 1 + size/costly }

// pacer spaces out what goes to one address. It is pure: time is an argument.
type pacer struct {
	pace pace
	paid map[netip.Addr]time.Time
}

func newPacer(p pace) *pacer { return &pacer{pace: p, paid: make(map[netip.Addr]time.Time)} }

// reserve takes a turn of that cost at the address and returns how long it is off;
// false if that is too long, or too many addresses have turns.
func (p *pacer) reserve(now time.Time, a netip.Addr, cost int64) (wait time.Duration, ok bool) {
	if len(p.paid) >= maxPaced {
		for addr, at := range p.paid {
			if !now.Before(at) {
				delete(p.paid, addr)
			}
		}
		if len(p.paid) >= maxPaced {
			return 0, false
		}
	}
	wait = p.pace.wait(now, p.paid[a])
	if wait > maxLag*p.pace.interval {
		return 0, false
	}
	p.paid[a] = p.pace.take(now, p.paid[a], cost)
	return wait, true
}
