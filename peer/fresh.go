package peer

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// heuristicShare is the part of the time since Last-Modified for which a reply that
	// says nothing is taken as fresh, maxHeuristic its bound (RFC 9111 section 4.2.2).
	heuristicShare = 10
	maxHeuristic   = 24 * time.Hour
)

// ageOf returns how old a copy is that was observed then: at least since then, and more
// if its Date says that it lay in another cache before.
func ageOf(h http.Header, observed, now time.Time) time.Duration {
	age := now.Sub(observed)
	if date, ok := httpTime(h.Get("Date")); ok {
		age = max(age, now.Sub(date))
	}
	return max(age, 0)
}

// lifetime returns for how long a shared cache may take a reply as fresh (RFC 9111
// section 4.2.1): 0 when it wants to be asked about every time.
func lifetime(h http.Header, observed time.Time) time.Duration {
	if len(values(h, "no-cache")) > 0 {
		return 0
	}
	for _, name := range [...]string{"s-maxage", "max-age"} {
		if v := values(h, name); len(v) > 0 {
			d := delta(v[0])
			return d
		}
	}
	since := observed
	if date, ok := httpTime(h.Get("Date")); ok {
		since = date
	}
	if h.Get("Expires") != "" {
		at, _ := httpTime(h.Get("Expires")) // one that cannot be read has passed
		return max(0, at.Sub(since))
	}
	if m, ok := httpTime(h.Get("Last-Modified")); ok {
		return min(max(0, since.Sub(m)/heuristicShare), maxHeuristic)
	}
	return 0
}

// freshFor reports whether the copy is fresh in the eyes of a reader with these
// request fields.
func freshFor(req, h http.Header, observed, now time.Time) bool {
	if reload(req) {
		return false
	}
	age, limit := ageOf(h, observed, now), lifetime(h, observed)
	if v := values(req, "min-fresh"); len(v) > 0 {
		d := delta(v[0])
		age += d
	}
	if v := values(req, "max-age"); len(v) > 0 {
		d := delta(v[0])
		limit = min(limit, d)
	}
	return age < limit
}

// values returns the arguments of a Cache-Control directive, "" for one without.
func values(h http.Header, directive string) []string {
	var out []string
	for _, line := range h.Values("Cache-Control") {
		for d := range strings.SplitSeq(line, ",") {
			name, v, _ := strings.Cut(d, "=")
			if strings.EqualFold(strings.TrimSpace(name), directive) {
				out = append(out, strings.Trim(strings.TrimSpace(v), `"`))
			}
		}
	}
	return out
}

// delta reads delta-seconds; what cannot be read is no time at all.
func delta(v string) time.Duration {
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(min(n, 1<<31)) * time.Second
}
