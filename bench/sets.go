package main

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/bits-and-blooms/bitset"
	"github.com/tidwall/btree"

	"nt/chunker/nois"
)

// set is what every structure is asked to do. encode must leave nothing out.
type set interface {
	add(lo, hi uint32)
	has(x uint32) bool
	minus(o set) set
	encode() []byte
	count() int
}

// structure is one contestant.
type structure struct {
	name string
	make func(universe uint64) set
}

func structures() []structure {
	return []structure{
		{"nois", func(uint64) set { return &noisSet{new(nois.Set)} }},
		{"btree", func(uint64) set { return new(treeSet) }},
		{"roaring", func(uint64) set { return &roaringSet{roaring.New()} }},
		{"bitset", func(u uint64) set { return &bitSet{bitset.New(uint(u))} }},
		{"slice", func(uint64) set { return new(sliceSet) }},
	}
}

type noisSet struct{ s *nois.Set }

func (a *noisSet) add(lo, hi uint32) {
	if hi == lo+1 {
		a.s.Add(lo)
		return
	}
	a.s.AddRange(nois.Interval{Start: lo, End: hi})
}
func (a *noisSet) has(x uint32) bool { return a.s.Contains(x) }
func (a *noisSet) count() int        { return a.s.Count() }
func (a *noisSet) minus(o set) set   { return &noisSet{a.s.Difference(o.(*noisSet).s)} }
func (a *noisSet) encode() []byte {
	var w intervalWriter
	for iv := range a.s.All() {
		w.write(iv.Start, iv.End)
	}
	return w.b
}

// intervalWriter writes intervals as nois does in a message, but all of them.
type intervalWriter struct {
	b   []byte
	end uint32
}

func (w *intervalWriter) write(lo, hi uint32) {
	w.b = binary.AppendUvarint(w.b, uint64(lo-w.end))
	w.b = binary.AppendUvarint(w.b, uint64(hi-lo-1))
	w.end = hi
}

type roaringSet struct{ b *roaring.Bitmap }

func (a *roaringSet) add(lo, hi uint32) {
	if hi == lo+1 {
		a.b.Add(lo)
		return
	}
	a.b.AddRange(uint64(lo), uint64(hi))
}
func (a *roaringSet) has(x uint32) bool { return a.b.Contains(x) }
func (a *roaringSet) count() int        { return int(a.b.GetCardinality()) }
func (a *roaringSet) minus(o set) set   { return &roaringSet{roaring.AndNot(a.b, o.(*roaringSet).b)} }
func (a *roaringSet) encode() []byte {
	a.b.RunOptimize()
	var out bytes.Buffer
	if _, err := a.b.WriteTo(&out); err != nil {
		panic(err) // a bytes.Buffer does not fail
	}
	return out.Bytes()
}

type bitSet struct{ b *bitset.BitSet }

func (a *bitSet) add(lo, hi uint32) {
	for ; lo < hi; lo++ {
		a.b.Set(uint(lo))
	}
}
func (a *bitSet) has(x uint32) bool { return a.b.Test(uint(x)) }
func (a *bitSet) count() int        { return int(a.b.Count()) }
func (a *bitSet) minus(o set) set   { return &bitSet{a.b.Difference(o.(*bitSet).b)} }
func (a *bitSet) encode() []byte {
	b, err := a.b.MarshalBinary()
	if err != nil {
		panic(err) // only a failing writer fails
	}
	return b
}

// treeSet is an interval map in a B-tree: start to end.
type treeSet struct {
	m btree.Map[uint32, uint32]
	n int
}

func (a *treeSet) add(lo, hi uint32) {
	before := hi - lo
	a.m.Descend(lo, func(s, e uint32) bool {
		if e >= lo {
			before -= min(e, hi) - lo
			lo, hi = s, max(hi, e)
		}
		return false
	})
	for {
		start, end, found := uint32(0), uint32(0), false
		a.m.Ascend(lo+1, func(s, e uint32) bool {
			start, end, found = s, e, s <= hi
			return false
		})
		if !found {
			break
		}
		before -= min(end, hi) - start
		hi = max(hi, end)
		a.m.Delete(start)
	}
	a.m.Set(lo, hi)
	a.n += int(before)
}
func (a *treeSet) has(x uint32) bool {
	in := false
	a.m.Descend(x, func(_, e uint32) bool {
		in = x < e
		return false
	})
	return in
}
func (a *treeSet) count() int { return a.n }
func (a *treeSet) minus(o set) set {
	d := new(treeSet)
	next := o.(*treeSet).m.Iter()
	more := next.First()
	a.m.Scan(func(lo, hi uint32) bool {
		for more && next.Value() <= lo {
			more = next.Next()
		}
		for lo < hi {
			if !more || next.Key() >= hi {
				d.m.Load(lo, hi)
				d.n += int(hi - lo)
				break
			}
			if next.Key() > lo {
				d.m.Load(lo, next.Key())
				d.n += int(next.Key() - lo)
			}
			if lo = next.Value(); lo < hi {
				more = next.Next()
			}
		}
		return true
	})
	return d
}
func (a *treeSet) encode() []byte {
	var w intervalWriter
	a.m.Scan(func(lo, hi uint32) bool {
		w.write(lo, hi)
		return true
	})
	return w.b
}

// sliceSet is the intervals in a sorted slice.
type sliceSet struct {
	ivs []nois.Interval
	n   int
}

// from returns the first interval whose end is at or after x.
func (a *sliceSet) from(x uint32) int {
	i, _ := slices.BinarySearchFunc(a.ivs, x, func(iv nois.Interval, x uint32) int {
		if iv.End < x {
			return -1
		}
		return 1
	})
	return i
}
func (a *sliceSet) add(lo, hi uint32) {
	i := a.from(lo)
	j, held := i, 0
	for j < len(a.ivs) && a.ivs[j].Start <= hi {
		lo, hi = min(lo, a.ivs[j].Start), max(hi, a.ivs[j].End)
		held += a.ivs[j].Len()
		j++
	}
	a.n += int(hi-lo) - held
	if j == i+1 {
		a.ivs[i] = nois.Interval{Start: lo, End: hi}
		return
	}
	a.ivs = slices.Replace(a.ivs, i, j, nois.Interval{Start: lo, End: hi})
}
func (a *sliceSet) has(x uint32) bool {
	i := a.from(x + 1)
	return i < len(a.ivs) && a.ivs[i].Start <= x
}
func (a *sliceSet) count() int { return a.n }
func (a *sliceSet) minus(o set) set {
	d, b, j := new(sliceSet), o.(*sliceSet).ivs, 0
	for _, iv := range a.ivs {
		for j < len(b) && b[j].End <= iv.Start {
			j++
		}
		for iv.Start < iv.End {
			if j == len(b) || b[j].Start >= iv.End {
				d.push(iv)
				break
			}
			if b[j].Start > iv.Start {
				d.push(nois.Interval{Start: iv.Start, End: b[j].Start})
			}
			if iv.Start = b[j].End; iv.Start < iv.End {
				j++
			}
		}
	}
	return d
}
func (a *sliceSet) push(iv nois.Interval) {
	a.ivs = append(a.ivs, iv)
	a.n += iv.Len()
}
func (a *sliceSet) encode() []byte {
	var w intervalWriter
	for _, iv := range a.ivs {
		w.write(iv.Start, iv.End)
	}
	return w.b
}
