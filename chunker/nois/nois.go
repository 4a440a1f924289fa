// Package nois owns the non-overlapping interval skiplist (F26): the set of
// chunk numbers a node holds, as few disjoint intervals, and its wire form
// (F28). It knows nothing of chunks' contents, neighbours or messages.
package nois

// Interval is the chunks Start, Start+1, ..., End-1. It is never empty in a Set.
type Interval struct{ Start, End uint32 }

// Set is a set of chunk numbers. The zero Set is empty and ready to use. It is not
// safe for concurrent use; Clone makes a copy to hand out.
type Set struct{}
