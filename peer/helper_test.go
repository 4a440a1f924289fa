package peer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nt/chunker"
	"nt/chunker/store"
	"nt/transport"
)

// sparse delivers the first chunk of every MetaChunk, with its proof, and then, when let go, what
// nobody else has brought.
type sparse struct {
	from store.Store
	rest chan struct{} // nil: never; closed: go on
	fail bool          // give up after the first two chunks instead
}

func (t *sparse) Name() string { return "fake" }
func (t *sparse) Close() error { return nil }

func (t *sparse) Fetch(ctx context.Context, req transport.Request) error {
	peers, _ := req.Peers(ctx)
	src, err := t.from.Open(req.Object)
	if err != nil || len(peers) == 0 {
		return transport.ErrNoProgress
	}
	defer src.Close()
	h, _ := src.Header()
	if err := req.Sink.Begin(h); err != nil {
		return err
	}
	give := func(i int) error {
		p, err := src.MetaProof(chunker.MetaOf(i))
		if err == nil {
			err = req.Sink.AddProof(chunker.MetaOf(i), p)
		}
		data, rerr := src.ReadChunk(i, nil)
		if err == nil && rerr == nil {
			err = req.Sink.Put(i, data)
			req.Observe(transport.Event{Kind: transport.EventChunk, Peer: peers[0], Bytes: len(data)})
		}
		return err
	}
	for m := range h.NumMetaChunks() {
		if t.fail && m == 2 {
			return transport.ErrNoProgress
		}
		if err := give(m * chunker.ChunksPerMeta); err != nil {
			return err
		}
	}
	select {
	case <-t.rest:
	case <-ctx.Done():
		return ctx.Err()
	}
	for i := range h.NumChunks() {
		if !req.Sink.Have().Contains(uint32(i)) {
			if err := give(i); err != nil {
				return err
			}
		}
	}
	return nil
}

// sick is an origin whose bodies do not come to their end, or not soon.
type sick struct {
	*site
	mu     sync.Mutex
	ranges []string // Range of every request
	now    int      // requests under way
	most   int
}

// newSick answers with answer, which gets the number of the request.
func newSick(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *sick {
	s := &sick{}
	s.site = newSite(t, func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		n := len(s.ranges)
		s.ranges = append(s.ranges, r.Header.Get("Range"))
		s.now++
		s.most = max(s.most, s.now)
		s.mu.Unlock()
		defer func() {
			s.mu.Lock()
			s.now--
			s.mu.Unlock()
		}()
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("ETag", `"v1"`)
		answer(n, w, r)
	})
	return s
}

func (s *sick) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ranges
}

// drip sends a body in pieces with pauses: what "trickles" means.
func drip(w http.ResponseWriter, r *http.Request, body []byte) {
	for len(body) > 0 && r.Context().Err() == nil {
		n := min(len(body), 4<<10)
		w.Write(body[:n])
		w.(http.Flusher).Flush()
		body = body[n:]
		time.Sleep(2 * time.Millisecond)
	}
}

func whole(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
}

// trickling makes whatever comes slower than memory a trickle.
func trickling(c *Config) { c.StallTimeout, c.SlowRate = 20*time.Millisecond, 1<<40 }

func bothBrought(t *testing.T, res result, body []byte) (origin, peers int64) {
	t.Helper()
	p := res.Provenance.Live.Snapshot()
	origin, peers = p.BytesBySource[SourceOrigin], p.BytesBySource[SourcePeers]
	if origin == 0 || peers == 0 || origin+peers != int64(len(body)) {
		t.Errorf("%d bytes from the origin and %d from peers, of %d", origin, peers, len(body))
	}
	return origin, peers
}

// TestTricklingOriginAndPeersFillOneObject: the peer has one chunk in sixteen to give, the origin
// trickles, and together they are done, with the one request that was there.
func TestTricklingOriginAndPeersFillOneObject(t *testing.T) {
	body := pattern(300_000)
	s := newSick(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		whole(w, body)
		drip(w, r, body)
	})
	r := newRig(t, trickling)
	r.node.cfg.Transports = []transport.Transport{&sparse{from: r.remote}}
	r.publish(s.URL+"/p", body, nil, testKey(9))
	res := r.mustGet(s.URL+"/p", body, SourceOrigin)
	_, peers := bothBrought(t, res, body)
	if peers > 19<<10 {
		t.Errorf("%d bytes from a peer that gives 19 chunks", peers)
	}
	if asked := s.asked(); len(asked) != 1 {
		t.Errorf("the sick origin was asked %d times: %q", len(asked), asked)
	}
	r.settle()
	if got := len(r.cfg.Cache.Get(mustURL(t, s.URL+"/p"))); got != 1 {
		t.Errorf("%d copies kept", got)
	}
}

