package bittorrent

import (
	"net/http"
	"testing"

	"nt/chunker"
)

func FuzzParseSpan(f *testing.F) {
	for _, s := range []string{"", "0-1", "0-3", "2-3", "3-3", "1-0", "0-4", "00-1", "+0-1", "0-1-2", "0-99999999999999999999", "-", "a-b"} {
		f.Add(s)
	}
	h := chunker.Header{Size: 3 * chunker.ChunksPerMeta * chunker.MinChunkSize}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseSpan(s, h)
		if err != nil || s == "" {
			return
		}
		if got.first < 0 || got.empty() || got.end > h.NumMetaChunks() || got.String() != s {
			t.Errorf("%q became %v", s, got)
		}
	})
}

func FuzzParseETag(f *testing.F) {
	f.Add(infohash{1, 2, 3}.etag())
	f.Add(`"ABCDEF"`)
	f.Add(`"+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1+1"`)
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		if ih, ok := parseETag(s); ok && ih.etag() != s {
			t.Errorf("%q became %s", s, ih)
		}
	})
}

func TestETagRoundTrip(t *testing.T) {
	want := infohash{0: 0xff, 19: 1}
	if got, ok := parseETag(want.etag()); !ok || got != want {
		t.Errorf("came back as %s, %v", got, ok)
	}
	r := &http.Request{Header: http.Header{"If-None-Match": {`"x", ` + want.etag()}}}
	if !knows(r, want) || knows(r, infohash{}) {
		t.Error("If-None-Match is not understood")
	}
}
