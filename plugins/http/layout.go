package http

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"nt/chunker"
)

// The words of the protocol; see the package comment.
const (
	pathPrefix   = "/nt/v1/objects/"
	mediaType    = "application/vnd.nt.chunks"
	chunksKey    = "chunks"
	headerChunks = "NT-Chunks"
	headerHave   = "NT-Have"
)

// maxChunks is more than any object's number of chunks, and the end of an open span.
const maxChunks = chunker.MaxObjectSize/chunker.MaxChunkSize + 1

// span is the chunks first, first+1, ..., end-1.
type span struct{ first, end int }

var errBadSpan = errors.New("want chunks=A-B with A <= B")

// parseSpan reads "A-B" (both included) or "A-" (no upper end): decimal digits
// without sign or leading zeros, below maxChunks (security row 39).
func parseSpan(s string) (span, error) {
	a, b, ok := strings.Cut(s, "-")
	if !ok {
		return span{}, errBadSpan
	}
	first, err := parseChunk(a)
	if err != nil {
		return span{}, err
	}
	if b == "" {
		return span{first, maxChunks}, nil
	}
	last, err := parseChunk(b)
	if err != nil {
		return span{}, err
	}
	if last < first {
		return span{}, errBadSpan
	}
	return span{first, last + 1}, nil
}

func parseChunk(s string) (int, error) {
	if s == "" || len(s) > 7 || (s[0] == '0' && len(s) > 1) || strings.Trim(s, "0123456789") != "" {
		return 0, errBadSpan
	}
	n, err := strconv.Atoi(s)
	if err != nil || n >= maxChunks {
		return 0, fmt.Errorf("%w: no object has a chunk %s", errBadSpan, s)
	}
	return n, nil
}

// String writes what parseSpan reads.
func (s span) String() string {
	if s.end >= maxChunks {
		return strconv.Itoa(s.first) + "-"
	}
	return strconv.Itoa(s.first) + "-" + strconv.Itoa(s.end-1)
}

func (s span) empty() bool { return s.first >= s.end }

// replySize returns the length of the reply that carries s, in bytes: the
// header, the proof of every MetaChunk touched, and the chunks.
func replySize(h chunker.Header, s span) int64 {
	n := int64(chunker.HeaderSize)
	if s.empty() {
		return n
	}
	for m := chunker.MetaOf(s.first); m <= chunker.MetaOf(s.end-1); m++ {
		n += int64(h.MetaProofSize(m))
	}
	content := h.ChunkOffset(s.end-1) + int64(h.ChunkLen(s.end-1)) - h.ChunkOffset(s.first)
	return n + content
}
