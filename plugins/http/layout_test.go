package http

import (
	"strings"
	"testing"
	"time"

	"nt/chunker"
	"nt/chunker/nois"
)

// TestRow39_Span: what the chunks parameter may be.
func TestRow39_Span(t *testing.T) {
	for s, want := range map[string]span{
		"0-":              {0, maxChunks},
		"0-0":             {0, 1},
		"5-16":            {5, 17},
		"1048576-":        {1 << 20, maxChunks},
		"1048575-1048575": {1<<20 - 1, 1 << 20},
	} {
		if got, err := parseSpan(s); err != nil || got != want || got.String() != s {
			t.Errorf("%q: %v, %v; want %v", s, got, err, want)
		}
	}
	for _, s := range []string{
		"", "-", "5", "-5", "5-4", "00-1", "0-01", "+0-1", "0-+1", " 0-1", "0-1 ", "0--1", "0-1-2", "0-1,3-4", "0x1-2",
		"1048577-", "0-1048577", "4294967296-4294967297", "18446744073709551616-", "٠-٩", "0-" + strings.Repeat("9", 1000),
	} {
		if got, err := parseSpan(s); err == nil {
			t.Errorf("%q was read as %v", s, got)
		}
	}
}

func FuzzParseSpan(f *testing.F) {
	for _, s := range []string{"0-", "0-0", "5-16", "1048575-1048575", "-", "00-1", "9999999-99999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseSpan(s)
		if err != nil {
			return
		}
		if got.first < 0 || got.empty() || got.end > maxChunks {
			t.Errorf("%q was read as %v", s, got)
		}
		if again, err := parseSpan(got.String()); err != nil || again != got {
			t.Errorf("%q was read as %v, which is written %q and read as %v, %v", s, got, got, again, err)
		}
	})
}

// TestReplySize: the length that both sides compute is the sum of the parts.
func TestReplySize(t *testing.T) {
	for _, size := range []int64{0, 1, 1024, 16 << 10, 16<<10 + 1, 1 << 20, 5<<20 + 3, chunker.MaxObjectSize} {
		h := chunker.Header{Size: size}
		n := h.NumChunks()
		for _, s := range []span{{}, {0, n}, {n - 1, n}, {n / 2, n}, {n / 3, min(n/3+40, n)}} {
			if s.first < 0 || s.end-s.first > 5000 {
				continue
			}
			want := int64(chunker.HeaderSize)
			for i := s.first; i < s.end; i++ {
				want += int64(h.ChunkLen(i))
				if i == s.first || i%16 == 0 {
					want += int64(h.MetaProofSize(i / 16))
				}
			}
			if got := replySize(h, s); got != want {
				t.Errorf("object of %d bytes, chunks %d to %d: %d, want %d", size, s.first, s.end, got, want)
			}
		}
	}
}

// TestRow39_Have: of many intervals the first eight are told, and read back.
func TestRow39_Have(t *testing.T) {
	var s nois.Set
	for i := uint32(0); i < 100; i += 5 {
		s.AddRange(nois.Interval{Start: i, End: i + 2})
	}
	have := encodeHave(&s, span{11, 100})
	for from, want := range map[int]int{11: 11, 12: 15, 16: 16, 17: 20, 45: 45, 46: 46, 47: 100} {
		if got, err := firstHeld(have, span{from, 100}); err != nil || got != want {
			t.Errorf("first held from %d on: %d, %v; want %d", from, got, err, want)
		}
	}
	var far nois.Set
	for i := range uint32(9) {
		far.AddRange(nois.Interval{Start: 1<<17*i - min(i, 1), End: 1<<17*i + 1<<16})
	}
	if got := encodeHave(&far, span{0, maxChunks}); len(got) > maxHaveHeader {
		t.Errorf("NT-Have of %d characters, the limit is %d", len(got), maxHaveHeader)
	}
}

func FuzzFirstHeld(f *testing.F) {
	f.Add("AgoJHgk", uint32(0), uint32(100))
	f.Add("AQD__z8", uint32(5), uint32(maxChunks))
	f.Add("AA", uint32(3), uint32(3))
	f.Fuzz(func(t *testing.T, have string, first, end uint32) {
		within := span{int(first % maxChunks), int(end%maxChunks) + 1}
		if within.empty() {
			return
		}
		got, err := firstHeld(have, within)
		if err == nil && (got < within.first || got > within.end) {
			t.Errorf("%q: chunk %d is not in %v", have, got, within)
		}
	})
}

// TestRow42_Meter: a peer is judged at the end of each window of waiting.
func TestRow42_Meter(t *testing.T) {
	m := meter{window: time.Second, minRate: 1000}
	for i, x := range []struct {
		n    int
		took time.Duration
		ok   bool
	}{
		{0, 900 * time.Millisecond, true},
		{2000, 200 * time.Millisecond, true}, // a window ends: 1818/s
		{10, 500 * time.Millisecond, true},
		{800, 500 * time.Millisecond, false}, // 810/s
		{1 << 20, 0, true},
		{0, 10 * time.Second, true}, // 104857/s
	} {
		if err := m.add(x.n, x.took); (err == nil) != x.ok {
			t.Errorf("step %d: %v, want ok %v", i, err, x.ok)
		}
	}
}
