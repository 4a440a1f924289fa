package peer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"nt/chunker/store"
	"nt/chunker/store/memory"
	"nt/internal/resource"
)

// lookupHook tells when a lookup happens.
type lookupHook struct {
	*fakeLocator
	hook func()
}

func (l *lookupHook) Lookup(ctx context.Context, k resource.Key) (Found, error) {
	l.hook()
	return l.fakeLocator.Lookup(ctx, k)
}

// crowd starts n readers at once, waits until all have asked, and calls release.
func (r *rig) crowd(n int, url string, arrived func() bool, release func(), change ...func(*Request)) []result {
	r.t.Helper()
	out := make([]result, n)
	var wg sync.WaitGroup
	for i := range out {
		wg.Go(func() {
			res, err := r.get(url, change...)
			if err != nil {
				r.t.Error(err)
				return
			}
			out[i] = res
		})
	}
	for !arrived() {
		select {
		case <-r.t.Context().Done():
			return nil
		case <-time.After(time.Millisecond):
		}
	}
	release()
	wg.Wait()
	return out
}

// waiting counts readers that wait for the flight of a URL.
func (r *rig) waiting(url string) int {
	fs := &r.node.flights
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, fl := range fs.m {
		if fl.plan.req.HTTP.URL.String() == url {
			fl.mu.Lock()
			defer fl.mu.Unlock()
			return fl.readers
		}
	}
	return 0
}

func TestCrowdAsksTheOriginOnce(t *testing.T) {
	body := pattern(500_000)
	for _, c := range []struct {
		name   string
		budget int64
		length bool // the origin says how long the body is
	}{{"stored", 0, true}, {"stored, length unknown", 0, false}, {"no room", 64 << 10, true}, {"no more room on the way", 200_000, false}} {
		t.Run(c.name, func(t *testing.T) {
			gate := make(chan struct{})
			s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
				<-gate
				if c.length {
					w.Header().Set("Content-Length", strconv.Itoa(len(body)))
				}
				sendText(body)(w, r)
			})
			r := newRig(t, func(cfg *Config) { cfg.Store = memory.New(store.Options{Budget: c.budget}) })
			url := s.URL + "/p"
			const n = 20
			for _, res := range r.crowd(n, url, func() bool { return r.waiting(url) == n }, func() { close(gate) }) {
				if !bytes.Equal(res.body, body) || res.err != nil || res.Header.Get("Etag") != `"v1"` {
					t.Fatalf("%d bytes, %v", len(res.body), res.err)
				}
			}
			if s.count() != 1 {
				t.Errorf("%d requests at the origin, want 1", s.count())
			}
		})
	}
}

func TestCrowdGetsItsOwnAnswersWhenTheyArePersonal(t *testing.T) {
	gate := make(chan struct{})
	var mu sync.Mutex
	n := byte(0)
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		<-gate
		mu.Lock()
		defer mu.Unlock()
		n++
		w.Header().Set("Cache-Control", "private")
		w.Write([]byte{n})
	})
	r := newRig(t)
	url := s.URL + "/p"
	seen := map[byte]bool{}
	for _, res := range r.crowd(5, url, func() bool { return r.waiting(url) == 5 }, func() { close(gate) }) {
		seen[res.body[0]] = true
	}
	if len(seen) != 5 || s.count() != 5 {
		t.Errorf("%d different answers of %d requests, want 5", len(seen), s.count())
	}
}

func TestReloadsAndCredentialsDoNotCollapse(t *testing.T) {
	for _, f := range [][2]string{{"Cookie", "a=b"}, {"Authorization", "Basic eDp5"}, {"Range", "bytes=0-"}, {"If-None-Match", `"x"`}, {"Cache-Control", "no-cache"}, {"Pragma", "no-cache"}} {
		s := newSite(t, sendText([]byte("hello")))
		hr, _ := http.NewRequest("GET", s.URL, nil)
		hr.Header.Set(f[0], f[1])
		p, err := planFor(t.Context(), Request{HTTP: hr})
		if err != nil || p.collapse {
			t.Errorf("%s: collapse %v, %v", f[0], p.collapse, err)
		}
	}
}

func TestFillGoesOnWhenItsFirstReaderLeaves(t *testing.T) {
	body := pattern(400_000)
	gate := make(chan struct{})
	s := newSite(t, breaking(body, 100_000, false, gate))
	r := newRig(t)
	url := s.URL + "/p"
	first := r.open(url)
	io.ReadFull(first.Body, make([]byte, 50_000))
	second := r.open(url)
	first.Body.Close()
	close(gate)
	got, err := io.ReadAll(second.Body)
	second.Body.Close()
	if err != nil || !bytes.Equal(got, body) || s.count() != 1 {
		t.Fatalf("%d bytes, %v, %d requests", len(got), err, s.count())
	}
	r.settle()
	if len(r.cfg.Cache.Get(mustURL(t, url))) != 1 {
		t.Error("it was not kept")
	}
}

