package roulette

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"nt/transport"
)

// members is what a seed (or tracker) remembers of who joined, newest last.
type members struct {
	list   []*member
	of     map[NeighbourID]*member
	groups map[netip.Prefix]int // how many of one network group
	rate   rateMeter            // JOINs, in 1/s

	// Who waits for WELCOME, in the order of coming: who nobody was told of yet, and who was named
	// to a reader meanwhile. Who no longer belongs there is skipped when its turn comes.
	unnamed, named []*member
}

type member struct {
	id     NeighbourID
	intro  Introduction
	group  netip.Prefix
	joined time.Duration
	heard  time.Duration
	gone   bool

	met     int  // others that it was named by somebody else
	thanked bool // by a reader, for what it gave

	waits  bool          // for WELCOME
	since  time.Duration // when it began to wait
	header bool          // its WELCOME is to carry the header
	known  bool          // it was named to a reader while it waits, or waits behind all others
	pushed bool          // it got the first chunks
	// in which of the two queues it stands; once in each, whatever it is by now
	inUnnamed, inNamed bool
}

func (m *members) join(now time.Duration, v *neighbour, max int) {
	if m.of == nil {
		m.of, m.groups = make(map[NeighbourID]*member), make(map[netip.Prefix]int)
	}
	if e := m.of[v.id]; e != nil {
		e.heard = now
		return
	}
	if len(m.list) >= max {
		m.leave(m.list[0].id)
		m.list = m.list[1:]
	}
	e := &member{id: v.id, intro: Introduction{Peer: v.peer}, group: transport.NetworkGroup(v.peer.Addr.Addr()), joined: now, heard: now, thanked: v.praised > 0}
	m.of[v.id] = e
	m.groups[e.group]++
	m.list = append(m.list, e)
}

func (m *members) heard(now time.Duration, id NeighbourID) {
	if e := m.of[id]; e != nil {
		e.heard = now
	}
}

// hasMet notes how many others a member was named by somebody else.
func (m *members) hasMet(id NeighbourID, n int) {
	if e := m.of[id]; e != nil {
		e.met = n
	}
}

func (m *members) leave(id NeighbourID) {
	if e := m.of[id]; e != nil {
		e.gone = true
		m.forget(e)
	}
}

func (m *members) forget(e *member) {
	if m.of[e.id] != e {
		return
	}
	delete(m.of, e.id)
	if m.groups[e.group]--; m.groups[e.group] == 0 {
		delete(m.groups, e.group)
	}
}

// quiet reports whether a member of a crowd is no newcomer and was not thanked, though half of the others or more could have: thanks
// from its own network group do not count, so that nobody is thanked in a swarm that is all in one.
func (m *members) quiet(now time.Duration, e *member, p *Params) bool {
	return len(m.of) > p.SeedCrowd && now-e.joined > p.JoinOld && !e.thanked && 2*m.groups[e.group] <= len(m.of)
}

// expire forgets who is gone or silent and returns how many are left.
func (m *members) expire(now, ttl time.Duration) int {
	for len(m.list) > 0 && (m.list[0].gone || now-m.list[0].heard > ttl && !m.list[0].waitsStill(now)) {
		m.forget(m.list[0])
		m.list = m.list[1:]
	}
	return len(m.of)
}

// pick returns up to k members other than self: all but two of them such that wait for WELCOME for long, if
// there are, then those whose age is between young and old, who have something and will still be
// there, then the newest of the rest, and at last more of those that wait. In a crowd who is older is named only if somebody thanked
// it, or nobody could: who serves nobody, or poison, stays the longest, and would be named the oftenest (docs/adr/0034).
func (m *members) pick(now time.Duration, self NeighbourID, k int, p *Params, rng *rand.Rand) []Introduction {
	var best, rest []*member
	for i := len(m.list) - 1; i >= max(0, len(m.list)-pickLook) && len(best) < 4*k+16; i-- {
		e := m.list[i]
		age := now - e.joined
		switch {
		case e.gone || e.id == self || now-e.heard > p.MemberTTL || e.waits && !e.known:
		case age >= p.JoinYoung && age <= p.JoinOld:
			best = append(best, e)
		case m.quiet(now, e, p):
		case len(rest) < k:
			rest = append(rest, e)
		}
		if age > p.JoinOld && len(best)+len(rest) >= k {
			break
		}
	}
	rng.Shuffle(len(best), func(i, j int) { best[i], best[j] = best[j], best[i] })
	waiting := m.overdue(now, longWait, k)
	most := min(max(k-2, 0), len(waiting))
	var out []Introduction
	for _, e := range slices.Concat(waiting[:most], best, rest, waiting[most:]) {
		if len(out) == k {
			break
		}
		out = append(out, m.tell(e))
	}
	return out
}

// pickLook is at how many members, the newest, a WELCOME looks at most.
const pickLook = 1024

// rateMeter measures events (or bytes) per second over about a second.
type rateMeter struct {
	from   time.Duration
	sum    float64
	rate   float64
	filled bool
}

const meterSpan = 500 * time.Millisecond

func (r *rateMeter) add(now time.Duration, n float64) {
	if now-r.from >= meterSpan {
		got := r.sum / (now - r.from).Seconds()
		if r.filled {
			r.rate = (r.rate + got) / 2
		} else {
			r.rate, r.filled = got, r.from > 0
		}
		r.from, r.sum = now, 0
	}
	r.sum += n
}

// lately is the measured rate, or that of the present span when that is already higher.
func (r *rateMeter) lately(now time.Duration) float64 {
	if age := now - r.from; age >= meterSpan/5 {
		return max(r.rate, r.sum/age.Seconds())
	}
	return r.rate
}
