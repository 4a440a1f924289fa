package memory

import "encoding/binary"

// blocks hands out arrays of swarm members whose capacity is a power of two, from
// pages without pointers. A member is its compact address and its row; the
// addresses stand together, so that a list of peers is copied and not collected.
type blocks struct {
	addr    int // bytes of a compact address: 6 or 18
	classes [28]blockClass
}

type blockClass struct {
	pages [][]byte
	free  []uint32
	next  uint32
}

// members is the peers of one family in one swarm.
type members struct {
	ref, n uint32
	class  uint8
}

const (
	pageBytes = 2 << 10
	rowBytes  = 4
)

func (b *blocks) size(class uint8) int { return (b.addr + rowBytes) << class }

func (b *blocks) perPage(class uint8) uint32 { return uint32(max(1, pageBytes/b.size(class))) }

func (b *blocks) alloc(class uint8) uint32 {
	c := &b.classes[class]
	if n := len(c.free); n > 0 {
		ref := c.free[n-1]
		c.free = c.free[:n-1]
		if b.perPage(class) == 1 {
			c.pages[ref] = make([]byte, b.size(class))
		}
		return ref
	}
	if per := b.perPage(class); c.next%per == 0 {
		c.pages = append(c.pages, make([]byte, int(per)*b.size(class)))
	}
	c.next++
	return c.next - 1
}

// release gives a block back; large ones go to the garbage collector.
func (b *blocks) release(class uint8, ref uint32) {
	c := &b.classes[class]
	if b.perPage(class) == 1 {
		c.pages[ref] = nil
	}
	c.free = append(c.free, ref)
}

func (b *blocks) block(class uint8, ref uint32) []byte {
	per := b.perPage(class)
	size := b.size(class)
	at := int(ref%per) * size
	return b.classes[class].pages[ref/per][at : at+size]
}

// addrs returns the compact addresses of the members.
func (b *blocks) addrs(m *members) []byte {
	return b.block(m.class, m.ref)[:int(m.n)*b.addr]
}

func (b *blocks) row(m *members, i uint32) uint32 {
	rows := b.block(m.class, m.ref)[b.addr<<m.class:]
	return binary.LittleEndian.Uint32(rows[i*rowBytes:])
}

// set writes member i, which is less than the capacity.
func (b *blocks) set(m *members, i uint32, addr []byte, row uint32) {
	block := b.block(m.class, m.ref)
	copy(block[int(i)*b.addr:], addr[:b.addr])
	binary.LittleEndian.PutUint32(block[b.addr<<m.class+int(i)*rowBytes:], row)
}

func (b *blocks) get(m *members, i uint32) (addr []byte, row uint32) {
	return b.addrs(m)[int(i)*b.addr:][:b.addr], b.row(m, i)
}

// push makes place for one more member, which the caller sets.
func (b *blocks) push(m *members) {
	if m.n == 0 {
		m.class, m.ref = 0, b.alloc(0)
	} else if m.n == 1<<m.class {
		b.resize(m, m.class+1)
	}
	m.n++
}

// pop gives up the last member's place.
func (b *blocks) pop(m *members) {
	m.n--
	switch {
	case m.n == 0:
		b.release(m.class, m.ref)
		*m = members{}
	case m.class > 2 && m.n <= 1<<(m.class-2):
		b.resize(m, m.class-1)
	}
}

func (b *blocks) resize(m *members, class uint8) {
	ref := b.alloc(class)
	from, to := b.block(m.class, m.ref), b.block(class, ref)
	copy(to, from[:int(m.n)*b.addr])
	copy(to[b.addr<<class:], from[b.addr<<m.class:][:m.n*rowBytes])
	b.release(m.class, m.ref)
	m.class, m.ref = class, ref
}
