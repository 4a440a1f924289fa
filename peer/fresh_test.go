package peer

import (
	"errors"
	"net/http"
	"testing"
	"time"
)

func TestLifetimeAndAge(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for _, c := range []struct {
		cc, expires, date, modified string
		life, age                   time.Duration
	}{
		{cc: "max-age=60", life: time.Minute},
		{cc: "max-age=60, s-maxage=5", life: 5 * time.Second},
		{cc: "MAX-AGE=\"60\"", life: time.Minute},
		{cc: "max-age=abc"}, {cc: "max-age=-1"}, {cc: "no-cache, max-age=60"}, {cc: `no-cache="Foo", max-age=60`},
		{cc: "max-age=99999999999999", life: (1 << 31) * time.Second},
		{expires: at(time.Hour), life: time.Hour}, {expires: at(time.Hour), date: at(-time.Hour), life: 2 * time.Hour, age: time.Hour},
		{expires: "0"}, {expires: at(-time.Hour)}, {cc: "max-age=1", expires: at(time.Hour), life: time.Second},
		{modified: at(-10 * time.Hour), life: time.Hour}, {modified: at(-10000 * time.Hour), life: 24 * time.Hour}, {modified: at(time.Hour)},
		{date: at(time.Hour)}, {date: "nonsense"}, {},
	} {
		h := http.Header{}
		for k, v := range map[string]string{"Cache-Control": c.cc, "Expires": c.expires, "Date": c.date, "Last-Modified": c.modified} {
			if v != "" {
				h.Set(k, v)
			}
		}
		if got := lifetime(h, now); got != c.life {
			t.Errorf("%v: lifetime %s, want %s", h, got, c.life)
		}
		if got := ageOf(h, now, now); got != c.age {
			t.Errorf("%v: age %s, want %s", h, got, c.age)
		}
	}
}

func TestOnlyIfCached(t *testing.T) {
	body := pattern(5000)
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=3600")
		w.Write(body)
	})
	r := newRig(t)
	only := field("Cache-Control", "only-if-cached")
	if _, err := r.get(s.URL+"/a", only); !errors.Is(err, ErrNoSource) || s.count() != 0 || r.locator.asked() != 0 {
		t.Fatalf("%v; %d requests, %d lookups", err, s.count(), r.locator.asked())
	}
	r.mustGet(s.URL+"/a", body, SourceOrigin)
	r.settle()
	r.mustGet(s.URL+"/a", body, SourceCache, only)
	for _, more := range []string{", max-age=0", ", no-cache", ", min-fresh=7200"} {
		if _, err := r.get(s.URL+"/a", field("Cache-Control", "only-if-cached"+more)); !errors.Is(err, ErrNoSource) {
			t.Errorf("only-if-cached%s: %v", more, err)
		}
	}
	if s.count() != 1 {
		t.Errorf("%d requests", s.count())
	}
}

func TestNoStoreOfTheReaderLeavesNothing(t *testing.T) {
	body := pattern(5000)
	s := newSite(t, sendText(body))
	r := newRig(t)
	r.mustGet(s.URL+"/a", body, SourceOrigin, field("Cache-Control", "no-store"))
	r.settle()
	for range r.cfg.Store.List() {
		t.Error("its bytes are in the store")
	}
	if len(r.cfg.Cache.Get(mustURL(t, s.URL+"/a"))) != 0 {
		t.Error("it was kept")
	}
}

// TestUnsafeMethodsInvalidate: what a POST may have changed is not announced or served
// any more, and still there for the own reader when the origin dies.
func TestUnsafeMethodsInvalidate(t *testing.T) {
	for _, c := range []struct {
		method, location string
		status           int
		invalid          bool
	}{
		{"POST", "", 200, true}, {"PUT", "", 204, true}, {"DELETE", "", 303, true}, {"POST", "", 404, false}, {"POST", "", 500, false},
		{"OPTIONS", "", 200, false}, {"REPORT", "", 200, true},
	} {
		body := pattern(5000)
		s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != "GET" {
				w.WriteHeader(c.status)
				return
			}
			w.Write(body)
		})
		r := newRig(t)
		r.mustGet(s.URL+"/a", body, SourceOrigin)
		r.settle()
		<-r.locator.announced
		id := r.cfg.Cache.Get(mustURL(t, s.URL+"/a"))[0].Object()
		if _, err := r.get(s.URL+"/a", method(c.method)); err != nil {
			t.Fatal(err)
		}
		e := r.cfg.Cache.Get(mustURL(t, s.URL+"/a"))[0]
		o, err := r.node.cfg.Shelf.Open(id)
		if err == nil {
			o.Close()
		}
		if e.Invalid != c.invalid || e.Shared == c.invalid || (err != nil) != c.invalid {
			t.Errorf("%+v: invalid %v, shared %v, shelf %v", c, e.Invalid, e.Shared, err)
		}
		s.Close()
		r.mustGet(s.URL+"/a", body, SourceCache)
	}
}

func TestForget(t *testing.T) {
	body := pattern(5000)
	s := newSite(t, sendText(body))
	r := newRig(t)
	for _, p := range []string{"/a", "/b", "/c"} {
		r.mustGet(s.URL+p, body, SourceOrigin)
		r.settle()
		<-r.locator.announced
	}
	u := mustURL(t, s.URL+"/a")
	id := r.cfg.Cache.Get(u)[0].Object()
	if n, err := r.node.Forget(u); n != 1 || err != nil {
		t.Fatalf("%d copies, %v", n, err)
	}
	left := map[string]bool{}
	for _, a := range <-r.locator.announced { // anew, without it
		left[a.URL] = true
	}
	if len(left) != 2 || left[u.String()] || r.locator.left != 1 {
		t.Errorf("announced after %d leaves: %v", r.locator.left, left)
	}
	if o, err := r.node.cfg.Shelf.Open(id); err != nil {
		t.Errorf("the others have the same bytes: %v", err)
	} else {
		o.Close()
	}
	for _, p := range []string{"/b", "/c", "/never"} {
		if _, err := r.node.Forget(mustURL(t, s.URL+p)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range r.cfg.Store.List() {
		t.Errorf("bytes are left in the store: %+v", i)
	}
	if _, err := r.node.cfg.Shelf.Open(id); err == nil {
		t.Error("the bytes are still served")
	}
}
