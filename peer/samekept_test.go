package peer

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// A page that a crowd reads again and again is not written again and again, unless
// something but its dates has changed, or its date has grown old.
func TestWhatComesAgainIsKeptOnce(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	var now, bodies atomic.Int64
	var language atomic.Value
	language.Store("de")
	body := pattern(3000)
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		bodies.Add(1)
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Language", language.Load().(string))
		w.Header().Set("Date", start.Add(time.Duration(now.Load())*time.Second).Format(http.TimeFormat))
		w.Write(body)
	})
	clock := func(c *Config) {
		c.Now = func() time.Time { return start.Add(time.Duration(now.Load()) * time.Second) }
	}
	for _, fresh := range []bool{false, true} {
		r := newRig(t, clock, func(c *Config) { c.ServeFresh = fresh })
		for _, c := range []struct {
			at       int64
			language string
			dated    int64 // when the copy was seen, without ServeFresh
		}{{0, "de", 0}, {10, "de", 0}, {29, "de", 0}, {30, "de", 30}, {35, "en", 35}, {36, "en", 35}, {34, "en", 34}} {
			now.Store(c.at)
			language.Store(c.language)
			r.mustGet(s.URL+"/a", body, SourceOrigin)
			r.settle()
			want := c.dated
			if fresh {
				want = c.at
			}
			if got := r.cfg.Cache.Get(mustURL(t, s.URL+"/a")); len(got) != 1 || got[0].ObservedAt().Unix()-start.Unix() != want {
				t.Errorf("at %d, fresh %v: %d copies, seen at %d, want %d", c.at, fresh, len(got), got[0].ObservedAt().Unix()-start.Unix(), want)
			}
		}
		for o := range r.cfg.Store.List() {
			if !o.Complete {
				t.Errorf("%+v", o)
			}
		}
	}
	if bodies.Load() != 14 {
		t.Errorf("the origin was asked %d times", bodies.Load())
	}
}
