package roulette

import "time"

// A seed gives to who got least (F19, R7), by start-time fair queueing (Goyal, Vin, Cheng 1996): who comes, or comes back after
// having asked for nothing, begins a head start behind the turn that the others have come to, and not at nothing. By what
// each got in all, a reader that had a seed to itself got nothing more until all who came later had as much, and waited
// most of a second for its last four chunks (docs/adr/0032). In a crowd the sums stay, but for what was passed on: nobody gets much
// there, and who only takes has had the most.

// trialWeight is what a block counts that goes to a reader on trial, and how much slower its requests age: where others
// want the seed's uplink it gets so much less of it than they, and never nothing. In a crowd what somebody gets who passed on
// twice as much counts as much less than a block: it is not lost to the others.
const trialWeight = 16

// headStart is how many blocks who is new may get more than the others before they are equal: its trial and a block at
// least, so that its first chunks come at once.
func (c *Core) headStart() int { return trialWeight * c.blocks }

// turnOf is v's place at a seed: the lowest is served first. In blocks.
func (c *Core) turnOf(v *neighbour) int {
	if len(c.members.of) <= c.p.SeedCrowd {
		return max(v.turn, c.turn-c.headStart())
	}
	passed := min(v.praised/2*c.blocks, v.served-v.served/trialWeight)
	return v.served - passed + (trialWeight-1)*max(0, c.beyond(v))
}

// tookTurn notes that a seed gives v some blocks; v.served has them afterwards.
func (c *Core) tookTurn(v *neighbour, blocks int) {
	start := c.turnOf(v)
	c.turn = max(c.turn, start)
	if c.onTrial(v) {
		blocks *= trialWeight
	}
	v.turn = start + blocks
}

// ageTime is what a request that waits at a seed gains on one block more served: else the
// stream of newcomers would keep who lacks a last chunk waiting for ever.
const ageTime = 200 * time.Millisecond

// seedRank orders v's request of that time among those of others at a seed: the lowest is served first. A block is ageTime in
// microseconds.
func (c *Core) seedRank(v *neighbour, at time.Duration) int64 {
	waits := c.now - at
	if c.onTrial(v) {
		waits /= trialWeight
	}
	return int64(c.turnOf(v))*ageTime.Microseconds() - waits.Microseconds()
}
