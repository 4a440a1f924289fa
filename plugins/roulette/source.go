package roulette

import "time"

// Who is asked: the neighbour with the shortest expected answer.

// bestSource returns the neighbour with the shortest expected answer among
// those that have something for us and room, or nil.
func (c *Core) bestSource(limit int) *neighbour {
	var best *neighbour
	var least time.Duration
	for _, v := range c.neighbours {
		if v.barren || !c.usable(v, limit) {
			continue
		}
		if t := c.expect(v); best == nil || t < least {
			if !v.offers(c.free) {
				v.barren = true
				continue
			}
			best, least = v, t
		}
	}
	return best
}

func (v *neighbour) offers(free bitset) bool {
	for w := range free {
		if free[w]&v.have[w] != 0 {
			return true
		}
	}
	return false
}

// usable reports whether another request may go to v.
func (c *Core) usable(v *neighbour, limit int) bool {
	if v.state < StateSecondHandshake || c.now < v.restTill {
		return false
	}
	if v.seed {
		limit = c.seedLimit(v, limit)
	}
	open, late := v.open()
	return late == 0 && open < limit+v.extra && len(v.asked) < maxAsked && !c.nearlyDone(v)
}

// maxAsked is how many requests may be outstanding at one neighbour: less than Tuned
// lets wait in a queue.
const maxAsked = 960

// seedLimit is how many blocks may be outstanding at a seed: it has all, so it would be asked
// for everything. The fewer others there are the more; of a busy one only
// what nobody else can give.
func (c *Core) seedLimit(v *neighbour, limit int) int {
	others := 0
	for _, w := range c.neighbours {
		if w != v && w.delivered > 0 {
			others++
		}
	}
	if v.busy && others > 0 {
		return 0
	}
	return max(min(limit, c.p.WindowBlocks/(1+others)), c.p.PerNeighbour)
}

// blockTime is a guess of how long one more request makes a neighbour's queue.
const blockTime = 10 * time.Millisecond

// strangerTime is what a neighbour that has not delivered anything yet is taken to need longer: it may
// never answer, and who serves nobody looks the least busy of all.
const strangerTime = 80 * time.Millisecond

// Who has enough neighbours that gave something tries others only when these are busy: each poisoner costs a chunk fetched in vain.
const (
	enoughGivers    = 6
	patientStranger = 200 * time.Millisecond
)

// A neighbour that owes us is asked before one that is a little faster: dueTime for each block of its debt, at most mostDue. Who is far
// away is slower than all others; if it was never asked it could not pay, and would be given less and less.
const (
	dueTime = 2 * time.Millisecond
	mostDue = 150 * time.Millisecond
)

// expect is how long v would take to answer a request made now, less what it is worth to be paid.
func (c *Core) expect(v *neighbour) time.Duration {
	rtt := v.link.rtt
	if rtt == 0 {
		rtt = 80 * time.Millisecond
	}
	switch {
	case v.delivered > 0 || v.seed:
	case c.givers >= enoughGivers:
		rtt += patientStranger
	default:
		rtt += strangerTime
	}
	if owed := v.tab.balance(); owed > 0 {
		rtt -= min(time.Duration(owed)*dueTime/BlockSize, mostDue)
	}
	open, _ := v.open()
	return rtt + max(0, v.queue-(c.now-v.queueAt)) + time.Duration(open)*blockTime
}
