package peer

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"nt/chunker"
	"nt/chunker/store"
	"nt/peer/trust"
	"nt/transport"
)

func TestAnswerFromACopy(t *testing.T) {
	const date, later = "Mon, 02 Jan 2006 15:04:05 GMT", "Tue, 03 Jan 2006 15:04:05 GMT"
	h := http.Header{"Etag": {`"v1"`}, "Last-Modified": {date}}
	weak := http.Header{"Etag": {`W/"v1"`}}
	for _, c := range []struct {
		name, f1, v1, f2, v2 string
		copied               http.Header
		want                 part
	}{
		{name: "plain", want: part{status: 200, length: 1000}},
		{name: "range", f1: "Range", v1: "bytes=0-99", want: part{206, 0, 100, "bytes 0-99/1000"}},
		{name: "open range", f1: "Range", v1: "bytes=900-", want: part{206, 900, 100, "bytes 900-999/1000"}},
		{name: "suffix", f1: "Range", v1: "bytes=-1", want: part{206, 999, 1, "bytes 999-999/1000"}},
		{name: "suffix over all", f1: "Range", v1: "bytes=-5000", want: part{206, 0, 1000, "bytes 0-999/1000"}},
		{name: "beyond", f1: "Range", v1: "bytes=1000-", want: part{status: 416, contentRange: "bytes */1000"}},
		{name: "end beyond", f1: "Range", v1: "bytes=10-99999999999999999999", want: part{206, 10, 990, "bytes 10-999/1000"}},
		{name: "no suffix", f1: "Range", v1: "bytes=-0", want: part{status: 416, contentRange: "bytes */1000"}},
		{name: "several", f1: "Range", v1: "bytes=0-1,5-6", want: part{status: 200, length: 1000}},
		{name: "backwards", f1: "Range", v1: "bytes=5-1", want: part{status: 200, length: 1000}},
		{name: "other unit", f1: "Range", v1: "lines=0-1", want: part{status: 200, length: 1000}},
		{name: "nonsense", f1: "Range", v1: "bytes=-", want: part{status: 200, length: 1000}},
		{name: "If-Range same", f1: "Range", v1: "bytes=1-1", f2: "If-Range", v2: `"v1"`, want: part{206, 1, 1, "bytes 1-1/1000"}},
		{name: "If-Range other", f1: "Range", v1: "bytes=1-1", f2: "If-Range", v2: `"v2"`, want: part{status: 200, length: 1000}},
		{name: "If-Range weak", f1: "Range", v1: "bytes=1-1", f2: "If-Range", v2: `W/"v1"`, copied: weak, want: part{status: 200, length: 1000}},
		{name: "If-Range date", f1: "Range", v1: "bytes=1-1", f2: "If-Range", v2: date, want: part{206, 1, 1, "bytes 1-1/1000"}},
		{name: "If-None-Match", f1: "If-None-Match", v1: `"x", W/"v1"`, want: part{status: 304}},
		{name: "If-None-Match any", f1: "If-None-Match", v1: "*", want: part{status: 304}},
		{name: "If-None-Match other", f1: "If-None-Match", v1: `"x"`, f2: "If-Modified-Since", v2: later, want: part{status: 200, length: 1000}},
		{name: "If-Modified-Since", f1: "If-Modified-Since", v1: date, want: part{status: 304}},
		{name: "If-Modified-Since earlier", f1: "If-Modified-Since", v1: "Sun, 01 Jan 2006 15:04:05 GMT", want: part{status: 200, length: 1000}},
		{name: "If-Match", f1: "If-Match", v1: `"v1"`, want: part{status: 200, length: 1000}},
		{name: "If-Match other", f1: "If-Match", v1: `"v2"`, want: part{status: 412}},
		{name: "If-Match weak", f1: "If-Match", v1: `W/"v1"`, copied: weak, want: part{status: 412}},
		{name: "If-Unmodified-Since", f1: "If-Unmodified-Since", v1: "Sun, 01 Jan 2006 15:04:05 GMT", want: part{status: 412}},
	} {
		req := http.Header{}
		if c.f1 != "" {
			req.Set(c.f1, c.v1)
		}
		if c.f2 != "" {
			req.Set(c.f2, c.v2)
		}
		if c.copied == nil {
			c.copied = h
		}
		if got := answer(req, c.copied, 1000); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func FuzzRange(f *testing.F) {
	for _, s := range []string{"bytes=0-", "bytes=-5", "bytes=1-2,3-4", "bytes=99999999999999999999-", "bytes 0-1/2"} {
		f.Add(s, int64(10))
	}
	f.Fuzz(func(t *testing.T, v string, size int64) {
		if size < 0 {
			return
		}
		if off, n, ok := parseRange(v, size); ok == rangeOK && (off < 0 || n <= 0 || off+n > size) {
			t.Fatalf("%q of %d: %d+%d", v, size, off, n)
		}
		if off, n, total, ok := parseContentRange(v); ok && (off < 0 || n <= 0 || off+n > total) {
			t.Fatalf("%q: %d+%d/%d", v, off, n, total)
		}
		etagListed(v, `"v"`, size%2 == 0)
		accepts(http.Header{"Accept-Encoding": {v}}, "gzip")
	})
}

func TestCopyAnswersRangeHeadAndConditions(t *testing.T) {
	body := pattern(300_000)
	for _, from := range []Source{SourceCache, SourcePeers} {
		t.Run(string(from), func(t *testing.T) {
			r := newRig(t)
			url := deadURL(t) + "/p"
			r.publish(url, body, http.Header{"Content-Type": {"text/plain"}, "Etag": {`"v1"`}}, testKey(9))
			if from == SourceCache {
				r.mustGet(url, body, SourcePeers)
				r.settle()
			}
			res := r.mustGet(url, nil, from, method("HEAD"))
			if res.ContentLength != int64(len(body)) || res.Header.Get("Content-Length") != "300000" {
				t.Errorf("HEAD: %d, %v", res.ContentLength, res.Header)
			}
			res = r.mustGet(url, nil, from, field("If-None-Match", `"v1"`))
			if res.Status != 304 || res.Header.Get("Etag") != `"v1"` {
				t.Errorf("conditional: %d %v", res.Status, res.Header)
			}
			if from == SourcePeers {
				r.settle()
				r.cfg.Cache.Remove(mustURL(t, url))
			}
			res = r.mustGet(url, body[250_000:250_010], from, field("Range", "bytes=250000-250009"))
			if res.Status != 206 || res.Header.Get("Content-Range") != "bytes 250000-250009/300000" || res.ContentLength != 10 {
				t.Errorf("range: %d %v", res.Status, res.Header)
			}
			if from == SourceCache {
				if res = r.mustGet(url, nil, from, field("Range", "bytes=300000-")); res.Status != 416 || res.Header.Get("Etag") != "" {
					t.Errorf("beyond: %d %v", res.Status, res.Header)
				}
			}
		})
	}
}

func zip(b []byte) []byte {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	w.Write(b)
	w.Close()
	return buf.Bytes()
}

func TestVariantsAreKeptApart(t *testing.T) {
	plain := bytes.Repeat([]byte("a page, a page. "), 5000)
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept-Encoding")
		w.Header().Set("Content-Type", "text/html")
		if accepts(r.Header, "gzip") {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(zip(plain))
			return
		}
		w.Write(plain)
	})
	gz, none := field("Accept-Encoding", "gzip, br"), field("Accept-Encoding", "identity")
	r := newRig(t)
	url := s.URL + "/p"
	if res := r.mustGet(url, zip(plain), SourceOrigin, gz); res.Header.Get("Content-Encoding") != "gzip" {
		t.Fatal("the body was decoded on its way")
	}
	r.settle()
	onlyGzip := r.cfg.Cache.Get(mustURL(t, url))
	s.Close()
	r.mustGet(url, zip(plain), SourceCache, gz)
	res := r.mustGet(url, plain, SourceCache, none) // decoded for a reader who cannot
	if res.Header.Get("Content-Encoding") != "" || res.Header.Get("Etag") != "" || res.ContentLength != -1 {
		t.Errorf("decoded copy: %v", res.Header)
	}
	if len(onlyGzip) != 1 || onlyGzip[0].Encoding() != "gzip" {
		t.Errorf("entries %v", onlyGzip)
	}
	r.publish(deadURL(t)+"/br", plain, http.Header{"Content-Encoding": {"br"}}, testKey(9))
	if _, err := r.get(deadURL(t)+"/br", none); !errors.Is(err, ErrNoSource) {
		t.Errorf("a brotli copy for a reader who takes none: %v", err)
	}
}

