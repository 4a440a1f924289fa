package nois

import (
	"iter"
	"slices"
)

// Contains reports whether chunk i is there.
func (s *Set) Contains(i uint32) bool {
	if s.lanes == 0 {
		return false
	}
	at, pos := s.locate(i)
	n := &s.nodes[at]
	return n.key[pos] <= i && i < n.val[pos]
}

// ContainsRange reports whether every chunk of iv is there; of an empty iv it is true.
func (s *Set) ContainsRange(iv Interval) bool {
	if iv.End <= iv.Start {
		return true
	}
	if s.lanes == 0 {
		return false
	}
	at, pos := s.locate(iv.Start)
	n := &s.nodes[at]
	return n.key[pos] <= iv.Start && iv.End <= n.val[pos]
}

// FirstGap returns the first run of chunks of [from, limit) that are not there,
// as long as it can be within those bounds; false if there is none.
func (s *Set) FirstGap(from, limit uint32) (Interval, bool) {
	next := limit
	if s.lanes > 0 {
		at, pos := s.locate(from)
		n := &s.nodes[at]
		if n.key[pos] > from {
			next = n.key[pos]
		} else {
			from = max(from, n.val[pos])
			next, _ = s.startAfter(n, pos)
		}
	}
	if from >= limit {
		return Interval{}, false
	}
	return Interval{from, min(next, limit)}, true
}

// NextPresent returns the first run of chunks at or after from that are there:
// if chunk from is there, the rest of its interval, else the next interval.
func (s *Set) NextPresent(from uint32) (Interval, bool) {
	if s.lanes == 0 {
		return Interval{}, false
	}
	at, pos := s.locate(from)
	n := &s.nodes[at]
	if from < n.val[pos] {
		return Interval{max(from, n.key[pos]), n.val[pos]}, true
	}
	if pos++; pos == n.n {
		if n.right == 0 {
			return Interval{}, false
		}
		n, pos = &s.nodes[n.right.index()], 0
	}
	return Interval{n.key[pos], n.val[pos]}, true
}

// All yields the intervals in ascending order. The Set must not be changed meanwhile.
func (s *Set) All() iter.Seq[Interval] {
	return func(yield func(Interval) bool) {
		for at := s.first(); at != 0; {
			n := &s.nodes[at.index()]
			for i := range n.n {
				if !yield(Interval{n.key[i], n.val[i]}) {
					return
				}
			}
			at = n.right
		}
	}
}

// first returns the leftmost node of lane 0.
func (s *Set) first() link {
	if s.lanes == 0 {
		return 0
	}
	p := s.descend(0)
	return linkTo(p.node[0])
}

// Top returns the k longest intervals of the chunks below limit (the "top
// intervals" of F28), in ascending order; of equally long ones the lower are taken.
func (s *Set) Top(k int, limit uint32) []Interval {
	if k <= 0 {
		return nil
	}
	top := make([]Interval, 0, min(k, s.intervals)) // longest first
	least := uint32(0)                              // what is no longer has no place
scan:
	for at := s.first(); at != 0; at = s.nodes[at.index()].right {
		n := &s.nodes[at.index()]
		for i := range n.n {
			start, end := n.key[i], min(n.val[i], limit)
			if start >= limit {
				break scan
			}
			if end-start <= least {
				continue
			}
			if top = putByLength(top, k, Interval{start, end}); len(top) == k {
				least = uint32(top[k-1].Len())
			}
		}
	}
	slices.SortFunc(top, func(a, b Interval) int {
		if a.Start < b.Start {
			return -1
		}
		return 1
	})
	return top
}

// putByLength puts iv into top, the longest first, behind those of its length; of more than k the last is dropped.
func putByLength(top []Interval, k int, iv Interval) []Interval {
	at := len(top)
	for at > 0 && top[at-1].Len() < iv.Len() {
		at--
	}
	return slices.Insert(top[:min(len(top), k-1)], at, iv)
}
