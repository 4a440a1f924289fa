package memory

// index finds rows by hash: an open-addressed table without pointers, so that
// the garbage collector has nothing to walk. An entry is the hash's upper half and row+1.
type index struct {
	table []uint64
	used  int
}

// find returns the row with the hash for which same holds.
func (x *index) find(hash uint64, same func(row uint32) bool) (uint32, bool) {
	if len(x.table) == 0 {
		return 0, false
	}
	mask := uint64(len(x.table) - 1)
	for i := hash >> 32 & mask; x.table[i] != 0; i = (i + 1) & mask {
		if e := x.table[i]; e>>32 == hash>>32 && same(uint32(e)-1) {
			return uint32(e) - 1, true
		}
	}
	return 0, false
}

// add puts in a row that is not there yet.
func (x *index) add(hash uint64, row uint32) {
	if 4*(x.used+1) > 3*len(x.table) {
		x.grow()
	}
	x.put(hash&^0xffffffff | uint64(row+1))
	x.used++
}

func (x *index) put(e uint64) {
	mask := uint64(len(x.table) - 1)
	i := e >> 32 & mask
	for x.table[i] != 0 {
		i = (i + 1) & mask
	}
	x.table[i] = e
}

// grow doubles the table: rows have at most 2^32 numbers, and so many bits of the
// hash are kept.
func (x *index) grow() {
	old := x.table
	x.table = make([]uint64, max(16, 2*len(old)))
	for _, e := range old {
		if e != 0 {
			x.put(e)
		}
	}
}

// remove takes a row out and moves up those behind it, so that no tombstones are left.
func (x *index) remove(hash uint64, row uint32) {
	mask := uint64(len(x.table) - 1)
	want := hash&^0xffffffff | uint64(row+1)
	i := hash >> 32 & mask
	for x.table[i] != want {
		if x.table[i] == 0 {
			return
		}
		i = (i + 1) & mask
	}
	x.used--
	for j := (i + 1) & mask; x.table[j] != 0; j = (j + 1) & mask {
		home := x.table[j] >> 32 & mask
		if (j-home)&mask >= (j-i)&mask {
			x.table[i] = x.table[j]
			i = j
		}
	}
	x.table[i] = 0
}
