package roulette

import (
	"math"
	"time"
)

// ownBlock is how long a block takes on our uplink, 0 while it is not known to take any time.
func (c *Core) ownBlock() time.Duration {
	rate := c.cfg.Uplink.Rate()
	if math.IsInf(rate, 1) || rate <= 0 {
		return 0
	}
	return time.Duration(float64(BlockSize+c.cfg.Uplink.overhead) / rate * float64(time.Second))
}

// slowly is how long something is waited for that is asked for again when it does not come within d. On a slow uplink the
// question waits behind a block here, and, where most links are like that, so does the answer: asked for every d,
// greetings, proofs and news took a quarter of uplinks of a tenth of the downlinks (docs/experiments/causes.md).
func (c *Core) slowly(d time.Duration) time.Duration {
	if c.cfg.Seed || c.p.Profile == ProfileClassic {
		return d
	}
	return time.Duration(float64(d) * max(1, c.ownBlock().Seconds()/unhurriedBlock.Seconds()))
}

// unhurriedBlock is what a block takes on an uplink of about 350 kbit/s: on faster ones nothing is waited for longer.
const unhurriedBlock = 25 * time.Millisecond

// greetingQueue is how long may be what waits on our uplink when a greeting is answered with content. If it is longer the answer is
// STATUS, at once: else who greets us waits in vain, greets us again, and gives us up.
const greetingQueue = 200 * time.Millisecond
