package roulette

import "time"

// The members that wait for WELCOME. A member leaves its queue by a change of its own state; what is no longer true is
// skipped when its turn comes.

// wait lets a member wait for WELCOME. Asking again while it waits changes nothing, unless somebody was told of it, in
// vain as it seems.
func (m *members) wait(now time.Duration, id NeighbourID, header bool) {
	e := m.of[id]
	if e == nil {
		return
	}
	e.header = e.header || header
	if e.waits && !e.known {
		return
	}
	e.waits, e.known = true, false
	if !e.inUnnamed { // else its old place is as good
		e.inUnnamed, e.since = true, now
		m.unnamed = append(m.unnamed, e)
	}
}

// next returns who is to be welcomed next, nil if nobody waits: first those that nobody was told of.
func (m *members) next() *member {
	for ; len(m.unnamed) > 0; m.unnamed = m.unnamed[1:] {
		e := m.unnamed[0]
		if m.of[e.id] == e && e.waits && !e.known {
			return e
		}
		e.inUnnamed = false
	}
	for ; len(m.named) > 0; m.named = m.named[1:] {
		e := m.named[0]
		if m.of[e.id] == e && e.waits && e.known {
			return e
		}
		e.inNamed = false
	}
	return nil
}

// welcomed ends a member's waiting.
func (m *members) welcomed(e *member) { e.waits, e.header, e.known = false, false, false }

// overdue returns up to k members that wait longer than most is and nobody was told of.
func (m *members) overdue(now, most time.Duration, k int) (out []*member) {
	for _, e := range m.unnamed {
		if len(out) == k || now-e.since < most {
			break
		}
		if m.of[e.id] == e && e.waits && !e.known {
			out = append(out, e)
		}
	}
	return out
}

// tell notes that a member that waits was named to a reader.
func (m *members) tell(e *member) Introduction {
	m.postpone(e)
	return e.intro
}

// last lets a member wait until nobody else does and there is nothing else to send.
func (m *members) last(id NeighbourID) {
	if e := m.of[id]; e != nil {
		m.postpone(e)
	}
}

func (m *members) postpone(e *member) {
	if !e.waits || e.known {
		return
	}
	e.known = true
	if !e.inNamed {
		e.inNamed = true
		m.named = append(m.named, e)
	}
}

// joinLasts is how long a member is taken to wait that does not say so again: JOINs come again at random, up to six
// seconds apart, and in a large crowd most of them drown.
const joinLasts = 12 * time.Second

func (e *member) waitsStill(now time.Duration) bool { return e.waits && now-e.heard <= joinLasts }

// waits reports whether there is a member that waits for WELCOME still.
func (m *members) waits(now time.Duration, id NeighbourID) bool {
	e := m.of[id]
	return e != nil && e.waitsStill(now)
}

// keepsSilent reports whether the silent are not dropped at once: by a seed that has given to nobody yet some of what it has. Once
// everything was given away, who lacks a last chunk does better to come back than to be waited for
// (docs/experiments/causes.md: 171 s instead of 43).
func (c *Core) keepsSilent() bool { return c.cfg.Seed && c.unserved > 0 }

// A seed of few readers remembers the silent for long: whose windows others fill says nothing to a busy seed, and of forty readers of
// 1 MiB half were dropped, and did not ask again for what others hold who serve nobody (docs/adr/0034). Who left without a word has no
// copies meanwhile, and wants nothing.
const (
	rememberMost = 64
	rememberTime = 30 * time.Second
)

// remembers reports whether a seed remembers a reader that has been silent for so long.
func (c *Core) remembers(silent time.Duration) bool {
	return c.cfg.Seed && len(c.neighbours) <= rememberMost && silent <= rememberTime
}

// letGo reports whether v, which has been silent, is dropped now. By a seed that keeps the silent not while v waits for its
// WELCOME: that would cost a datagram to tell it, and another JOIN. And one at a time as long as there is room: of 10,000
// readers at once a seed dropped 500 a second, and telling them took 40 % of its uplink.
func (c *Core) letGo(v *neighbour) bool {
	if !c.keepsSilent() {
		return true
	}
	if c.members.waits(c.now, v.id) || c.now < c.letGoAt && len(c.neighbours) < seedTable*7/8 {
		return false
	}
	c.letGoAt = c.now + letGoEvery
	return true
}

// letGoEvery is how often a seed drops somebody silent: a twentieth of an uplink of 800 kbit/s goes into telling them.
const letGoEvery = 15 * time.Millisecond

// deadAt is when v will be taken for dead, or looked at again.
func (c *Core) deadAt(v *neighbour) time.Duration {
	heard := max(v.heard, v.since)
	at := heard + c.p.DeadAfter + time.Millisecond
	if c.now >= at && c.remembers(c.now-heard) {
		return heard + rememberTime + time.Millisecond
	}
	switch {
	case !c.keepsSilent() || at > c.now:
		return at
	case c.members.waits(c.now, v.id):
		return c.members.of[v.id].heard + joinLasts + time.Millisecond
	}
	return max(at, c.letGoAt)
}
