package roulette

// Without names ideas that have no number in Params, each to be switched off by the lab, which
// so tells what it is worth. The zero value is the protocol.
type Without struct {
	Rarest      bool // R5: readers ask for a random chunk, as long as the swarm is known to hold it
	LeastServed bool // R1: the seed chooses at random
	Chase       bool // proofs that do not come are waited for
}

// rarity is what a reader orders chunks by: how many neighbours hold each; nil: nothing.
func (c *Core) rarity() []uint16 {
	if c.cfg.Without.Rarest {
		return nil
	}
	return c.avail
}
