package nois

// Of returns the set of the given chunks.
func Of(ivs ...Interval) *Set {
	s := new(Set)
	for _, iv := range ivs {
		s.AddRange(iv)
	}
	return s
}

// Union adds to s every chunk that is in o.
func (s *Set) Union(o *Set) {
	if s.lanes == 0 {
		*s = *o.Clone()
		return
	}
	for iv := range o.All() {
		s.AddRange(iv)
	}
}

// Difference returns the chunks that are in s and not in o.
func (s *Set) Difference(o *Set) *Set {
	d := new(Set)
	c := cursor{s: o, at: o.first()}
	for iv := range s.All() {
		for iv.Start < iv.End {
			held, ok := c.reach(iv.Start)
			if !ok || held.Start >= iv.End {
				d.AddRange(iv)
				break
			}
			if held.Start > iv.Start {
				d.AddRange(Interval{iv.Start, held.Start})
			}
			iv.Start = held.End
		}
	}
	return d
}

// Intersects reports whether s and o have a chunk in common.
func (s *Set) Intersects(o *Set) bool {
	if s.intervals > o.intervals {
		s, o = o, s
	}
	for iv := range s.All() {
		if held, ok := o.NextPresent(iv.Start); ok && held.Start < iv.End {
			return true
		}
	}
	return false
}

// Equal reports whether s and o hold the same chunks.
func (s *Set) Equal(o *Set) bool {
	if s.count != o.count || s.intervals != o.intervals {
		return false
	}
	c := cursor{s: o, at: o.first()}
	for iv := range s.All() {
		if other, ok := c.reach(iv.Start); !ok || other != iv {
			return false
		}
	}
	return true
}

// cursor walks lane 0 of a Set from left to right.
type cursor struct {
	s   *Set
	at  link
	pos uint32
}

// reach moves on to the first interval that ends after from and returns it.
func (c *cursor) reach(from uint32) (Interval, bool) {
	for c.at != 0 {
		n := &c.s.nodes[c.at.index()]
		for ; c.pos < n.n; c.pos++ {
			if n.val[c.pos] > from {
				return Interval{n.key[c.pos], n.val[c.pos]}, true
			}
		}
		c.at, c.pos = n.right, 0
	}
	return Interval{}, false
}
