package roulette

// A seed gives to who got least (F19, R7), by start-time fair queueing (Goyal, Vin, Cheng 1996): who comes, or comes back after
// having asked for nothing, begins a head start behind the turn that the others have come to, and not at nothing. By what
// each got in all, a reader that had a seed to itself got nothing more until all who came later had as much, and waited
// most of a second for its last four chunks (docs/adr/0032). In a crowd the sums stay: nobody gets much there, and who only takes
// has had the most.

// headStart is how many blocks who is new may get more than the others before they are equal: as many as a reader
// on trial waits for, so that the first chunks of a reader that nobody could thank yet come at once.
func (c *Core) headStart() int { return unthanked * c.blocks }

// turnOf is v's place at a seed: the lowest is served first.
func (c *Core) turnOf(v *neighbour) int {
	if len(c.members.of) > c.p.SeedCrowd {
		return v.served
	}
	return max(v.turn, c.turn-c.headStart())
}

// tookTurn notes that a seed gave v some blocks.
func (c *Core) tookTurn(v *neighbour, blocks int) {
	start := c.turnOf(v)
	c.turn = max(c.turn, start)
	v.turn = start + blocks
}