// TestCutOriginIsAskedForRanges: one at a time, of this version, and only for what is missing.
func TestCutOriginIsAskedForRanges(t *testing.T) {
	body := pattern(300_000)
	s := newSick(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 0 {
			whole(w, body)
			w.Write(body[:100_000])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		if r.Header.Get("If-Range") != `"v1"` {
			t.Errorf("If-Range %q", r.Header.Get("If-Range"))
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	})
	r := newRig(t)
	r.node.cfg.Transports = []transport.Transport{&sparse{from: r.remote}}
	r.publish(s.URL+"/p", body, nil, testKey(9))
	res := r.mustGet(s.URL+"/p", body, SourceOrigin)
	_, peers := bothBrought(t, res, body)
	if peers > 19<<10 {
		t.Errorf("%d bytes from a peer that gives 19 chunks", peers)
	}
	asked := s.asked()
	if s.most != 1 || len(asked) < 2 || len(asked) > 30 {
		t.Errorf("%d requests at a time, %d in all: %q", s.most, len(asked), asked)
	}
	for _, rg := range asked[1:] {
		var from int
		if fmt.Sscanf(rg, "bytes=%d-", &from); from < 100_000>>10<<10 {
			t.Errorf("asked again for what had come: %q", rg)
		}
	}
}

// TestRangeThatDoesNotProveIsTheLast: the origin has another version under the old ETag.
func TestRangeThatDoesNotProveIsTheLast(t *testing.T) {
	body, other := pattern(300_000), pattern(300_001)[:300_000]
	asked := make(chan struct{}, 100)
	s := newSick(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 0 {
			whole(w, body)
			w.Write(body[:100_000])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(other))
		asked <- struct{}{}
	})
	r := newRig(t)
	peerSide := &sparse{from: r.remote, rest: make(chan struct{})}
	r.node.cfg.Transports = []transport.Transport{peerSide}
	r.publish(s.URL+"/p", body, nil, testKey(9))
	go func() {
		<-asked
		for !r.node.helpless() {
			time.Sleep(time.Millisecond) // there is no event to wait for
		}
		close(peerSide.rest)
	}()
	r.mustGet(s.URL+"/p", body, SourceOrigin)
	if got := s.asked(); len(got) != 2 {
		t.Errorf("%d requests, want the first and one range: %q", len(got), got)
	}
}

// helpless reports whether a fetch has given its origin up.
func (n *Node) helpless() bool {
	n.fetches.mu.Lock()
	defer n.fetches.mu.Unlock()
	for _, f := range n.fetches.m {
		f.mu.Lock()
		given := f.noHelp
		f.mu.Unlock()
		if given {
			return true
		}
	}
	return false
}

// TestRetryAfterIsHonoured: an origin that is overloaded says when, and helps then.
func TestRetryAfterIsHonoured(t *testing.T) {
	body := pattern(300_000)
	var early atomic.Bool
	var refused time.Time
	s := newSick(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 0 {
			refused = time.Now()
			w.Header().Set("Retry-After", "2")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		early.Store(time.Since(refused) < 1900*time.Millisecond) // what the origin asked for
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	})
	r := newRig(t)
	r.node.cfg.Transports = []transport.Transport{&sparse{from: r.remote}}
	r.publish(s.URL+"/p", body, http.Header{"Content-Type": {"text/plain"}, "Etag": {`"v1"`}}, testKey(9))
	res := r.mustGet(s.URL+"/p", body, SourcePeers)
	bothBrought(t, res, body)
	if early.Load() {
		t.Error("the origin was asked before its time")
	}
}

// TestPeersFailAndTheOriginGoesOn: a body that trickles is better than none.
func TestPeersFailAndTheOriginGoesOn(t *testing.T) {
	body := pattern(300_000)
	s := newSick(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		whole(w, body)
		drip(w, r, body)
	})
	r := newRig(t, trickling)
	r.node.cfg.Transports = []transport.Transport{&sparse{from: r.remote, fail: true}}
	r.publish(s.URL+"/p", body, nil, testKey(9))
	res := r.mustGet(s.URL+"/p", body, SourceOrigin)
	if p := res.Provenance.Live.Snapshot(); p.BytesBySource[SourceOrigin] < int64(len(body))*9/10 {
		t.Errorf("progress %+v", p)
	}
	if asked := s.asked(); len(asked) != 1 {
		t.Errorf("%d requests", len(asked))
	}
}

// TestLateAnswerHelps: the origin has not begun when a copy is found, and answers then.
func TestLateAnswerHelps(t *testing.T) {
	body := pattern(300_000)
	go1 := make(chan struct{})
	s := newSick(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		<-go1
		whole(w, body)
		drip(w, r, body)
	})
	r := newRig(t, func(c *Config) { c.Patience = 20 * time.Millisecond })
	r.node.cfg.Transports = []transport.Transport{&sparse{from: r.remote}}
	r.publish(s.URL+"/p", body, nil, testKey(9))
	hr, _ := http.NewRequest("GET", s.URL+"/p", nil)
	resp, err := r.node.Do(t.Context(), Request{HTTP: hr})
	if err != nil || resp.Provenance.Source != SourcePeers {
		t.Fatal(resp, err)
	}
	defer resp.Body.Close()
	close(go1)
	got, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Equal(got, body) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	bothBrought(t, result{Response: resp}, body)
	if asked := strings.Join(s.asked(), " "); asked != "" {
		t.Errorf("asked for ranges, too: %s", asked)
	}
}
