package nois

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// TestF26_SameStructure checks that the same operations give the same bytes in
// memory, not only the same chunks, and that a Clone goes on the same way.
func TestF26_SameStructure(t *testing.T) {
	play := func(s *Set, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		for range 20_000 {
			at := rnd.Uint32N(1 << 20)
			iv := Interval{at, at + 1 + rnd.Uint32N(20)}
			if rnd.IntN(3) == 0 {
				s.Remove(iv)
			} else {
				s.AddRange(iv)
			}
		}
	}
	a, b := new(Set), new(Set)
	play(a, 1)
	play(b, 1)
	c := a.Clone()
	play(a, 2)
	play(c, 2)
	play(b, 3)
	if !reflect.DeepEqual(a, c) {
		t.Error("the same operations gave different structures")
	}
	if a.Equal(b) {
		t.Error("different operations gave the same set: the test shows nothing")
	}
}

// TestF26_Million holds up to a million intervals, added and removed in hostile
// and in random orders, and shows that a search stays short: few lanes.
func TestF26_Million(t *testing.T) {
	shuffled := rand.New(rand.NewPCG(1, 2)).Perm(1_000_000)
	for _, c := range []struct {
		name string
		n    int
		at   func(i int) int
	}{
		{"ascending", 200_000, func(i int) int { return i }},
		{"descending", 200_000, func(i int) int { return 200_000 - 1 - i }},
		{"inwards", 200_000, func(i int) int { return (i % 2 * (200_000 - 1)) + (1-i%2*2)*(i/2) }},
		{"random", 1_000_000, func(i int) int { return shuffled[i] }},
	} {
		s := new(Set)
		for i := range c.n {
			if at := uint32(c.at(i)) * 4; !s.Add(at) {
				t.Fatalf("%s: %d was there already", c.name, at)
			}
		}
		if err := s.invariants(); err != nil || s.Intervals() != c.n || s.Count() != c.n || s.lanes > 5 {
			t.Fatalf("%s: %d chunks in %d intervals on %d lanes, %v", c.name, s.Count(), s.Intervals(), s.lanes, err)
		}
		for i := range c.n {
			if i%64 != 0 { // leaves nodes that are nearly empty
				at := uint32(c.at(i)) * 4
				s.Remove(Interval{at, at + 1})
			}
		}
		if err := s.invariants(); err != nil || s.Count() != c.n/64 || s.lanes > 4 {
			t.Errorf("%s: %d of them left on %d lanes, %v", c.name, s.Count(), s.lanes, err)
		}
		s.Remove(Interval{0, math.MaxUint32})
		if err := s.invariants(); err != nil || s.Count() != 0 {
			t.Errorf("%s: %d left after removing all, %v", c.name, s.Count(), err)
		}
	}
}

// TestRow39_Edges walks along the ends of the number range.
func TestRow39_Edges(t *testing.T) {
	s := new(Set)
	if s.Add(math.MaxUint32) || s.Count() != 0 {
		t.Error("a number without a next one was added")
	}
	if !s.Add(MaxChunk) || !s.Add(0) || s.Add(0) || !s.Contains(MaxChunk) || s.Contains(math.MaxUint32) || s.Contains(MaxChunk-1) {
		t.Error("the first or the last chunk is lost")
	}
	s.AddRange(Interval{5, 5})
	s.AddRange(Interval{9, 3})
	s.Remove(Interval{9, 0})
	if got, want := slices.Collect(s.All()), []Interval{{0, 1}, {MaxChunk, MaxChunk + 1}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if gap, ok := s.FirstGap(0, math.MaxUint32); !ok || gap != (Interval{1, MaxChunk}) {
		t.Errorf("gap %v %v", gap, ok)
	}
	s.AddRange(Interval{0, math.MaxUint32})
	if s.Count() != math.MaxUint32 || s.Intervals() != 1 || !s.Full(math.MaxUint32) {
		t.Errorf("%d chunks in %d intervals", s.Count(), s.Intervals())
	}
	if _, ok := s.FirstGap(0, math.MaxUint32); ok {
		t.Error("gap in the full set")
	}
	if s.Intersects(new(Set)) || new(Set).Intersects(s) || !s.Difference(s).Equal(new(Set)) || !new(Set).Full(0) || new(Set).Full(1) {
		t.Error("the empty set is not treated as one")
	}
	if (Interval{3, 1}).Len() != 0 || (Interval{1, 3}).Len() != 2 {
		t.Error("Len is wrong")
	}
}
