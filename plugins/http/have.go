package http

import (
	"encoding/base64"
	"fmt"

	"nt/chunker/nois"
)

// maxHaveHeader is the longest NT-Have there can be, in characters: a count
// and 8 intervals of two numbers of at most 3 bytes.
const maxHaveHeader = (1 + nois.MaxWireIntervals*2*3 + 2) / 3 * 4

// heldRun returns the unbroken run of chunks that are there from within.first
// on, at most to within.end.
func heldRun(s *nois.Set, within span) span {
	if within.empty() {
		return span{}
	}
	iv, ok := s.NextPresent(uint32(within.first))
	if !ok || int(iv.Start) != within.first {
		return span{}
	}
	return span{within.first, min(int(iv.End), within.end)}
}

// missingRun returns the first run of chunks of within that are not there.
func missingRun(s *nois.Set, within span) span {
	if within.empty() {
		return span{}
	}
	iv, ok := s.FirstGap(uint32(within.first), uint32(within.end))
	if !ok {
		return span{}
	}
	return span{int(iv.Start), int(iv.End)}
}

// encodeHave writes the first intervals of s within the span for the header
// NT-Have; in order rather than the longest, since the reader reads in order.
func encodeHave(s *nois.Set, within span) string {
	var some nois.Set
	for from := uint32(max(within.first, 0)); some.Intervals() < nois.MaxWireIntervals; {
		iv, ok := s.NextPresent(from)
		if !ok || int(iv.Start) >= within.end {
			break
		}
		iv.End = min(iv.End, uint32(within.end))
		some.AddRange(iv)
		from = iv.End
	}
	return base64.RawURLEncoding.EncodeToString(some.AppendTop(nil, nois.MaxWireIntervals))
}

// firstHeld reads an NT-Have and returns the first chunk of within that it
// claims, or within.end (security row 39).
func firstHeld(have string, within span) (int, error) {
	if len(have) > maxHaveHeader {
		return 0, fmt.Errorf("%d characters, at most %d make sense", len(have), maxHaveHeader)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(have)
	if err != nil {
		return 0, err
	}
	ivs, rest, err := nois.ParseIntervals(b, maxChunks)
	if err != nil {
		return 0, err
	}
	if len(rest) > 0 {
		return 0, fmt.Errorf("%d bytes follow the intervals", len(rest))
	}
	for _, iv := range ivs {
		if at := max(int(iv.Start), within.first); at < min(int(iv.End), within.end) {
			return at, nil
		}
	}
	return within.end, nil
}
