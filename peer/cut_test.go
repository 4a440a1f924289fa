package peer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"testing"

	"nt/chunker/store"
	"nt/chunker/store/memory"
)

// breaking sends body[:at] of a response and then breaks off, or hangs until the
// reader gives up or release is closed and then sends the rest.
func breaking(body []byte, at int, chunked bool, release <-chan struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		if !chunked {
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		}
		w.Write(body[:at])
		w.(http.Flusher).Flush()
		if release == nil {
			panic(http.ErrAbortHandler)
		}
		select {
		case <-release:
			w.Write(body[at:])
		case <-r.Context().Done():
		}
	}
}

func TestN6_CutBodyGoesOnFromACopy(t *testing.T) {
	body := pattern(300_000)
	never := make(chan struct{})
	for _, c := range []struct {
		name    string
		at      int
		chunked bool
		hang    <-chan struct{}
	}{
		{name: "cut", at: 100_000}, {name: "cut at once", at: 0}, {name: "cut before the end", at: len(body) - 1},
		{name: "chunked and cut", at: 100_000, chunked: true}, {name: "stalled", at: 100_000, hang: never},
		{name: "chunked and stalled", at: 5, chunked: true, hang: never},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, breaking(body, c.at, c.chunked, c.hang))
			r := newRig(t)
			if c.hang != nil {
				r = newRig(t, soonStalled)
			}
			url := s.URL + "/p"
			if c.hang == nil {
				if _, err := r.cut(url); !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatalf("a short body ended with %v", err)
				}
				r.settle()
			}
			if got := len(r.cfg.Cache.Get(mustURL(t, url))); got != 0 {
				t.Fatal("a short body was kept")
			}
			st := r.publish(url, body, nil, testKey(9))
			res := r.mustGet(url, body, SourceOrigin)
			p := res.Provenance.Live.Snapshot()
			from := p.BytesBySource
			if !p.Continued || from[SourceOrigin]+from[SourcePeers] != int64(len(body)) || c.hang == nil && from[SourceOrigin] != int64(c.at) || p.Object != st.Object {
				t.Errorf("progress %+v", p)
			}
			r.settle()
			res = r.mustGet(url, body, SourceOrigin) // now the cache continues it
			if p := res.Provenance.Live.Snapshot(); p.BytesBySource[SourceCache] < int64(len(body)-c.at) {
				t.Errorf("progress from the cache %+v", p)
			}
		})
	}
}

// cut reads a body that nobody continues.
func (r *rig) cut(url string) (int64, error) {
	r.t.Helper()
	hr, _ := http.NewRequest("GET", url, nil)
	resp, err := r.node.Do(r.t.Context(), Request{HTTP: hr})
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	return io.CopyN(io.Discard, resp.Body, 1<<20)
}

func TestCutBodyIsNeverJoinedToAnotherVersion(t *testing.T) {
	body := pattern(100_000)
	changed := func(change func([]byte) []byte) []byte { return change(bytes.Clone(body)) }
	for name, c := range map[string]struct {
		copied []byte
		h      http.Header
	}{
		"other beginning": {copied: changed(func(b []byte) []byte { b[10]++; return b })},
		"longer":          {copied: changed(func(b []byte) []byte { return append(b, 'x') })},
		"shorter":         {copied: body[:50_000]},
		"other ETag":      {copied: body, h: http.Header{"Etag": {`"v2"`}}},
		"other encoding":  {copied: body, h: http.Header{"Content-Encoding": {"br"}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("ETag", `"v1"`)
				breaking(body, 60_000, false, nil)(w, r)
			})
			r := newRig(t)
			r.publish(s.URL+"/p", c.copied, c.h, testKey(9))
			res, err := r.get(s.URL+"/p", field("Accept-Encoding", "br"))
			if err != nil || !errors.Is(res.err, io.ErrUnexpectedEOF) || !bytes.Equal(res.body, body[:60_000]) {
				t.Fatalf("%v, %d bytes, %v", err, len(res.body), res.err)
			}
		})
	}
}

func TestCutRangeGoesOnFromACopy(t *testing.T) {
	body := pattern(300_000)
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes 1000-250999/%d", len(body)))
		w.Header().Set("Content-Length", "250000")
		w.WriteHeader(http.StatusPartialContent)
		w.Write(body[1000:9000])
		panic(http.ErrAbortHandler)
	})
	r := newRig(t)
	r.publish(s.URL+"/p", body, nil, testKey(9))
	res := r.mustGet(s.URL+"/p", body[1000:251_000], SourceOrigin, field("Range", "bytes=1000-250999"))
	if res.Status != 206 || !res.Provenance.Live.Snapshot().Continued {
		t.Errorf("status %d, %+v", res.Status, res.Provenance.Live.Snapshot())
	}
}

func TestStalledBodyWaitsWhenNobodyHasACopy(t *testing.T) {
	body := pattern(100_000)
	release := make(chan struct{})
	s := newSite(t, breaking(body, 1000, false, release))
	r := newRig(t, soonStalled)
	looked := make(chan struct{})
	r.node.cfg.Locator = &lookupHook{fakeLocator: r.locator, hook: sync.OnceFunc(func() { close(looked) })}
	go func() { <-looked; close(release) }()
	res := r.mustGet(s.URL+"/p", body, SourceOrigin)
	if res.Provenance.Live.Snapshot().Continued {
		t.Error("it was continued from nowhere")
	}
}

func TestFullDiskOnlyStopsCaching(t *testing.T) {
	body := pattern(3 << 20)
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) { // no length: it must be found out on the way
		for b := body; len(b) > 0; b = b[min(len(b), 100_000):] {
			w.Write(b[:min(len(b), 100_000)])
			w.(http.Flusher).Flush()
		}
	})
	r := newRig(t, func(c *Config) { c.Store = memory.New(store.Options{Budget: 1 << 20}) })
	r.mustGet(s.URL+"/p", body, SourceOrigin)
	r.settle()
	if len(r.cfg.Cache.Get(mustURL(t, s.URL+"/p"))) != 0 {
		t.Error("a body that did not fit was kept")
	}
	if used, _ := r.cfg.Store.Usage(); used > 1<<20 {
		t.Errorf("%d bytes in use", used)
	}
}