func TestRow41_DecompressionBomb(t *testing.T) {
	r := newRig(t)
	url := deadURL(t) + "/bomb"
	r.publish(url, zip(make([]byte, 60<<20)), http.Header{"Content-Encoding": {"gzip"}}, testKey(9))
	res, err := r.get(url)
	if err != nil {
		t.Fatal(err)
	}
	if !errors.Is(res.err, errBomb) || len(res.body) > 20<<20 {
		t.Errorf("%d bytes, %v", len(res.body), res.err)
	}
}

func TestPinnedContent(t *testing.T) {
	body := pattern(10_000)
	r := newRig(t)
	url := deadURL(t) + "/tool.exe"
	r.publish(url, pattern(9999), nil, testKey(9))
	r.publish(url, body, nil, testKey(5)) // nobody trusted
	obj, err := r.remote.OpenObject(r.statement(url, body, nil, testKey(5)).Object)
	if err != nil {
		t.Fatal(err)
	}
	h, _ := obj.Header()
	obj.Close()
	pin := func(q *Request) { q.Pin = &h.SHA256 }
	if res := r.mustGet(url, body, SourcePeers, pin); res.Provenance.Level != trust.Pinned {
		t.Errorf("level %s", res.Provenance.Level)
	}
	r.settle()
	if res := r.mustGet(url, body, SourceCache, pin); res.Provenance.Level != trust.Pinned {
		t.Errorf("level %s", res.Provenance.Level)
	}
	wrong := chunker.Hash{1}
	if _, err := r.get(url, func(q *Request) { q.Pin = &wrong }); !errors.Is(err, ErrNoSource) {
		t.Errorf("a wrong checksum: %v", err)
	}
}

