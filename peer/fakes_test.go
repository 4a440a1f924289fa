package peer

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"nt/chunker"
	"nt/chunker/store"
	"nt/chunker/store/memory"
	"nt/internal/resource"
	"nt/peer/cache"
	"nt/peer/origin"
	"nt/peer/trust"
	"nt/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testKey returns the n-th key pair, always the same.
func testKey(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func witnessOf(k ed25519.PrivateKey) (w resource.WitnessKey) {
	copy(w[:], k.Public().(ed25519.PublicKey))
	return w
}

const notaryName = "tracker.test:7070"

var errUnreachable = errors.New("connection refused by the test")

// fakeLocator answers from a map and records what it is told.
type fakeLocator struct {
	mu        sync.Mutex
	found     map[resource.Key]Found
	lookups   int
	announced chan []Announcement
	reports   chan Failure
	left      int
	err       error
	ttl       time.Duration
	refuse    map[int]string
}

func newFakeLocator() *fakeLocator {
	return &fakeLocator{found: map[resource.Key]Found{}, announced: make(chan []Announcement, 100), reports: make(chan Failure, 100), ttl: time.Hour}
}

func (l *fakeLocator) Lookup(ctx context.Context, k resource.Key) (Found, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lookups++
	return l.found[k], l.err
}

func (l *fakeLocator) Announce(ctx context.Context, items []Announcement) (Announced, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.announced <- items
	return Announced{TTL: l.ttl, Refused: l.refuse}, l.err
}

func (l *fakeLocator) Report(ctx context.Context, f Failure) error {
	l.reports <- f
	return nil
}

func (l *fakeLocator) Leave(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left++
	return nil
}

func (l *fakeLocator) asked() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lookups
}

// fakeTransport delivers from a store, one chunk after another, as its hooks tell.
type fakeTransport struct {
	name string
	from store.Store
	// before runs ahead of chunk i; an error ends the Fetch with it.
	before func(ctx context.Context, i int, req transport.Request) error
}

func (t *fakeTransport) Name() string { return t.name }
func (t *fakeTransport) Close() error { return nil }

func (t *fakeTransport) Fetch(ctx context.Context, req transport.Request) error {
	peers, _ := req.Peers(ctx)
	if len(peers) == 0 {
		return transport.ErrNoProgress
	}
	src, err := t.from.Open(req.Object)
	if err != nil {
		req.Observe(transport.Event{Kind: transport.EventDeadPeer, Peer: peers[0], Err: err})
		return transport.ErrNoProgress
	}
	defer src.Close()
	h, _ := src.Header()
	if err := req.Sink.Begin(h); err != nil {
		return err
	}
	have := req.Sink.Have()
	var buf []byte
	for i := range h.NumChunks() {
		if t.before != nil {
			if err := t.before(ctx, i, req); err != nil {
				return err
			}
		}
		if have.Contains(uint32(i)) {
			continue
		}
		if m := chunker.MetaOf(i); !req.Sink.HasProof(m) {
			p, err := src.MetaProof(m)
			if err != nil {
				return err
			}
			if err := req.Sink.AddProof(m, p); err != nil {
				return err
			}
			req.Observe(transport.Event{Kind: transport.EventOverhead, Peer: peers[0], Bytes: h.MetaProofSize(m)})
		}
		if buf, err = src.ReadChunk(i, buf[:0]); err != nil {
			return err
		}
		if err := req.Sink.Put(i, buf); err != nil {
			return err
		}
		req.Observe(transport.Event{Kind: transport.EventChunk, Peer: peers[0], Bytes: len(buf)})
	}
	return nil
}

// rig is a node with everything around it faked but the origin.
type rig struct {
	t       *testing.T
	node    *Node
	cfg     Config
	locator *fakeLocator
	remote  store.Store // what peers hold
	carrier *fakeTransport
}

// newRig returns a node that is patient, so that a slow machine changes no outcome.
func newRig(t *testing.T, change ...func(*Config)) *rig {
	t.Helper()
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, locator: newFakeLocator(), remote: memory.New(store.Options{})}
	r.carrier = &fakeTransport{name: "fake", from: r.remote}
	client := origin.New(origin.Config{})
	r.cfg = Config{
		Store: memory.New(store.Options{}), Cache: c, Origin: client, Locator: r.locator,
		Transports: []transport.Transport{r.carrier},
		Trust:      trust.Policy{Notaries: map[resource.WitnessKey]string{witnessOf(testKey(9)): notaryName}},
		Identity:   testKey(1), Sharing: Sharing{Enabled: true, AllowPrivate: true},
		Patience: time.Minute, StallTimeout: time.Minute,
	}
	for _, f := range change {
		f(&r.cfg)
	}
	r.node = NewNode(r.cfg)
	t.Cleanup(func() { r.node.Close(); client.Close() })
	return r
}

