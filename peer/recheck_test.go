package peer

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
)

// TestRow34_PagesAreComparedBeforeTheyAreShared: a page that somebody else gets
// differently is kept for its reader and told to nobody.
func TestRow34_PagesAreComparedBeforeTheyAreShared(t *testing.T) {
	const html, css = "text/html; charset=utf-8", "text/css"
	for _, c := range []struct {
		why, contentType string
		compare          bool
		body             func(r *http.Request, nth int64) string
		again            http.Header // of the second reply
		shared           bool
		asked            int64
	}{
		{"the same for everybody", html, false, func(*http.Request, int64) string { return "page" }, nil, true, 2},
		{"by the reader's language", html, false, func(r *http.Request, _ int64) string { return "page " + r.Header.Get("Accept-Language") }, nil, false, 2},
		{"by the reader's browser", html, false, func(r *http.Request, _ int64) string { return "page " + r.Header.Get("User-Agent") }, nil, false, 2},
		{"by a header nobody knows", html, false, func(r *http.Request, _ int64) string { return "page " + r.Header.Get("X-Account") }, nil, false, 2},
		{"another one every time", html, false, func(_ *http.Request, nth int64) string { return fmt.Sprint("page ", nth) }, nil, false, 2},
		{"longer for somebody else", html, false, func(_ *http.Request, nth int64) string { return "page"[:2+nth] }, nil, false, 2},
		{"private for somebody else", html, false, func(*http.Request, int64) string { return "page" }, field2("Cache-Control", "private"), false, 2},
		{"sets a cookie for somebody else", html, false, func(*http.Request, int64) string { return "page" }, field2("Set-Cookie", "id=1"), false, 2},
		{"no page", css, false, func(_ *http.Request, nth int64) string { return fmt.Sprint("p{", nth) }, nil, true, 1},
		{"no page, but read in a tunnel", css, true, func(_ *http.Request, nth int64) string { return fmt.Sprint("p{", nth) }, nil, false, 2},
		{"no page, read in a tunnel, the same", css, true, func(*http.Request, int64) string { return "p{}" }, nil, true, 2},
	} {
		var asked atomic.Int64
		s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
			nth := asked.Add(1)
			w.Header().Set("Content-Type", c.contentType)
			if nth > 1 {
				for k, v := range c.again {
					w.Header()[k] = v
				}
			}
			fmt.Fprint(w, c.body(r, nth))
		})
		r := newRig(t)
		reader := func(q *Request) {
			q.Compare = c.compare
			q.HTTP.Header.Set("Accept-Language", "de")
			q.HTTP.Header.Set("User-Agent", "browser/1")
			q.HTTP.Header.Set("X-Account", "17")
		}
		if _, err := r.get(s.URL+"/p", reader); err != nil {
			t.Fatalf("%s: %v", c.why, err)
		}
		r.settle()
		entries := r.cfg.Cache.Get(mustURL(t, s.URL+"/p"))
		if len(entries) != 1 || entries[0].Shared != c.shared || asked.Load() != c.asked {
			t.Errorf("%s: %d entries, shared %v, the origin was asked %d times", c.why, len(entries), len(entries) == 1 && entries[0].Shared, asked.Load())
		}
	}
}

func field2(k, v string) http.Header { return http.Header{k: {v}} }
