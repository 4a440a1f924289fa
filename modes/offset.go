package modes

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// offset is where -C goes on.
type offset struct {
	auto bool // "-": where the earlier attempt ended
	at   int64
}

// parseOffset reads "", "-" or a number of bytes.
func parseOffset(s string) (offset, error) {
	switch s {
	case "":
		return offset{}, nil
	case "-":
		return offset{auto: true}, nil
	}
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || s[0] == '+' {
		return offset{}, fmt.Errorf("%q is not a number of bytes", s)
	}
	return offset{at: int64(n)}, nil
}

// contentRange is a parsed Content-Range: bytes first-last/size; size is -1 for *,
// first is -1 for an unsatisfied range.
type contentRange struct{ first, last, size int64 }

// parseContentRange reads the field of a 206 or 416.
func parseContentRange(s string) (contentRange, error) {
	bad := fmt.Errorf("Content-Range %q makes no sense", s)
	rest, ok := strings.CutPrefix(s, "bytes ")
	if !ok {
		return contentRange{}, bad
	}
	span, total, ok := strings.Cut(rest, "/")
	if !ok {
		return contentRange{}, bad
	}
	r := contentRange{first: -1, last: -1, size: -1}
	var err error
	if total != "*" {
		if r.size, err = digits(total); err != nil {
			return contentRange{}, bad
		}
	}
	if span == "*" {
		return r, nil
	}
	first, last, ok := strings.Cut(span, "-")
	if !ok {
		return contentRange{}, bad
	}
	r.first, err = digits(first)
	if err == nil {
		r.last, err = digits(last)
	}
	if err != nil || r.last < r.first || r.size >= 0 && r.last >= r.size {
		return contentRange{}, bad
	}
	return r, nil
}

// digits reads a number without sign.
func digits(s string) (int64, error) {
	if s == "" || s[0] == '+' || s[0] == '-' {
		return 0, fmt.Errorf("%q is not a number", s)
	}
	return strconv.ParseInt(s, 10, 64)
}

// validator returns what identifies the bytes of a response for If-Range: a strong
// ETag, else Last-Modified, else "".
func validator(h http.Header) string {
	if tag := h.Get("Etag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		return tag
	}
	return h.Get("Last-Modified")
}
