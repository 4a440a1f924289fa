package tracker

import (
	"sync"
	"sync/atomic"
	"time"
)

// Pace says how long announcers should wait before they come again: longer when
// there are more of them than the tracker wants to hear a second, and longer
// while more are coming. It is safe for concurrent use; counting costs one addition.
type Pace struct {
	cfg PaceConfig

	arrived atomic.Int64 // since window
	checked atomic.Int64 // Unix seconds of the last reckoning
	stretch atomic.Int64 // in 1/256

	mu     sync.Mutex
	window int64 // Unix seconds
}

// PaceConfig is what a Pace is made of; all fields are required but Holders.
type PaceConfig struct {
	Base, Most time.Duration
	PerSecond  int64                     // announcements a second the tracker wants at most
	Holders    func(now time.Time) int64 // how many announce; nil is not known
}

// paceWindow is over how many seconds arrivals are counted.
const paceWindow = 4

// NewPace returns a Pace that begins with cfg.Base.
func NewPace(cfg PaceConfig) *Pace {
	cfg.Most, cfg.PerSecond = max(cfg.Base, cfg.Most), max(cfg.PerSecond, 1)
	p := &Pace{cfg: cfg}
	p.stretch.Store(256)
	return p
}

// Count notes n announcements and returns how long to wait before the next.
func (p *Pace) Count(now time.Time, n int) time.Duration {
	p.arrived.Add(int64(n))
	if t := now.Unix(); t-p.checked.Load() >= paceWindow || t < p.checked.Load() {
		p.reckon(now)
	}
	return p.Interval()
}

// reckon compares what comes, and what will come, with what is wanted. A crowd
// that came within a moment comes back within half of an interval, for that is
// how widely clients spread: hence the factor of two.
func (p *Pace) reckon(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := now.Unix()
	passed := t - p.window
	if passed >= 0 && passed < paceWindow {
		return
	}
	first := p.window == 0
	p.window = t
	arrived := p.arrived.Swap(0)
	p.checked.Store(t)
	if first || passed < 0 {
		return
	}
	stretch := max(256, p.stretch.Load()/2, 256*(arrived/passed)/p.cfg.PerSecond)
	if p.cfg.Holders != nil {
		stretch = max(stretch, 256*2*p.cfg.Holders(now)/(p.cfg.PerSecond*max(1, seconds(p.cfg.Base))))
	}
	p.stretch.Store(min(stretch, 256*1024))
}

// Interval is how long a peer should wait before it announces again.
func (p *Pace) Interval() time.Duration {
	return min(p.cfg.Base/256*time.Duration(p.stretch.Load()), p.cfg.Most)
}

// Stretch says by how much the interval is stretched; 1 is not.
func (p *Pace) Stretch() float64 { return float64(p.Interval()) / float64(p.cfg.Base) }
