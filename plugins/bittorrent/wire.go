package bittorrent

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"nt/chunker"
)

const (
	hintPath     = "/nt/v1/hints/bittorrent/"
	mediaType    = "application/vnd.nt.bittorrent-hint"
	headerProofs = "NT-Proofs"
	proofsKey    = "proofs"
)

// span is the MetaChunks first, ..., end-1.
type span struct{ first, end int }

func (s span) empty() bool { return s.first >= s.end }

// String writes what parseSpan reads.
func (s span) String() string { return fmt.Sprintf("%d-%d", s.first, s.end) }

// parseSpan reads the NT-Proofs of an object.
func parseSpan(s string, h chunker.Header) (span, error) {
	if s == "" {
		return span{}, nil
	}
	a, b, _ := strings.Cut(s, "-")
	first, ok1 := parseMeta(a)
	end, ok2 := parseMeta(b)
	if got := (span{first, end}); ok1 && ok2 && !got.empty() && end <= h.NumMetaChunks() {
		return got, nil
	}
	return span{}, fmt.Errorf("%.40q are no MetaChunks of this object", s)
}

// parseMeta reads a MetaChunk's number: digits, no sign, no zeros in front.
func parseMeta(s string) (int, bool) {
	if s == "" || len(s) > 7 || (s[0] == '0' && len(s) > 1) || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

// docSize returns the length of the hint with those proofs, in bytes.
func docSize(h chunker.Header, proofs span) int64 {
	n := int64(chunker.HeaderSize + numPieces(h.Size)*len(infohash{}))
	for m := proofs.first; m < proofs.end; m++ {
		n += int64(h.MetaProofSize(m))
	}
	return n
}

// etag writes an infohash as an entity tag.
func (ih infohash) etag() string { return `"` + ih.String() + `"` }

// parseETag reads what etag wrote.
func parseETag(s string) (ih infohash, ok bool) {
	if len(s) != 2*len(ih)+2 || s[0] != '"' || s[len(s)-1] != '"' {
		return ih, false
	}
	for i := range ih {
		b, err := strconv.ParseUint(s[1+2*i:3+2*i], 16, 8)
		if err != nil || s[1+2*i] == '+' {
			return ih, false
		}
		ih[i] = byte(b)
	}
	return ih, ih.etag() == s
}

// knows reports whether the reader has the hint already.
func knows(r *http.Request, ih infohash) bool {
	for tag := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		if strings.TrimSpace(tag) == ih.etag() {
			return true
		}
	}
	return false
}
