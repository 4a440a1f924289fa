package nois

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// model is the same set as one bool for each chunk.
type model []bool

func (m model) fill(iv Interval, v bool) {
	for i := iv.Start; i < iv.End; i++ {
		m[i] = v
	}
}

func (m model) intervals() (ivs []Interval) {
	for i := 0; i < len(m); i++ {
		if !m[i] {
			continue
		}
		j := i
		for j < len(m) && m[j] {
			j++
		}
		ivs = append(ivs, Interval{uint32(i), uint32(j)})
		i = j
	}
	return ivs
}

func (m model) count() (n int) {
	for _, v := range m {
		if v {
			n++
		}
	}
	return n
}

// run returns the first run of chunks in [from, limit) that are as v says.
func (m model) run(from, limit uint32, v bool) (Interval, bool) {
	for from < limit && m[from] != v {
		from++
	}
	end := from
	for end < limit && m[end] == v {
		end++
	}
	if from >= limit {
		return Interval{}, false
	}
	return Interval{from, end}, true
}

func fromModel(m model) *Set { return Of(m.intervals()...) }

// check compares everything that can be read from s with m, and looks at the structure.
func check(t interface {
	Helper()
	Fatalf(string, ...any)
}, s *Set, m model) {
	t.Helper()
	want := m.intervals()
	if got := slices.Collect(s.All()); !slices.Equal(got, want) {
		t.Fatalf("intervals are %v, want %v", got, want)
	}
	if s.Count() != m.count() || s.Intervals() != len(want) {
		t.Fatalf("count %d in %d intervals, want %d in %d", s.Count(), s.Intervals(), m.count(), len(want))
	}
	if err := s.invariants(); err != nil {
		t.Fatalf("structure: %v", err)
	}
}

// invariants checks that the lanes are what package nois says they are.
func (s *Set) invariants() error {
	if s.lanes == 0 {
		if s.intervals != 0 || s.count != 0 || s.finger != 0 || len(s.nodes) > 8 {
			return fmt.Errorf("empty set with %d intervals, %d chunks, finger %d, %d nodes", s.intervals, s.count, s.finger, len(s.nodes))
		}
		return nil
	}
	level, used := []uint32{s.root}, 0
	for lane := s.lanes - 1; lane >= 0; lane-- {
		var below []uint32
		last, first := uint32(0), true
		for at, i := range level {
			n := &s.nodes[i]
			used++
			if n.n == 0 || n.n > width {
				return fmt.Errorf("lane %d: node with %d entries", lane, n.n)
			}
			if at > 0 && n.left != linkTo(level[at-1]) || at == 0 && n.left != 0 ||
				at+1 < len(level) && n.right != linkTo(level[at+1]) || at+1 == len(level) && n.right != 0 {
				return fmt.Errorf("lane %d: node %d of %d is linked wrongly", lane, at, len(level))
			}
			for k := range n.n {
				if !first && n.key[k] <= last {
					return fmt.Errorf("lane %d: key %d after %d", lane, n.key[k], last)
				}
				last, first = n.key[k], false
				if lane > 0 && k > 0 && s.nodes[n.val[k]].n < width/4 && s.nodes[n.val[k-1]].n < width/4 {
					return fmt.Errorf("lane %d: two small nodes side by side below", lane)
				}
				if lane > 0 && s.nodes[n.val[k]].key[0] != n.key[k] {
					return fmt.Errorf("lane %d: key %d leads to %d", lane, n.key[k], s.nodes[n.val[k]].key[0])
				}
			}
			for _, k := range n.key[n.n:] {
				if k != unused {
					return fmt.Errorf("lane %d: unused key is %d", lane, k)
				}
			}
			if lane > 0 {
				below = append(below, n.val[:n.n]...)
			}
		}
		if lane == 0 && s.finger != 0 && !slices.Contains(level, s.finger.index()) {
			return fmt.Errorf("finger is not on lane 0")
		}
		level = below
	}
	spare := 0
	for f := s.free; f != 0; f = s.nodes[f.index()].right {
		spare++
	}
	if used+spare != len(s.nodes) || spare != s.spare || spare > max(8, 3*used) {
		return fmt.Errorf("%d nodes are used and %d of %d spare ones free, of %d", used, spare, s.spare, len(s.nodes))
	}
	return nil
}

func intervalIn(size uint32) *rapid.Generator[Interval] {
	return rapid.Custom(func(t *rapid.T) Interval {
		start := rapid.Uint32Range(0, size).Draw(t, "start")
		long := rapid.SampledFrom([]uint32{0, 1, 2, 16, size}).Draw(t, "longest")
		return Interval{start, start + rapid.Uint32Range(0, min(long, size-start)).Draw(t, "len")}
	})
}

func modelOf(size uint32) *rapid.Generator[model] {
	return rapid.Custom(func(t *rapid.T) model {
		m := make(model, size)
		for _, iv := range rapid.SliceOfN(intervalIn(size), 0, 12).Draw(t, "intervals") {
			m.fill(iv, true)
		}
		return m
	})
}

