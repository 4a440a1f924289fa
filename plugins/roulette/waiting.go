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
	if e.waits && !e.known {
		e.known = true
		if !e.inNamed {
			e.inNamed = true
			m.named = append(m.named, e)
		}
	}
	return e.intro
}
