package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestMoreHoldersFindLess(t *testing.T) {
	w := world{readers: 50, pages: 5000, visits: 300, days: 30, zipf: 0.9}
	r := w.run(1)
	if r.wanted == 0 || r.found[1] != r.wanted {
		t.Fatalf("with one holder %d of %d are found", r.found[1], r.wanted)
	}
	if r.found[2] >= r.found[1] || r.found[3] >= r.found[2] || r.lone == 0 || r.lone >= r.pages || r.pages > r.holders {
		t.Errorf("%+v", r)
	}
	if again := w.run(1); again != r {
		t.Errorf("another run says %+v, not %+v", again, r)
	}
}

func TestReport(t *testing.T) {
	var out bytes.Buffer
	report(&out, []world{{readers: 20, pages: 500, visits: 60, days: 30, zipf: 1}})
	if got := strings.Count(out.String(), "\n| 20 | 500 | 2 | 1.0 |"); got != 1 {
		t.Errorf("the table is\n%s", out.String())
	}
}
