package nois

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestF28_Golden pins the wire forms as hexadecimal.
func TestF28_Golden(t *testing.T) {
	s := Of(Interval{0, 1}, Interval{3, 10}, Interval{200, 600})
	for _, c := range []struct{ name, got, want string }{
		{"none", hex.EncodeToString(new(Set).AppendTop(nil, 8)), "00"},
		{"all", hex.EncodeToString(s.AppendTop(nil, 8)), "03" + "0000" + "0206" + "be01" + "8f03"},
		{"two", hex.EncodeToString(s.AppendTop(nil, 2)), "02" + "0306" + "be01" + "8f03"},
		{"bitmap", hex.EncodeToString(s.AppendBitmap(nil, 11)), "f903"},
		{"summary of a small object", hex.EncodeToString(s.AppendSummary(nil, 11)), "01" + "f903"},
		{"summary of a large object", hex.EncodeToString(s.AppendSummary(nil, 600)), "00" + "03" + "0000" + "0206" + "be01" + "8f03"},
		{"summary of nothing", hex.EncodeToString(s.AppendSummary(nil, 0)), "01"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", c.name, c.got, c.want)
		}
	}
}

// TestRow39_Refused lists what must not be read (security row 39).
func TestRow39_Refused(t *testing.T) {
	uv := func(ns ...uint64) (b []byte) {
		for _, n := range ns {
			b = binary.AppendUvarint(b, n)
		}
		return b
	}
	if ivs, rest, err := ParseIntervals(append(uv(2, 0, 9, 1, 988), 7), 1000); err != nil || !bytes.Equal(rest, []byte{7}) ||
		!slices.Equal(ivs, []Interval{{0, 10}, {11, 1000}}) {
		t.Fatalf("the form all others are made from: %v %v %v", ivs, rest, err)
	}
	for name, b := range map[string][]byte{
		"nothing":             nil,
		"nine":                uv(9, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0),
		"count over all":      uv(1 << 63),
		"count cut off":       {0x80},
		"interval missing":    uv(2, 0, 9),
		"length missing":      uv(1, 0),
		"start at the limit":  uv(1, 1000, 0),
		"start beyond":        uv(1, 1001, 0),
		"end beyond":          uv(1, 0, 1000),
		"end beyond, second":  uv(2, 0, 9, 1, 989),
		"touching":            uv(2, 0, 9, 0, 5),
		"start overflows":     uv(2, 0, 9, 1<<32-5, 0),
		"length overflows":    uv(1, 5, 1<<32-1),
		"64 bits":             uv(1, 1<<32, 0),
		"over 64 bits":        {1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0},
		"longer count":        {0x81, 0x00, 0, 9},
		"longer start":        {1, 0x80, 0x00, 9},
		"longer length":       {1, 0, 0x89, 0x00},
		"start at full limit": uv(2, 0, 999, 0, 0),
	} {
		if ivs, rest, err := ParseIntervals(b, 1000); !errors.Is(err, ErrBadIntervals) || ivs != nil || rest != nil {
			t.Errorf("%s: %v %v %v", name, ivs, rest, err)
		}
	}
	for name, c := range map[string]struct {
		b     []byte
		limit uint32
	}{
		"short bitmap": {make([]byte, 1), 9}, "bit after the end": {[]byte{0, 2}, 9}, "too large": {make([]byte, 1<<12), MaxBitmapChunks + 1},
	} {
		if _, _, err := ParseBitmap(c.b, c.limit); !errors.Is(err, ErrBadIntervals) {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, err := ParseSummary(append([]byte{tagBitmap}, c.b...), c.limit); !errors.Is(err, ErrBadIntervals) {
			t.Errorf("summary, %s: %v", name, err)
		}
	}
	for _, b := range [][]byte{nil, {2}, {255, 0}, {tagIntervals}, {tagIntervals, 1, 9, 0}} {
		if _, _, err := ParseSummary(b, 9); !errors.Is(err, ErrBadIntervals) {
			t.Errorf("summary %x: %v", b, err)
		}
	}
}

// TestF28_WireRoundTrip checks that each form brings back what it may hold, and
// that the summary is the shorter one.
func TestF28_WireRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]uint32{0, 1, 8, 9, 300, MaxBitmapChunks, MaxBitmapChunks + 1}).Draw(t, "size")
		s := fromModel(modelOf(size).Draw(t, "m"))
		tail := []byte{0xee}
		ivs, rest, err := ParseIntervals(append(s.AppendTop(nil, 99), tail...), size)
		if err != nil || !bytes.Equal(rest, tail) || !slices.Equal(ivs, s.Top(MaxWireIntervals, size)) {
			t.Fatalf("intervals: %v %x %v", ivs, rest, err)
		}
		top := Of(ivs...)
		if size <= MaxBitmapChunks {
			got, rest, err := ParseBitmap(append(s.AppendBitmap(nil, size), tail...), size)
			if err != nil || !bytes.Equal(rest, tail) || !got.Equal(s) {
				t.Fatalf("bitmap: %x %v", rest, err)
			}
		}
		wire := s.AppendSummary(nil, size)
		got, rest, err := ParseSummary(append(wire, tail...), size)
		if err != nil || !bytes.Equal(rest, tail) || !got.Equal(s) && !got.Equal(top) {
			t.Fatalf("summary: %x %v", rest, err)
		}
		best := len(s.AppendTop(nil, 8))
		if size <= MaxBitmapChunks {
			best = min(best, BitmapSize(size))
		}
		if len(wire) != 1+best || len(wire) > 1+1+MaxWireIntervals*10 {
			t.Fatalf("summary is %d bytes, want %d", len(wire), 1+best)
		}
	})
}