func TestFillEndsWhenEveryReaderLeft(t *testing.T) {
	gone := make(chan struct{})
	body := pattern(400_000)
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		breaking(body, 100_000, false, make(chan struct{}))(w, r)
		close(gone)
	})
	r := newRig(t)
	a, b := r.open(s.URL+"/p"), r.open(s.URL+"/p")
	a.Body.Close()
	b.Body.Close()
	<-gone // the origin sees that nobody reads
	r.settle()
}

func TestFillThatIsNearlyDoneIsFinished(t *testing.T) {
	body := pattern(400_000)
	gate := make(chan struct{})
	s := newSite(t, breaking(body, len(body)-finishBytes, false, gate))
	r := newRig(t)
	a := r.open(s.URL + "/p")
	io.ReadFull(a.Body, make([]byte, len(body)-finishBytes))
	a.Body.Close()
	close(gate)
	r.settle()
	if len(r.cfg.Cache.Get(mustURL(t, s.URL+"/p"))) != 1 {
		t.Error("it was not kept")
	}
}

func TestWorthFinishing(t *testing.T) {
	for _, c := range []struct {
		got, size int64
		want      bool
	}{{0, 100, true}, {0, 1 << 20, false}, {1<<20 - finishBytes, 1 << 20, true}, {95 << 20, 100 << 20, false}, {96 << 20, 100 << 20, true},
		{5, -1, false}, {0, 0, true}} {
		if got := worthFinishing(c.got, c.size); got != c.want {
			t.Errorf("worthFinishing(%d, %d) = %v", c.got, c.size, got)
		}
	}
}

func TestPausedReaderPausesTheOrigin(t *testing.T) {
	const size = 64 << 20
	sent := make(chan int, 1)
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		n, b := 0, make([]byte, 64<<10)
		for n < size {
			m, err := w.Write(b)
			n += m
			if err != nil {
				break
			}
		}
		sent <- n
	})
	r := newRig(t)
	a := r.open(s.URL + "/p")
	io.ReadFull(a.Body, make([]byte, 1000))
	r.waitFor(func() bool { used, _ := r.cfg.Store.Usage(); return used >= fillAhead })
	a.Body.Close()
	r.settle()
	if n := <-sent; n >= size/2 { // the rest is what sockets buffer
		t.Errorf("the origin sent %d bytes to a reader that took 1000", n)
	}
}

func TestMemoryStaysFlatForALargeBody(t *testing.T) {
	const size = 256 << 20
	block := pattern(1 << 20)
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		for range size / len(block) {
			w.Write(block)
		}
	})
	r := newRig(t, func(c *Config) { c.Store = memory.New(store.Options{Budget: 4 << 20}) })
	a := r.open(s.URL + "/big")
	defer a.Body.Close()
	base, most, total := inUse(), uint64(0), int64(0)
	for total < size {
		n, err := io.CopyN(io.Discard, a.Body, size/8)
		if total += n; err != nil {
			t.Fatal(total, err)
		}
		most = max(most, inUse())
	}
	if most > base+16<<20 {
		t.Errorf("the heap grew from %d to %d bytes", base, most)
	}
}

func (r *rig) open(url string, change ...func(*Request)) *Response {
	r.t.Helper()
	hr, err := http.NewRequest("GET", url, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	q := Request{HTTP: hr}
	for _, f := range change {
		f(&q)
	}
	resp, err := r.node.Do(r.t.Context(), q)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp
}

func (r *rig) waitFor(cond func() bool) {
	r.t.Helper()
	for !cond() {
		select {
		case <-r.t.Context().Done():
			r.t.Fatal("waited in vain")
		case <-time.After(time.Millisecond):
		}
	}
}

// TestTrailersOfAFollowedBody: readers who join while the body ends learn its trailers
// without looking at what the transport writes (the race detector watches).
func TestTrailersOfAFollowedBody(t *testing.T) {
	body := pattern(3000)
	begun, more := make(chan struct{}), make(chan struct{})
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "Checked")
		w.Header().Set("Content-Type", "text/plain")
		w.Write(body[:1000])
		w.(http.Flusher).Flush()
		begun <- struct{}{}
		<-more
		w.Write(body[1000:])
		w.Header().Set("Checked", "yes")
	})
	r := newRig(t)
	for round := range 20 {
		url := fmt.Sprintf("%s/%d", s.URL, round)
		var readers sync.WaitGroup
		read := func() {
			res, err := r.get(url)
			if err != nil || res.err != nil || !bytes.Equal(res.body, body) || res.Trailer.Get("Checked") != "yes" {
				t.Errorf("body of %d bytes, trailer %v, %v, %v", len(res.body), res.Trailer, err, res.err)
			}
		}
		readers.Go(read)
		<-begun
		done := make(chan struct{})
		for range 4 {
			readers.Go(read)
		}
		go func() { readers.Wait(); close(done) }()
		serve(begun, more, done)
	}
}

// serve lets every request of a round go on until its readers are done.
func serve(begun <-chan struct{}, more chan<- struct{}, done <-chan struct{}) {
	for {
		select {
		case more <- struct{}{}:
		case <-begun: // one that came too late to join
		case <-done:
			return
		}
	}
}