func TestProgramsBelowNotaryNeedAChecksum(t *testing.T) {
	any := trust.Unverified
	r := newRig(t)
	for _, c := range []struct {
		path, contentType string
		risky             bool
	}{{"/a.html", "text/html", false}, {"/a.ZIP", "text/html", true}, {"/a", "application/x-msdownload", true}, {"/a.tar.gz", "", true}, {"/a.css", "text/css", false}} {
		url := deadURL(t) + c.path
		r.publish(url, []byte(url), http.Header{"Content-Type": {c.contentType}}, testKey(5))
		_, err := r.get(url, func(q *Request) { q.Trust = &any })
		var low *UntrustedError
		if refused := errors.As(err, &low) && low.Risky; refused != c.risky {
			t.Errorf("%s: %v", c.path, err)
		}
	}
}

func TestN11_TransportsInTurn(t *testing.T) {
	body := pattern(300_000)
	r := newRig(t)
	stuck := &fakeTransport{name: "other", from: r.remote, before: func(_ context.Context, i int, _ transport.Request) error {
		if i == 100 {
			return transport.ErrNoProgress
		}
		return nil
	}}
	r.node.Close()
	r.cfg.Transports = []transport.Transport{stuck, r.carrier}
	r.node = NewNode(r.cfg)
	t.Cleanup(func() { r.node.Close() })
	resumed := -1
	r.carrier.before = func(_ context.Context, i int, q transport.Request) error {
		if resumed < 0 {
			resumed = q.Sink.Have().Count()
		}
		return nil
	}
	url := deadURL(t) + "/p"
	r.publish(url, body, nil, testKey(9))
	r.mustGet(url, body, SourcePeers)
	if resumed != 100 {
		t.Errorf("the second transport began with %d chunks, want 100", resumed)
	}
}

func TestN12_FailedPeersAreReported(t *testing.T) {
	body := pattern(300_000)
	r := newRig(t)
	bad := transport.Peer{Ticket: "bad one"}
	r.carrier.before = func(_ context.Context, i int, q transport.Request) error {
		for range 3 {
			q.Observe(transport.Event{Kind: transport.EventBadPeer, Peer: bad, Err: chunker.ErrBadChunk})
		}
		return nil
	}
	url := deadURL(t) + "/p"
	st := r.publish(url, body, nil, testKey(9))
	res := r.mustGet(url, body, SourcePeers)
	f := <-r.locator.reports
	if f.Key != st.Key || f.Reason != FailureBad || f.Peer.Ticket != "bad one" || res.Provenance.Live.Snapshot().ProofsFailed == 0 {
		t.Errorf("report %+v", f)
	}
	r.node.Close()
	if len(r.locator.reports) != 0 {
		t.Error("the same peer was reported twice")
	}
}