// FuzzParseIntervals compares the parser with one that believes nothing: it
// paints what it reads into a bitmap.
func FuzzParseIntervals(f *testing.F) {
	f.Add([]byte{0}, uint16(0))
	f.Add(Of(Interval{0, 1}, Interval{3, 10}, Interval{200, 600}).AppendTop(nil, 8), uint16(600))
	f.Add([]byte{8, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0}, uint16(15))
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0xff, 0xff, 0xff, 0xff, 0x0f}, uint16(65535))
	f.Fuzz(func(t *testing.T, b []byte, limit uint16) {
		ivs, rest, err := ParseIntervals(b, uint32(limit))
		if err != nil {
			if !errors.Is(err, ErrBadIntervals) || ivs != nil {
				t.Fatalf("%v %v", ivs, err)
			}
			return
		}
		m := make(model, limit)
		for _, iv := range ivs {
			m.fill(iv, true) // panics outside the object
		}
		if len(ivs) > MaxWireIntervals || cap(ivs) > MaxWireIntervals || !slices.Equal(m.intervals(), ivs) {
			t.Fatalf("%v are not intervals of %d chunks", ivs, limit)
		}
		again := append(Of(ivs...).AppendTop(nil, 8), rest...)
		if !bytes.Equal(again, b) {
			t.Fatalf("%x was read, its canonical form is %x", b, again)
		}
	})
}

func FuzzParseSummary(f *testing.F) {
	s := Of(Interval{0, 1}, Interval{3, 10})
	f.Add(s.AppendSummary(nil, 10), uint16(10))
	f.Add(s.AppendSummary(nil, 600), uint16(600))
	f.Fuzz(func(t *testing.T, b []byte, limit uint16) {
		s, rest, err := ParseSummary(b, uint32(limit))
		if err != nil {
			if !errors.Is(err, ErrBadIntervals) || s != nil {
				t.Fatalf("%v", err)
			}
			return
		}
		if err := s.invariants(); err != nil {
			t.Fatal(err)
		}
		if over, ok := s.NextPresent(uint32(limit)); ok || len(rest) >= len(b) {
			t.Fatalf("%v is outside %d chunks, or nothing was read", over, limit)
		}
	})
}
