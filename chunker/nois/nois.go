// Package nois owns the non-overlapping interval skiplist (F26): the set of
// chunk numbers a node holds, as few disjoint intervals, and its wire form
// (F28). It knows nothing of chunks' contents, neighbours or messages.
//
//	lane 2   | 0                         900 |
//	           |                          `------------.
//	lane 1   | 0        40       210 | <-> | 900       1300 |
//	           |         `-.       `--.      |            `-.
//	lane 0   | 0-9 12-13 | 40-99 .. | 210.. | 900-901 ..  | 1300- .. |
//
// Lane 0 is a linked list of all intervals in order; every lane above lists the
// first interval of each node of the lane below, and a search runs from the top
// lane down. Nodes are wide (an unrolled list), so that a search reads few cache
// lines. Which intervals reach the lane above is decided as in a deterministic
// skip list (Munro, Papadakis, Sedgewick 1992): where a full node is cut. So no
// randomness is needed, the same operations always give the same structure, and
// no choice of chunk numbers can make a search slower than O(log n).
package nois

// MaxChunk is the highest chunk number a Set can hold; the next one could not
// be the end of an interval.
const MaxChunk = 1<<32 - 2

// Interval is the chunks Start, Start+1, ..., End-1. It is never empty in a Set.
type Interval struct{ Start, End uint32 }

// Len returns how many chunks iv has; 0 if End is not after Start.
func (iv Interval) Len() int {
	if iv.End <= iv.Start {
		return 0
	}
	return int(iv.End - iv.Start)
}

// Set is a set of chunk numbers, kept as disjoint intervals that do not touch.
// The zero Set is empty and ready to use. Reading from several goroutines at
// once is safe, changing it is not; Clone makes a copy to hand out.
type Set struct {
	nodes     []node // arena: links are indexes, so a copy of it is a copy of the Set
	free      link   // freed nodes, linked by right
	spare     int    // how many there are
	root      uint32 // the only node of the top lane
	lanes     int    // 0 in the empty Set
	intervals int
	count     uint32
	finger    link   // lane 0 node of the last change: the next is often beside it
	fingerPos uint32 // and the place in it
}

// Count returns the number of chunks, in O(1).
func (s *Set) Count() int { return int(s.count) }

// Intervals returns the number of intervals, in O(1).
func (s *Set) Intervals() int { return s.intervals }

// Full reports whether every chunk of an object of n chunks is there.
func (s *Set) Full(n uint32) bool { return s.ContainsRange(Interval{0, n}) }

// Clone returns a copy that shares nothing with s.
func (s *Set) Clone() *Set {
	c := *s
	c.nodes = append([]node(nil), s.nodes...)
	return &c
}

// Add adds chunk i and reports whether it was new. Numbers over MaxChunk cannot
// be added.
func (s *Set) Add(i uint32) bool {
	if i > MaxChunk {
		return false
	}
	before := s.count
	s.AddRange(Interval{i, i + 1})
	return s.count != before
}

// AddRange adds every chunk of iv; an empty iv adds nothing.
func (s *Set) AddRange(iv Interval) {
	if iv.End <= iv.Start || s.addNear(iv) {
		return
	}
	end, merged := iv.End, iv
	if last := s.cut(iv.Start, iv.End); last > end {
		merged.End = last // the last one swallowed reached further
	}
	if p, e, ok := s.floor(iv.Start); ok && e.End >= iv.Start {
		n := &s.nodes[p.node[0]]
		if merged.End > e.End {
			n.val[p.pos[0]] = merged.End
			s.count += merged.End - e.End
		}
	} else {
		s.insert(merged)
	}
	s.compact()
}

// addNear adds iv if that changes one node of lane 0 only, which is nearly
// always so, and reports whether it did.
func (s *Set) addNear(iv Interval) bool {
	if s.lanes == 0 {
		return false
	}
	i, pos := s.locate(iv.Start)
	n := &s.nodes[i]
	if n.key[pos] > iv.Start {
		return false // before the first interval: the lanes above must learn it
	}
	next, inside := s.startAfter(n, pos)
	switch end := n.val[pos]; {
	case iv.End < next && iv.Start <= end:
		if iv.End > end {
			n.val[pos] = iv.End
			s.count += iv.End - end
		}
	case iv.End < next && n.n < width:
		pos++
		n.put(pos, iv.Start, iv.End)
		s.intervals++
		s.count += iv.End - iv.Start
	case iv.End == next && iv.Start > end && inside:
		pos++
		n.key[pos] = iv.Start
		s.count += iv.End - iv.Start
	default:
		return false
	}
	s.finger, s.fingerPos = linkTo(i), pos
	return true
}

// Remove takes every chunk of iv out.
func (s *Set) Remove(iv Interval) {
	if iv.End <= iv.Start {
		return
	}
	var rest uint32 // how far what is cut at iv.End goes on
	if p, e, ok := s.floor(iv.Start); ok && e.Start < iv.Start && e.End > iv.Start {
		s.nodes[p.node[0]].val[p.pos[0]] = iv.Start
		s.count -= e.End - iv.Start
		rest = e.End
	}
	rest = max(rest, s.cut(iv.Start, iv.End-1))
	if rest > iv.End {
		s.insert(Interval{iv.End, rest})
	}
	s.compact()
}

// cut removes the intervals whose start is in lo..hi (both included) and
// returns the end of the last of them, or 0 if there was none.
func (s *Set) cut(lo, hi uint32) (last uint32) {
	for {
		p, e, ok := s.floor(hi)
		if !ok || e.Start < lo {
			return last
		}
		last = max(last, e.End)
		n := &s.nodes[p.node[0]]
		from, to := p.pos[0], p.pos[0]+1
		s.count -= e.End - e.Start
		for from > 0 && n.key[from-1] >= lo {
			from--
			s.count -= n.val[from] - n.key[from]
		}
		s.intervals -= int(to - from)
		s.erase(&p, 0, from, to)
	}
}

// insert adds an interval that touches no other.
func (s *Set) insert(iv Interval) {
	s.intervals++
	s.count += iv.End - iv.Start
	if s.lanes == 0 {
		s.root, s.lanes = s.alloc(), 1
		s.nodes[s.root].put(0, iv.Start, iv.End)
		s.finger, s.fingerPos = linkTo(s.root), 0
		return
	}
	p := s.descend(iv.Start)
	i, pos := s.place(&p, 0, iv.Start, iv.End)
	s.finger, s.fingerPos = linkTo(i), pos
}
