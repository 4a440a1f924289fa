package modes

import (
	"net/http"
	"testing"
	"time"
)

// TestLoad: auto begins to shed above one bound and ends only after calm below another.
func TestLoad(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	check := func(l *load, s float64, want bool) {
		t.Helper()
		if got := l.sheds(at(s)); got != want {
			t.Errorf("at %v s with %d answers: sheds %v, want %v", s, l.sending, got, want)
		}
	}
	l := &load{mode: shedAuto}
	for range shedFrom - 1 {
		l.begin(at(0))
	}
	check(l, 0, false)
	l.begin(at(0))
	check(l, 0, true)
	for l.sending >= shedUntil {
		l.end(at(1))
	}
	check(l, 5.9, true)
	l.begin(at(5.9)) // back at the lower bound: no calm yet
	l.end(at(6))
	check(l, 10.8, true)
	check(l, 10.9, false)

	l = &load{mode: shedAuto, uplink: 1000}
	l.wrote(at(0), 799)
	check(l, 0.9, false)
	l.wrote(at(1.5), 1)
	check(l, 1.5, false) // two different seconds
	l.wrote(at(1.6), 799)
	check(l, 1.6, true)
	check(l, 2.6, true)
	check(l, 9, false)

	always, never := &load{mode: shedAlways}, &load{mode: shedNever}
	for range 2 * shedFrom {
		never.begin(at(0))
	}
	check(always, 0, true)
	check(never, 0, false)
}

// TestCanShare: only who can get the file elsewhere is sent there.
func TestCanShare(t *testing.T) {
	for _, c := range []struct {
		header http.Header
		want   bool
	}{
		{http.Header{"User-Agent": {"Mozilla/5.0"}}, false},
		{http.Header{"User-Agent": {"nt/1"}}, true},
		{http.Header{"User-Agent": {"nt-notary/1"}}, false},
		{http.Header{"User-Agent": {"Mozilla/5.0 (compatible; nt)"}}, false},
		{http.Header{"User-Agent": {"nt/1"}, "Nt-Shed": {"no"}}, false},
		{http.Header{"User-Agent": {"Mozilla/5.0"}, "Via": {"1.0 cache, 1.1 nt-0123abcd"}}, true},
		{http.Header{"User-Agent": {"Mozilla/5.0"}, "Via": {"1.1 squid"}}, false},
		{http.Header{}, false},
	} {
		if got := canShare(c.header); got != c.want {
			t.Errorf("%v: %v, want %v", c.header, got, c.want)
		}
	}
}