// TestF26_Model plays random operations on a Set and on a plain slice of bools.
// Most runs start from a comb, which has as many intervals as there can be, so
// that nodes are cut and joined on several lanes.
func TestF26_Model(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]uint32{20, 700, 12000}).Draw(t, "size")
		s, m := new(Set), make(model, size+1)
		step := rapid.SampledFrom([]uint32{0, 2, 3}).Draw(t, "comb")
		down := rapid.Bool().Draw(t, "down")
		for i := uint32(0); step > 0 && i < size; i += step {
			at := i
			if down {
				at = size - 1 - i
			}
			s.Add(at)
			m[at] = true
		}
		check(t, s, m)
		ops(t, s, m, size)
	})
}

func ops(t *rapid.T, s *Set, m model, size uint32) {
	for range rapid.IntRange(1, 40).Draw(t, "operations") {
		iv := intervalIn(size).Draw(t, "iv")
		switch rapid.SampledFrom([]string{"add", "addRange", "remove", "sweep", "free"}).Draw(t, "op") {
		case "add":
			if isNew := s.Add(iv.Start); isNew == m[iv.Start] {
				t.Fatalf("Add(%d) = %v", iv.Start, isNew)
			}
			m[iv.Start] = true
		case "addRange":
			s.AddRange(iv)
			m.fill(iv, true)
		case "remove":
			s.Remove(iv)
			m.fill(iv, false)
		case "sweep": // every second chunk: many small changes in one place
			for i := iv.Start; i < iv.End; i += 2 {
				s.Remove(Interval{i, i + 1})
				m[i] = false
			}
		case "free":
			for i := iv.Start; i < iv.End; i += 3 {
				s.Add(i)
				m[i] = true
			}
		}
		check(t, s, m)
		ask(t, s, m, iv, size)
	}
}

func ask(t *rapid.T, s *Set, m model, iv Interval, size uint32) {
	if got := s.Contains(iv.Start); got != m[iv.Start] {
		t.Fatalf("Contains(%d) = %v", iv.Start, got)
	}
	missing, some := m.run(iv.Start, iv.End, false)
	if got := s.ContainsRange(iv); got == some {
		t.Fatalf("ContainsRange(%v) = %v", iv, got)
	}
	if got, ok := s.FirstGap(iv.Start, iv.End); got != missing || ok != some {
		t.Fatalf("FirstGap(%v) = %v %v, want %v %v", iv, got, ok, missing, some)
	}
	there, some := m.run(iv.Start, size+1, true)
	if got, ok := s.NextPresent(iv.Start); got != there || ok != some {
		t.Fatalf("NextPresent(%d) = %v %v, want %v %v", iv.Start, got, ok, there, some)
	}
}

// TestF26_Algebra checks the operations on two sets chunk by chunk.
func TestF26_Algebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]uint32{1, 9, 200}).Draw(t, "size")
		a, b := modelOf(size).Draw(t, "a"), modelOf(size).Draw(t, "b")
		if rapid.Bool().Draw(t, "same") {
			b = slices.Clone(a)
		}
		union, diff, both := slices.Clone(a), slices.Clone(a), false
		for i, v := range b {
			union[i] = a[i] || v
			diff[i] = a[i] && !v
			both = both || a[i] && v
		}
		sa, sb := fromModel(a), fromModel(b)
		check(t, sa.Difference(sb), diff)
		if got := sa.Intersects(sb); got != both {
			t.Fatalf("Intersects = %v", got)
		}
		if got := sa.Equal(sb); got != slices.Equal(a, b) {
			t.Fatalf("Equal = %v", got)
		}
		if got := sa.Full(size); got == slices.Contains(a, false) {
			t.Fatalf("Full(%d) = %v", size, got)
		}
		c := sa.Clone()
		c.Union(sb)
		check(t, c, union)
		check(t, sa, a) // neither the Clone nor anything else has changed it
	})
}

// TestF28_Top checks the choice of the longest intervals against sorting them all.
func TestF28_Top(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Uint32Range(1, 300).Draw(t, "size")
		m := modelOf(size).Draw(t, "m")
		k := rapid.IntRange(0, 10).Draw(t, "k")
		limit := rapid.Uint32Range(0, size).Draw(t, "limit")
		want := model(m[:limit]).intervals()
		slices.SortStableFunc(want, func(a, b Interval) int { return b.Len() - a.Len() })
		want = want[:min(k, len(want))]
		slices.SortFunc(want, func(a, b Interval) int { return int(a.Start) - int(b.Start) })
		if got := fromModel(m).Top(k, limit); !slices.Equal(got, want) {
			t.Fatalf("Top(%d, %d) of %v = %v, want %v", k, limit, m.intervals(), got, want)
		}
	})
}