func TestPeersThatDieInTheMiddle(t *testing.T) {
	body := pattern(300_000)
	r := newRig(t)
	r.carrier.before = func(_ context.Context, i int, q transport.Request) error {
		if i == 10 {
			return transport.ErrNoProgress
		}
		return nil
	}
	url := deadURL(t) + "/p"
	r.publish(url, body, nil, testKey(9))
	res, err := r.get(url)
	if err != nil || !errors.Is(res.err, io.ErrUnexpectedEOF) || !bytes.Equal(res.body, body[:len(res.body)]) || len(res.body) == 0 {
		t.Fatalf("%v, %d bytes, %v", err, len(res.body), res.err)
	}
	r.settle()
	if len(r.cfg.Cache.Get(mustURL(t, url))) != 0 {
		t.Error("half a copy was remembered")
	}
	r.carrier.before = nil
	r.mustGet(url, body, SourcePeers)
}

func TestReadersOfOneObjectShareOneFetch(t *testing.T) {
	body := pattern(300_000)
	r := newRig(t)
	gate, begun := make(chan struct{}), make(chan struct{})
	starts := 0
	r.carrier.before = func(_ context.Context, i int, q transport.Request) error {
		if i == 0 {
			starts++
		}
		if i == 5 {
			close(begun)
			<-gate
		}
		return nil
	}
	url := deadURL(t) + "/p"
	r.publish(url, body, nil, testKey(9))
	a := r.open(url)
	<-begun
	b := r.open(url)
	a.Body.Close() // must not end the fetch for the other
	close(gate)
	got, err := io.ReadAll(b.Body)
	b.Body.Close()
	if err != nil || !bytes.Equal(got, body) || starts != 1 {
		t.Fatalf("%d bytes, %v, %d fetches", len(got), err, starts)
	}
}

func TestFetchEndsWhenItsReaderLeaves(t *testing.T) {
	r := newRig(t)
	ended := make(chan error, 1)
	r.carrier.before = func(ctx context.Context, i int, q transport.Request) error {
		if i < 5 {
			return nil
		}
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return ctx.Err()
	}
	url := deadURL(t) + "/p"
	r.publish(url, pattern(300_000), nil, testKey(9))
	a := r.open(url)
	a.Body.Close()
	if err := <-ended; !errors.Is(err, errAbandoned) {
		t.Errorf("ended by %v", err)
	}
}

func TestMissingObjectIsAMiss(t *testing.T) {
	body := pattern(3000)
	r := newRig(t)
	url := deadURL(t) + "/p"
	st := r.publish(url, body, nil, testKey(9))
	r.mustGet(url, body, SourcePeers)
	r.settle()
	if err := r.cfg.Store.Remove(st.Object); err != nil {
		t.Fatal(err)
	}
	r.mustGet(url, body, SourcePeers)
}

// damagedStore drops a chunk of every object when it is first read.
type damagedStore struct{ store.Store }
type damagedObject struct {
	store.Object
	hurt bool
}

func (s damagedStore) OpenObject(id chunker.ObjectID) (store.Object, error) {
	o, err := s.Store.OpenObject(id)
	return &damagedObject{Object: o}, err
}

func (o *damagedObject) ReadChunk(i int, buf []byte) ([]byte, error) {
	if i == 20 && !o.hurt {
		o.hurt = true
		return nil, fmt.Errorf("chunk %d: %w", i, store.ErrCorrupt)
	}
	return o.Object.ReadChunk(i, buf)
}

func TestDamagedCopyIsRepairedFromPeers(t *testing.T) {
	body := pattern(100_000)
	r := newRig(t, func(c *Config) { c.Store = damagedStore{c.Store} })
	url := deadURL(t) + "/p"
	r.publish(url, body, nil, testKey(9))
	r.mustGet(url, body, SourcePeers)
	r.settle()
	r.mustGet(url, body, SourceCache)
	r.settle()
	res, err := r.get(url, func(q *Request) { q.NoPeers = true })
	if err != nil || !errors.Is(res.err, store.ErrCorrupt) || !bytes.Equal(res.body, body[:len(res.body)]) {
		t.Errorf("a damaged copy without peers: %v, %v", err, res.err)
	}
}
