package nois

const (
	width    = 64 // entries of a node; search is written for it
	maxLanes = 12 // of two neighbours one holds width/4 entries, so 8 on average: 8^12 is plenty
	unused   = 1<<32 - 1
)

// link is the index of a node plus one; 0 is no node, so that the zero Set works.
type link uint32

func linkTo(i uint32) link { return link(i + 1) }

func (l link) index() uint32 { return uint32(l) - 1 }

// node is a stretch of one lane. On lane 0 an entry is an interval (key its
// start, val its end); above, it is a node of the lane below (key its first
// key, val its index). Unused keys hold the highest number, so that search needs no length.
type node struct {
	key         [width]uint32
	val         [width]uint32
	n           uint32
	left, right link // neighbours in the lane
}

// search returns the place of the last key that is <= x, or 0 if there is none; x is at most MaxChunk.
// Three comparisons at a time that do not wait for each other: faster than
// halving, and without a branch to guess.
func (n *node) search(x uint32) uint32 {
	above := uint64(x) + 1
	k := &n.key
	i := 16 * (below(k[16], above) + below(k[32], above) + below(k[48], above))
	i += 4 * (below(k[(i+4)%width], above) + below(k[(i+8)%width], above) + below(k[(i+12)%width], above))
	i += below(k[(i+1)%width], above) + below(k[(i+2)%width], above) + below(k[(i+3)%width], above)
	return uint32(i)
}

// below returns 1 if k < limit, else 0.
func below(k uint32, limit uint64) uint64 { return (uint64(k) - limit) >> 63 }

// put makes room at place pos, which must be there, for one more entry.
func (n *node) put(pos, key, val uint32) {
	copy(n.key[pos+1:n.n+1], n.key[pos:n.n])
	copy(n.val[pos+1:n.n+1], n.val[pos:n.n])
	n.key[pos], n.val[pos] = key, val
	n.n++
}

// drop removes the entries from..to-1.
func (n *node) drop(from, to uint32) {
	copy(n.key[from:n.n], n.key[to:n.n])
	copy(n.val[from:n.n], n.val[to:n.n])
	rest := n.n - (to - from)
	clearKeys(n.key[rest:n.n])
	n.n = rest
}

func clearKeys(keys []uint32) {
	for i := range keys {
		keys[i] = unused
	}
}

// moveTail appends the entries from place on to the end of dst.
func (n *node) moveTail(from uint32, dst *node) {
	copy(dst.key[dst.n:], n.key[from:n.n])
	copy(dst.val[dst.n:], n.val[from:n.n])
	dst.n += n.n - from
	clearKeys(n.key[from:n.n])
	n.n = from
}

// path is the way of a search: on each lane the node and the place in it.
type path struct{ node, pos [maxLanes]uint32 }

// descend returns the way to the last interval that starts at or before x, or
// to the first interval if there is none. The Set must not be empty.
func (s *Set) descend(x uint32) (p path) {
	x = min(x, MaxChunk) // lest search takes unused keys for entries
	i := s.root
	for lane := s.lanes - 1; ; lane-- {
		n := &s.nodes[i]
		pos := n.search(x)
		p.node[lane], p.pos[lane] = i, pos
		if lane == 0 {
			return p
		}
		i = n.val[pos]
	}
}

// locate is descend for lane 0 only; it tries beside the last change first.
func (s *Set) locate(x uint32) (i, pos uint32) {
	x = min(x, MaxChunk)
	if s.finger != 0 {
		i = s.finger.index()
		n := &s.nodes[i]
		if n.key[0] <= x {
			if at := s.fingerPos; at < n.n && n.key[at] <= x {
				if next, _ := s.startAfter(n, at); x < next {
					return i, at
				}
			}
			if x <= n.key[n.n-1] {
				return i, n.search(x)
			}
		}
	}
	i = s.root
	for lane := s.lanes - 1; lane > 0; lane-- {
		n := &s.nodes[i]
		i = n.val[n.search(x)]
	}
	return i, s.nodes[i].search(x)
}

// startAfter returns the start of the interval after place pos of a lane 0 node
// (the highest number if there is none) and whether it is in the same node.
func (s *Set) startAfter(n *node, pos uint32) (start uint32, inside bool) {
	if pos+1 < n.n {
		return n.key[pos+1], true
	}
	if n.right == 0 {
		return unused, false
	}
	return s.nodes[n.right.index()].key[0], false
}

// floor returns the last interval that starts at or before x and the way to it.
func (s *Set) floor(x uint32) (p path, e Interval, ok bool) {
	if s.lanes == 0 {
		return p, e, false
	}
	p = s.descend(x)
	n, pos := &s.nodes[p.node[0]], p.pos[0]
	return p, Interval{n.key[pos], n.val[pos]}, n.key[pos] <= x
}

func (s *Set) alloc() uint32 {
	if s.free != 0 {
		i := s.free.index()
		s.free = s.nodes[i].right
		s.spare--
		s.nodes[i].right = 0
		return i
	}
	s.nodes = append(s.nodes, node{})
	i := len(s.nodes) - 1
	clearKeys(s.nodes[i].key[:])
	return uint32(i)
}

// release unlinks an empty node from its lane and keeps it for alloc.
func (s *Set) release(i uint32) {
	n := &s.nodes[i]
	if n.left != 0 {
		s.nodes[n.left.index()].right = n.right
	}
	if n.right != 0 {
		s.nodes[n.right.index()].left = n.left
	}
	if s.finger == linkTo(i) {
		s.finger = 0
	}
	n.left, n.right = 0, s.free
	s.free = linkTo(i)
	s.spare++
}
