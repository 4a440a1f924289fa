package roulette

import "time"

// allowance is a rate limit on what is asked for. Asking less, and not reading
// late, keeps the limit from looking like a full modem to those who send.
type allowance struct {
	rate   int // bytes/s; 0: unlimited
	budget float64
	at     time.Duration
}

// most is how many bytes may be saved up: an eighth of a second's.
func (a *allowance) most(room int) float64 { return max(float64(a.rate)/8, float64(room*BlockSize)) }

func (a *allowance) refill(now time.Duration, room int) {
	a.budget = min(a.most(room), a.budget+(now-a.at).Seconds()*float64(a.rate))
	a.at = now
}

func (a *allowance) spend(blocks int) { a.budget -= float64(blocks * BlockSize) }

// within shrinks a window of which some is taken to what the limit allows.
func (c *Core) within(window int) int {
	if c.limit.rate == 0 {
		return window
	}
	c.limit.refill(c.now, c.p.PumpRoom)
	return min(window, c.places()+max(0, int(c.limit.budget/BlockSize)))
}

// limitAt is when the limit allows the next requests; false if it does not hinder.
func (c *Core) limitAt() (time.Duration, bool) {
	need := float64(c.p.PumpRoom * BlockSize)
	if c.limit.rate == 0 || c.done || c.limit.budget >= need {
		return 0, false
	}
	return c.limit.at + time.Duration((need-c.limit.budget)/float64(c.limit.rate)*float64(time.Second)) + time.Microsecond, true
}
