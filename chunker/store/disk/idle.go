package disk

import "slices"

// How much is remembered of objects that nobody has open: how many, and chunks
// of them all together, at about 40 bytes a chunk.
const (
	maxIdle       = 64
	maxIdleChunks = 1 << 20
)

// idleList is the entries nobody has open, the longest idle first.
type idleList struct {
	entries []*entry
	chunks  []int
	total   int
}

// add appends e and returns those that have to be forgotten for it.
func (l *idleList) add(e *entry, chunks int) (old []*entry) {
	l.entries = append(l.entries, e)
	l.chunks = append(l.chunks, chunks)
	l.total += chunks
	for len(l.entries) > maxIdle || l.total > maxIdleChunks && len(l.entries) > 1 {
		old = append(old, l.entries[0])
		l.removeAt(0)
	}
	return old
}

// remove takes e off the list, if it is there.
func (l *idleList) remove(e *entry) {
	if i := slices.Index(l.entries, e); i >= 0 {
		l.removeAt(i)
	}
}

func (l *idleList) removeAt(i int) {
	l.total -= l.chunks[i]
	l.entries = slices.Delete(l.entries, i, i+1)
	l.chunks = slices.Delete(l.chunks, i, i+1)
}
