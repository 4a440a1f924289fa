package peer

import (
	"net/http"
	"strconv"
	"strings"
)

// accepts reports whether a reader with these request fields takes a body of
// that Content-Encoding ("" is identity). Without Accept-Encoding only identity
// is taken: that is what such a reader gets from origins, and can read.
func accepts(h http.Header, encoding string) bool {
	if encoding == "" {
		return !refusesIdentity(h)
	}
	best := -1.0
	for _, v := range h.Values("Accept-Encoding") {
		for item := range strings.SplitSeq(v, ",") {
			name, q := weighted(item)
			switch {
			case name == encoding || name == "x-"+encoding:
				return q > 0
			case name == "*":
				best = q
			}
		}
	}
	return best > 0
}

func refusesIdentity(h http.Header) bool {
	for _, v := range h.Values("Accept-Encoding") {
		for item := range strings.SplitSeq(v, ",") {
			if name, q := weighted(item); name == "identity" && q == 0 {
				return true
			}
		}
	}
	return false
}

// weighted splits "gzip;q=0.5"; a weight that cannot be read counts as 1.
func weighted(item string) (name string, q float64) {
	name, params, _ := strings.Cut(item, ";")
	q = 1
	if k, v, ok := strings.Cut(params, "="); ok && strings.EqualFold(strings.TrimSpace(k), "q") {
		if f, err := strconv.ParseFloat(strings.TrimSpace(v), 64); err == nil {
			q = f
		}
	}
	return strings.ToLower(strings.TrimSpace(name)), q
}

// hasDirective reports whether Cache-Control names the directive.
func hasDirective(h http.Header, directive string) bool {
	for _, v := range h.Values("Cache-Control") {
		for d := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.ReplaceAll(strings.TrimSpace(d), " ", ""), directive) {
				return true
			}
		}
	}
	return false
}
