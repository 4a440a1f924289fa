package tracker

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limiter bounds how much each source asks for. It remembers the latest sources
// only: whoever was forgotten starts with a full burst, which costs less than
// unbounded memory.
type limiter struct {
	perSecond rate.Limit
	burst     int
	max       int

	mu    sync.Mutex
	order *list.List // of *source, latest first
	bySrc map[netip.Prefix]*list.Element
}

type source struct {
	prefix netip.Prefix
	bucket *rate.Limiter
}

// orElse returns a setting, or what stands for none.
func orElse[T int | float64](v, none T) T {
	if v <= 0 {
		return none
	}
	return v
}

func newLimiter(perSecond float64, burst, sources int) *limiter {
	return &limiter{
		perSecond: rate.Limit(perSecond), burst: burst, max: sources,
		order: list.New(), bySrc: make(map[netip.Prefix]*list.Element),
	}
}

// allow takes n tokens of the source: an IPv4 address or an IPv6 /64.
func (l *limiter) allow(now time.Time, a netip.Addr, n int) bool {
	prefix := sourcePrefix(a)
	if !prefix.IsValid() {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.bySrc[prefix]
	if ok {
		l.order.MoveToFront(e)
	} else {
		e = l.order.PushFront(&source{prefix, rate.NewLimiter(l.perSecond, l.burst)})
		l.bySrc[prefix] = e
		if len(l.bySrc) > l.max {
			last := l.order.Back()
			delete(l.bySrc, last.Value.(*source).prefix)
			l.order.Remove(last)
		}
	}
	return e.Value.(*source).bucket.AllowN(now, min(n, l.burst))
}

// setRate changes the rate of everybody, and forgets who used up what.
func (l *limiter) setRate(perSecond float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if rate.Limit(perSecond) == l.perSecond {
		return
	}
	l.perSecond = rate.Limit(perSecond)
	l.order.Init()
	clear(l.bySrc)
}
