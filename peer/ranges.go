package peer

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// part is what of a copy answers a request: pure result of answer.
type part struct {
	status      int
	off, length int64 // of the body; length 0 for an answer without one
	// contentRange is the Content-Range field, "" for none.
	contentRange string
}

// answer decides how a copy with these fields and size answers a GET or HEAD:
// preconditions first, then the range (RFC 9110 section 13.2.2). A request for
// several ranges gets the whole, which is allowed and simpler than the rare
// client that asks for them deserves.
func answer(req http.Header, copied http.Header, size int64) part {
	whole := part{status: http.StatusOK, length: size}
	etag, modified := copied.Get("ETag"), copied.Get("Last-Modified")
	if im := req.Get("If-Match"); im != "" {
		if !etagListed(im, etag, true) {
			return part{status: http.StatusPreconditionFailed}
		}
	} else if t, ok := httpTime(req.Get("If-Unmodified-Since")); ok {
		if m, ok := httpTime(modified); !ok || m.After(t) {
			return part{status: http.StatusPreconditionFailed}
		}
	}
	if inm := req.Get("If-None-Match"); inm != "" {
		if etagListed(inm, etag, false) {
			return part{status: http.StatusNotModified}
		}
	} else if t, ok := httpTime(req.Get("If-Modified-Since")); ok {
		if m, ok := httpTime(modified); ok && !m.After(t) {
			return part{status: http.StatusNotModified}
		}
	}
	if req.Get("Range") == "" || !ifRange(req.Get("If-Range"), etag, modified) {
		return whole
	}
	off, length, outcome := parseRange(req.Get("Range"), size)
	switch outcome {
	case rangeIgnored:
		return whole
	case rangeUnsatisfiable:
		return part{status: http.StatusRequestedRangeNotSatisfiable, contentRange: fmt.Sprintf("bytes */%d", size)}
	}
	return part{status: http.StatusPartialContent, off: off, length: length,
		contentRange: fmt.Sprintf("bytes %d-%d/%d", off, off+length-1, size)}
}

type rangeOutcome uint8

const (
	rangeIgnored rangeOutcome = iota // malformed, another unit, or several: the whole is sent
	rangeOK
	rangeUnsatisfiable
)

// parseRange reads a single byte range: "bytes=0-499", "bytes=500-", "bytes=-500".
func parseRange(v string, size int64) (off, length int64, outcome rangeOutcome) {
	spec, ok := cutPrefixFold(strings.TrimSpace(v), "bytes=")
	if !ok || strings.Contains(spec, ",") {
		return 0, 0, rangeIgnored
	}
	from, to, ok := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok || !digits(from) || !digits(to) || from == "" && to == "" {
		return 0, 0, rangeIgnored
	}
	if from == "" {
		n := clampedInt(to)
		if n == 0 || size == 0 {
			return 0, 0, rangeUnsatisfiable
		}
		n = min(n, size)
		return size - n, n, rangeOK
	}
	first, last := clampedInt(from), size-1
	if to != "" {
		if clampedInt(to) < first {
			return 0, 0, rangeIgnored
		}
		last = min(last, clampedInt(to))
	}
	if first >= size {
		return 0, 0, rangeUnsatisfiable
	}
	return first, last - first + 1, rangeOK
}

// parseContentRange reads the Content-Range of a 206: offset, length and total,
// all known and consistent, or false.
func parseContentRange(v string) (off, length, total int64, ok bool) {
	spec, found := cutPrefixFold(strings.TrimSpace(v), "bytes ")
	if !found {
		return 0, 0, 0, false
	}
	span, size, found := strings.Cut(spec, "/")
	from, to, dash := strings.Cut(span, "-")
	if !found || !dash || from == "" || to == "" || size == "" || !digits(from) || !digits(to) || !digits(size) {
		return 0, 0, 0, false
	}
	first, last, total := clampedInt(from), clampedInt(to), clampedInt(size)
	if first > last || last >= total {
		return 0, 0, 0, false
	}
	return first, last - first + 1, total, true
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// clampedInt reads decimal digits; what does not fit is as large as fits.
func clampedInt(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 1<<63 - 1
	}
	return n
}

// ifRange reports whether If-Range lets the range count: a strong ETag that is
// the copy's, or exactly its Last-Modified.
func ifRange(v, etag, modified string) bool {
	if v == "" {
		return true
	}
	if strings.HasPrefix(v, `"`) {
		return v == etag
	}
	t, ok := httpTime(v)
	m, known := httpTime(modified)
	return ok && known && t.Equal(m)
}

// etagListed reports whether a list of If-Match or If-None-Match names etag.
func etagListed(list, etag string, strong bool) bool {
	if strings.TrimSpace(list) == "*" {
		return true
	}
	if etag == "" || strong && strings.HasPrefix(etag, "W/") {
		return false
	}
	want := strings.TrimPrefix(etag, "W/")
	for rest := list; rest != ""; {
		rest = strings.TrimLeft(rest, " \t,")
		weak := strings.HasPrefix(rest, "W/")
		rest = strings.TrimPrefix(rest, "W/")
		if !strings.HasPrefix(rest, `"`) {
			return false
		}
		end := strings.IndexByte(rest[1:], '"')
		if end < 0 {
			return false
		}
		if rest[:end+2] == want && !(strong && weak) {
			return true
		}
		rest = rest[end+2:]
	}
	return false
}

func httpTime(v string) (time.Time, bool) {
	if v == "" {
		return time.Time{}, false
	}
	t, err := http.ParseTime(v)
	return t, err == nil
}
