package nois

// place adds an entry on a lane, right after the place the way leads to, and
// returns where it came to be. A full node is cut in two and the first key of
// the new half goes one lane up.
func (s *Set) place(p *path, lane int, key, val uint32) (i, pos uint32) {
	i, pos = p.node[lane], p.pos[lane]+1
	if key < s.nodes[i].key[0] {
		pos = 0 // only ever in the leftmost node
		s.rekey(p, lane+1, key)
	}
	if s.nodes[i].n < width {
		s.nodes[i].put(pos, key, val)
		return i, pos
	}
	half := uint32(width / 2)
	if pos == width && s.nodes[i].right == 0 {
		half = width // numbers that come in order leave full nodes behind
	}
	j := s.split(i, half)
	if lane+1 == s.lanes {
		s.grow(p, s.nodes[i].key[0], i)
	}
	at := i
	if pos > half || half == width {
		at, pos = j, pos-half
	}
	s.nodes[at].put(pos, key, val)
	s.place(p, lane+1, s.nodes[j].key[0], j)
	return at, pos
}

// split moves what node i holds from place at on into a new right neighbour.
func (s *Set) split(i, at uint32) uint32 {
	j := s.alloc()
	a, b := &s.nodes[i], &s.nodes[j]
	a.moveTail(at, b)
	b.left, b.right = linkTo(i), a.right
	if a.right != 0 {
		s.nodes[a.right.index()].left = linkTo(j)
	}
	a.right = linkTo(j)
	return j
}

// grow puts a new lane on top, whose only entry is the old top node, and adds it to the way.
func (s *Set) grow(p *path, key, val uint32) {
	s.root = s.alloc()
	s.nodes[s.root].put(0, key, val)
	p.node[s.lanes], p.pos[s.lanes] = s.root, 0
	s.lanes++
}

// rekey corrects the key the way passes through on a lane, and above that as
// long as it is the first of its node.
func (s *Set) rekey(p *path, lane int, key uint32) {
	for ; lane < s.lanes; lane++ {
		s.nodes[p.node[lane]].key[p.pos[lane]] = key
		if p.pos[lane] != 0 {
			return
		}
	}
}

// erase removes the entries from..to-1 of the node the way passes through on a lane.
func (s *Set) erase(p *path, lane int, from, to uint32) {
	i := p.node[lane]
	n := &s.nodes[i]
	n.drop(from, to)
	top := lane+1 == s.lanes
	switch {
	case n.n == 0 && top:
		s.release(i)
		s.lanes = 0
	case n.n == 0:
		s.release(i)
		s.erase(p, lane+1, p.pos[lane+1], p.pos[lane+1]+1)
	case top:
		s.shrink()
	default:
		if from == 0 {
			s.rekey(p, lane+1, n.key[0])
		}
		if n.n < width/4 {
			s.join(p, lane)
		}
	}
}

// shrink takes away top lanes that hold a single entry: they skip nothing.
func (s *Set) shrink() {
	for s.lanes > 1 && s.nodes[s.root].n == 1 {
		old := s.root
		s.root = s.nodes[old].val[0]
		s.nodes[old].drop(0, 1)
		s.release(old)
		s.lanes--
	}
}

// join puts a node that has become small and its right or left neighbour into
// one, if what they hold leaves room. Only neighbours below the same node above
// are looked at; of two of those at least one holds width/4 entries afterwards.
func (s *Set) join(p *path, lane int) {
	above, pos := &s.nodes[p.node[lane+1]], p.pos[lane+1]
	for _, left := range [2]uint32{pos, pos - 1} {
		if left >= above.n || left+1 == above.n { // pos-1 wraps around before the first
			continue
		}
		i, j := above.val[left], above.val[left+1]
		a, b := &s.nodes[i], &s.nodes[j]
		if a.n+b.n > width*3/4 {
			continue // room is left, lest the next Add cuts it again
		}
		b.moveTail(0, a)
		s.release(j)
		s.erase(p, lane+1, left+1, left+2)
		return
	}
}

// compact gives memory back once most of the arena is spare: a set that fills
// up goes through many intervals and ends as one.
func (s *Set) compact() {
	const few = 8
	if used := len(s.nodes) - s.spare; s.spare <= few || s.spare <= 3*used {
		return
	}
	var small Set
	for iv := range s.All() {
		small.AddRange(iv)
	}
	*s = small
}
