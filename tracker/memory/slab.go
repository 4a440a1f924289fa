package memory

// pageRows is how many rows a slab grows by: small, because every shard has its own.
const pageRows = 256

// slab is a growing table with stable row numbers that never copies on growth.
type slab[T any] struct {
	pages [][]T
	free  []uint32
	next  uint32
}

// add returns the number of a zero row.
func (s *slab[T]) add() uint32 {
	if n := len(s.free); n > 0 {
		row := s.free[n-1]
		s.free = s.free[:n-1]
		return row
	}
	if s.next%pageRows == 0 {
		s.pages = append(s.pages, make([]T, pageRows))
	}
	s.next++
	return s.next - 1
}

func (s *slab[T]) at(row uint32) *T { return &s.pages[row/pageRows][row%pageRows] }

// drop clears a row and gives its number to the next add.
func (s *slab[T]) drop(row uint32) {
	var zero T
	*s.at(row) = zero
	s.free = append(s.free, row)
}
