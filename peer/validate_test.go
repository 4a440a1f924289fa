package peer

import (
	"bytes"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"nt/chunker"
)

// taggedSite has one page in versions with a tag; it counts the bodies and the questions by tag.
type taggedSite struct {
	*site
	version, bodies, questions atomic.Int64
	control                    atomic.Value // Cache-Control, a string
	asked                      func()       // before a 304; may be nil
}

func (s *taggedSite) tag() string  { return `"` + string(rune('a'+s.version.Load())) + `"` }
func (s *taggedSite) body() []byte { return bytes.Repeat([]byte(s.tag()), 2000) }

func newTaggedSite(t *testing.T) *taggedSite {
	s := &taggedSite{}
	s.control.Store("max-age=0")
	s.site = newSite(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", s.tag())
		w.Header().Set("Cache-Control", s.control.Load().(string))
		w.Header().Set("Content-Type", "text/plain")
		if asked := r.Header.Get("If-None-Match"); asked != "" {
			s.questions.Add(1)
			if asked == s.tag() {
				if s.asked != nil {
					s.asked()
				}
				w.WriteHeader(http.StatusNotModified)
				return
			}
		}
		s.bodies.Add(1)
		w.Write(s.body())
	})
	return s
}

func serveFresh(c *Config) { c.ServeFresh = true }

func TestAStaleCopyIsValidated(t *testing.T) {
	s, r := newTaggedSite(t), newRig(t, serveFresh)
	r.mustGet(s.URL+"/a", s.body(), SourceOrigin)
	r.settle()
	if res := r.mustGet(s.URL+"/a", s.body(), SourceCache); res.Header.Get("Age") != "0" {
		t.Errorf("%v", res.Header)
	}
	if s.bodies.Load() != 1 || s.questions.Load() != 1 {
		t.Fatalf("%d bodies, %d questions", s.bodies.Load(), s.questions.Load())
	}
	// The 304 says how long the copy is fresh now.
	s.control.Store("max-age=600")
	for range 3 {
		r.mustGet(s.URL+"/a", s.body(), SourceCache)
		r.settle()
	}
	if s.bodies.Load() != 1 || s.questions.Load() != 2 {
		t.Errorf("%d bodies, %d questions", s.bodies.Load(), s.questions.Load())
	}
	// A reload is the reader's own question.
	r.mustGet(s.URL+"/a", s.body(), SourceOrigin, field("Cache-Control", "no-cache"))
	if s.bodies.Load() != 2 || s.questions.Load() != 2 {
		t.Errorf("%d bodies, %d questions", s.bodies.Load(), s.questions.Load())
	}
}

func TestAnotherVersionIsTheOrigins(t *testing.T) {
	s, r := newTaggedSite(t), newRig(t, serveFresh)
	r.mustGet(s.URL+"/a", s.body(), SourceOrigin)
	r.settle()
	s.version.Add(1)
	for range 2 { // the second time the new one is asked about
		r.mustGet(s.URL+"/a", s.body(), map[int64]Source{1: SourceOrigin, 2: SourceCache}[s.bodies.Load()])
		r.settle()
	}
	if s.bodies.Load() != 2 || s.questions.Load() != 2 {
		t.Errorf("%d bodies, %d questions", s.bodies.Load(), s.questions.Load())
	}
}

// By default nothing is added to what the reader says: the tag would tell the origin that
// somebody was here before.
func TestNoTagIsSentForAReaderByDefault(t *testing.T) {
	s, r := newTaggedSite(t), newRig(t)
	for range 2 {
		r.mustGet(s.URL+"/a", s.body(), SourceOrigin)
		r.settle()
	}
	if s.questions.Load() != 0 {
		t.Errorf("%d questions", s.questions.Load())
	}
	if res, err := r.get(s.URL+"/a", field("If-None-Match", s.tag())); err != nil || res.Status != http.StatusNotModified {
		t.Errorf("the reader's own: %v, %v", res.Status, err)
	}
}

func TestACopyThatGoesWhileItIsAskedAbout(t *testing.T) {
	s, r := newTaggedSite(t), newRig(t, serveFresh)
	r.mustGet(s.URL+"/a", s.body(), SourceOrigin)
	r.settle()
	s.asked = func() {
		var all []chunker.ObjectID
		for o := range r.cfg.Store.List() {
			all = append(all, o.ID)
		}
		for _, id := range all {
			if err := r.cfg.Store.Remove(id); err != nil {
				t.Error(err)
			}
		}
	}
	r.mustGet(s.URL+"/a", s.body(), SourceOrigin)
	if s.bodies.Load() != 2 {
		t.Errorf("%d bodies", s.bodies.Load())
	}
}

func TestACrowdAsksOnce(t *testing.T) {
	s, r := newTaggedSite(t), newRig(t, serveFresh)
	r.mustGet(s.URL+"/a", s.body(), SourceOrigin)
	r.settle()
	var crowd sync.WaitGroup
	gate := make(chan struct{})
	s.asked = func() { <-gate }
	for range 20 {
		crowd.Go(func() {
			if res, err := r.get(s.URL + "/a"); err != nil || !bytes.Equal(res.body, s.body()) {
				t.Errorf("%v", err)
			}
		})
	}
	close(gate)
	crowd.Wait()
	if s.bodies.Load() != 1 {
		t.Errorf("%d bodies", s.bodies.Load())
	}
}

func TestRefreshed(t *testing.T) {
	stored := http.Header{"Date": {"old"}, "Content-Type": {"text/html"}, "Etag": {`"a"`}, "Cache-Control": {"max-age=1"}, "Content-Language": {"de"}}
	got := refreshed(stored, http.Header{"Cache-Control": {"max-age=2"}, "Content-Type": {"text/plain"}, "Set-Cookie": {"a=1"}, "Expires": {"x"}})
	if len(got) != 5 || got.Get("Cache-Control") != "max-age=2" || got.Get("Content-Type") != "text/html" || got.Get("Expires") != "x" || got.Get("Content-Language") != "de" {
		t.Errorf("%v", got)
	}
	if stored.Get("Date") != "old" {
		t.Error("the stored one was changed")
	}
}