// publish puts a copy among the peers, seen by the witness with that key.
func (r *rig) publish(url string, body []byte, h http.Header, key ed25519.PrivateKey) resource.Statement {
	r.t.Helper()
	s := r.statement(url, body, h, key)
	f := r.locator.found[s.Key]
	f.Evidence = append(f.Evidence, trust.Evidence{Statement: s, LoggedAt: time.Now(), Group: "g", Locator: notaryName})
	f.Holders = append(f.Holders, Holder{Object: s.Object, Peer: transport.Peer{
		Addr: netip.MustParseAddrPort("192.0.2.1:7000"), Transports: []string{"fake", "other"}, Ticket: "ticket"}})
	r.locator.mu.Lock()
	defer r.locator.mu.Unlock()
	r.locator.found[s.Key] = f
	return s
}

func (r *rig) statement(url string, body []byte, h http.Header, key ed25519.PrivateKey) resource.Statement {
	r.t.Helper()
	u, err := resource.ParseURL(url)
	if err != nil {
		r.t.Fatal(err)
	}
	spool, err := r.remote.Spool(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	spool.Write(body)
	head, err := spool.Commit(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	if h == nil {
		h = http.Header{"Content-Type": {"text/plain"}}
	}
	return resource.Statement{Key: u.Key(), Object: head.ID(), Size: head.Size, Status: 200, Header: h,
		ObservedAt: time.Now().Add(-time.Hour).Unix()}.Sign(key)
}

// result is a response read to its end.
type result struct {
	*Response
	body []byte
	err  error // of reading the body
}

func (r *rig) get(url string, change ...func(*Request)) (result, error) {
	r.t.Helper()
	hr, err := http.NewRequest("GET", url, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req := Request{HTTP: hr}
	for _, f := range change {
		f(&req)
	}
	resp, err := r.node.Do(r.t.Context(), req)
	if err != nil {
		return result{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return result{resp, body, err}, nil
}

// mustGet expects a whole body from the given source.
func (r *rig) mustGet(url string, want []byte, source Source, change ...func(*Request)) result {
	r.t.Helper()
	res, err := r.get(url, change...)
	if err != nil {
		r.t.Fatalf("GET %s: %v", url, err)
	}
	if res.err != nil || !bytes.Equal(res.body, want) {
		r.t.Fatalf("GET %s: body of %d bytes (want %d), %v", url, len(res.body), len(want), res.err)
	}
	if res.Provenance.Source != source {
		r.t.Fatalf("GET %s: came from %s, want %s", url, res.Provenance.Source, source)
	}
	return res
}

func (r *rig) settle() {
	r.t.Helper()
	if err := r.node.Settle(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func field(name, value string) func(*Request) {
	return func(r *Request) { r.HTTP.Header.Set(name, value) }
}

func method(m string) func(*Request) { return func(r *Request) { r.HTTP.Method = m } }

// site is an origin that can be killed.
type site struct {
	*httptest.Server
	mu   sync.Mutex
	hits int
}

func newSite(t *testing.T, h http.HandlerFunc) *site {
	s := &site{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.hits++
		s.mu.Unlock()
		h(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *site) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hits
}

// deadURL is an address at which nothing listens.
func deadURL(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// pattern returns n bytes that repeat nowhere soon.
func pattern(n int) []byte {
	b := make([]byte, n)
	x := uint32(n)*2654435761 + 1
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

func sendText(body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("ETag", `"v1"`)
		w.Write(body)
	}
}

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// inUse returns the bytes that are really in use.
func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// hasty makes a node look for a copy almost at once.
func hasty(c *Config) { c.Patience, c.StallTimeout = 30*time.Millisecond, 30*time.Millisecond }

// soonStalled makes only pauses in a body count.
func soonStalled(c *Config) { c.StallTimeout = 30 * time.Millisecond }

func contextWithCause(t *testing.T) (context.Context, context.CancelCauseFunc) {
	return context.WithCancelCause(t.Context())
}

func contextWithTimeout(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}

func failingDial(err error) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) { return nil, err }
}
