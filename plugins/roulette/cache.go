package roulette

import "math/rand/v2"

// rouletteCache is the revolving cache of the neighbours data was exchanged with
// most recently, duplicates kept (F16). The paper gave the protocol its name after it.
type rouletteCache struct{ slots []NeighbourID }

// add appends who, and trims the front to degree slots (F16, F17).
func (r *rouletteCache) add(who NeighbourID, degree int) {
	r.slots = append(r.slots, who)
	if over := len(r.slots) - max(degree, 1); over > 0 {
		r.slots = append(r.slots[:0], r.slots[over:]...)
	}
}

// forget removes a neighbour that is gone.
func (r *rouletteCache) forget(who NeighbourID) {
	kept := r.slots[:0]
	for _, s := range r.slots {
		if s != who {
			kept = append(kept, s)
		}
	}
	r.slots = kept
}

// pick draws a slot with probability slot/(1+2+...+s) (F18); ok is false when
// the cache is empty.
func (r *rouletteCache) pick(rng *rand.Rand) (who NeighbourID, ok bool) {
	s := len(r.slots)
	if s == 0 {
		return 0, false
	}
	x := rng.IntN(s * (s + 1) / 2)
	for i, who := range r.slots {
		if x -= i + 1; x < 0 {
			return who, true
		}
	}
	return 0, false
}
