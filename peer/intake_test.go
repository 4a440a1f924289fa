package peer

import (
	"bytes"
	"errors"
	"net/http"
	"testing"
	"time"

	"pgregory.net/rapid"

	"nt/chunker"
	"nt/chunker/nois"
	"nt/chunker/store"
	"nt/chunker/store/memory"
)

// TestIntakeTakesOnlyWhatProves: whatever the stream says, wherever it begins and however it
// is cut, with proofs that come early, late or never, the store ends up with nothing but the object's
// bytes, and with all that could be proved; and what it keeps waiting is bounded.
func TestIntakeTakesOnlyWhatProves(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		body := pattern(rapid.IntRange(1, 70_000).Draw(rt, "size"))
		tree, err := chunker.Build(bytes.NewReader(body), int64(len(body)))
		if err != nil {
			rt.Fatal(err)
		}
		h := tree.Header()
		obj, _ := memory.New(store.Options{}).Create(h.ID())
		defer obj.Close()
		obj.Begin(h)
		start := rapid.IntRange(0, len(body)-1).Draw(rt, "start")
		sent := bytes.Clone(body[start:])
		bad := rapid.IntRange(-1, len(sent)-1).Draw(rt, "bad") // a byte that is another; -1: none
		if bad >= 0 {
			sent[bad] ^= 1
		}
		stored := map[int]bool{}
		in := newIntake(obj, h, int64(start), func(i int) { stored[i] = true })
		var failed error
		for len(sent) > 0 && failed == nil {
			n := rapid.IntRange(1, len(sent)).Draw(rt, "piece")
			failed = in.write(sent[:n])
			sent = sent[n:]
			if m := rapid.IntRange(0, 3*h.NumMetaChunks()).Draw(rt, "meta"); m < h.NumMetaChunks() && failed == nil {
				p, _ := tree.MetaProof(m)
				obj.AddProof(m, p)
				failed = in.settle()
			}
		}
		if failed != nil && (bad < 0 || !errors.Is(failed, errNotTheObject)) {
			rt.Fatalf("%v", failed)
		}
		have := obj.Have()
		for i := range h.NumChunks() {
			if stored[i] != have.Contains(uint32(i)) {
				rt.Fatalf("chunk %d: told %v, there %v", i, stored[i], have.Contains(uint32(i)))
			}
			lo := int(h.ChunkOffset(i))
			came := lo >= start && (bad < 0 || start+bad < lo || start+bad >= lo+h.ChunkLen(i))
			if have.Contains(uint32(i)) {
				if data, err := obj.ReadChunk(i, nil); err != nil || !bytes.Equal(data, body[lo:lo+h.ChunkLen(i)]) || !came {
					rt.Fatalf("chunk %d: %v", i, err)
				}
			} else if came && failed == nil && obj.HasProof(chunker.MetaOf(i)) {
				rt.Fatalf("chunk %d could be proved and is not there", i)
			}
		}
		if failed == nil && bad < 0 && start == 0 { // what is not stored can still be told in order
			var got []byte
			if err := in.from(0, func(b []byte) error { got = append(got, b...); return nil }); err != nil || !bytes.Equal(got, body) {
				rt.Fatalf("told %d of %d bytes: %v", len(got), len(body), err)
			}
		}
	})
}

func TestTrickleMeasuresWaitingOnly(t *testing.T) {
	s := func(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }
	for name, c := range map[string]struct {
		wait time.Duration
		n    int64
		left int64
		want bool
	}{
		"fast":               {s(0.1), 10_000, 1 << 30, false},
		"slow":               {s(1), 100, 1 << 30, true},
		"slow, no length":    {s(1), 100, -1, true},
		"slow, all but done": {s(1), 100, 50, false},
		"reader is slow":     {0, 100, 1 << 30, false},
	} {
		tr := trickle{slow: 4096, span: s(10)}
		got := false
		for range 200 {
			got = tr.note(c.wait, c.n, c.left) || got
		}
		if got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestAimTakesTheSecondHalfOfTheLongestGap(t *testing.T) {
	for _, c := range []struct {
		have       []nois.Interval
		first, end int
	}{
		{nil, 50, 100},
		{[]nois.Interval{{Start: 0, End: 20}}, 60, 100},
		{[]nois.Interval{{Start: 0, End: 20}, {Start: 60, End: 100}}, 40, 60},
		{[]nois.Interval{{Start: 0, End: 90}}, 90, 100},
		{[]nois.Interval{{Start: 0, End: 100}}, 0, 0},
	} {
		if first, end := aim(nois.Of(c.have...), 100); first != c.first || end != c.end {
			t.Errorf("have %v: %d-%d, want %d-%d", c.have, first, end, c.first, c.end)
		}
	}
}

func TestStrongValidatorAndRetryAfter(t *testing.T) {
	date := "Sun, 01 Mar 2026 14:02:00 GMT"
	for _, c := range []struct {
		h    http.Header
		want string
	}{
		{http.Header{"Etag": {`"v1"`}}, `"v1"`},
		{http.Header{"Etag": {`W/"v1"`}}, ""},
		{http.Header{"Last-Modified": {date}}, ""},
		{http.Header{"Last-Modified": {date}, "Date": {"Sun, 01 Mar 2026 14:02:59 GMT"}}, ""},
		{http.Header{"Etag": {`W/"v1"`}, "Last-Modified": {date}, "Date": {"Sun, 01 Mar 2026 14:03:00 GMT"}}, date},
		{nil, ""},
	} {
		if got := strongValidator(c.h); got != c.want {
			t.Errorf("%v: %q, want %q", c.h, got, c.want)
		}
	}
	now, _ := http.ParseTime(date)
	for _, c := range []struct {
		field string
		want  time.Duration
		ok    bool
	}{
		{"120", 2 * time.Minute, true}, {"0", 0, true}, {"-1", 0, false}, {"", 0, false}, {"soon", 0, false}, {"99999999999999999999", 0, false},
		{"Sun, 01 Mar 2026 14:02:30 GMT", 30 * time.Second, true}, {"Sun, 01 Mar 2026 13:00:00 GMT", 0, true},
	} {
		if got, ok := retryAfter(http.Header{"Retry-After": {c.field}}, now); ok != c.ok || ok && got != c.want {
			t.Errorf("%q: %v, %v", c.field, got, ok)
		}
	}
}
