package trackerlocator

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"nt/chunker"
	"nt/internal/resource"
	"nt/internal/testenv"
	"nt/peer"
	"nt/tracker"
	"nt/tracker/client"
	"nt/tracker/memory"
	"nt/transport"
)

var _ peer.Locator = (*Locator)(nil)

// fakeNotary remembers the URLs it is told.
type fakeNotary struct {
	mu   sync.Mutex
	urls []string
}

func (n *fakeNotary) Key() resource.WitnessKey { return resource.WitnessKey{1} }
func (n *fakeNotary) Offer(_ time.Time, u resource.URL, _ resource.Statement) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.urls = append(n.urls, u.String())
}
func (n *fakeNotary) Counters() map[string]int64 { return nil }

// startTracker returns a tracker's address and every body it was sent.
func startTracker(t *testing.T, notary tracker.Notary) (addr string, bodies *bytes.Buffer) {
	t.Helper()
	return startTrackerWith(t, tracker.Config{Notary: notary})
}

func startTrackerWith(t *testing.T, cfg tracker.Config) (addr string, bodies *bytes.Buffer) {
	t.Helper()
	cfg.Store, cfg.AllowPrivate = memory.New(memory.Config{}), true
	tr, err := tracker.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	api := tracker.NewAPI(tr, tracker.APIConfig{})
	bodies = new(bytes.Buffer)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b bytes.Buffer
		b.ReadFrom(r.Body)
		bodies.Write(b.Bytes())
		r.Body = http.MaxBytesReader(w, struct {
			*bytes.Reader
			closer
		}{bytes.NewReader(b.Bytes()), closer{}}, 1<<30)
		api.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String(), bodies
}

type closer struct{}

func (closer) Close() error { return nil }

func newLocator(t *testing.T, key ed25519.PrivateKey, port uint16, addrs ...string) *Locator {
	t.Helper()
	var clients []*client.Client
	for _, a := range addrs {
		c, err := client.New(client.Config{Addr: a, Key: key, Port: port, Transports: []string{"http"}, Tries: 1, Timeout: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
	}
	l, err := New(clients, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func announcement(t *testing.T, key ed25519.PrivateKey, raw string) peer.Announcement {
	t.Helper()
	u, err := resource.ParseURL(raw)
	if err != nil {
		t.Fatal(err)
	}
	st := resource.Statement{Key: u.Key(), Status: 200, Size: 5, ObservedAt: time.Now().Unix(), Header: http.Header{"Content-Type": {"text/plain"}}}
	st.Object[0] = 9
	return peer.Announcement{Statement: st.Sign(key), URL: u.String()}
}

func TestN9_N10_SeveralTrackersAreMerged(t *testing.T) {
	a, _ := startTracker(t, nil)
	b, _ := startTracker(t, nil)
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	server := newLocator(t, key, 7070, a, b, testenv.ClosedAddr(t))
	ctx := context.Background()
	item := announcement(t, key, "http://example.org/page")
	got, err := server.Announce(ctx, []peer.Announcement{item})
	if err != nil || got.TTL <= 0 || len(got.Refused) != 0 {
		t.Fatalf("announced %+v, %v", got, err)
	}
	reader := newLocator(t, nil, 0, a, testenv.ClosedAddr(t), b)
	found, err := reader.Lookup(ctx, item.Statement.Key)
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Holders) != 1 || found.Holders[0].Addr != netip.MustParseAddrPort("127.0.0.1:7070") ||
		found.Holders[0].ID != transport.PeerID(key.Public().(ed25519.PublicKey)) || found.Holders[0].Object != item.Statement.Object {
		t.Errorf("holders: %+v", found.Holders)
	}
	locators := []string{}
	for _, e := range found.Evidence {
		locators = append(locators, e.Locator)
	}
	slices.Sort(locators)
	if want := []string{min(a, b), max(a, b)}; !slices.Equal(locators, want) {
		t.Errorf("evidence from %v, want %v", locators, want)
	}
	if err := reader.Report(ctx, peer.Failure{Peer: found.Holders[0].Peer, Reason: peer.FailureDead}); err != nil {
		t.Errorf("N12: %v", err)
	}
	if err := server.Leave(ctx); err == nil {
		t.Error("a tracker that could not be told is not mentioned")
	}
	if found, err = reader.Lookup(ctx, item.Statement.Key); err != nil || len(found.Holders) != 0 {
		t.Errorf("after leaving: %+v, %v", found.Holders, err)
	}
	if found.FirstOutage.IsZero() {
		t.Error("the second lookup knows no first outage")
	}
}

// fetching is a rendezvous at which the peer of a key, with a session from addr, is after everything.
type fetching struct {
	key  ed25519.PrivateKey
	addr netip.AddrPort
}

func (f fetching) id() transport.PeerID { return transport.PeerID(f.key.Public().(ed25519.PublicKey)) }

func (fetching) Key() transport.PeerID { return transport.PeerID{1} }
func (f fetching) Endpoint(id transport.PeerID) (netip.AddrPort, bool) {
	return f.addr, id == f.id()
}
func (f fetching) After(chunker.ObjectID, int, netip.AddrPort, *rand.Rand) []transport.PeerID {
	return []transport.PeerID{f.id()}
}

// TestWhoIsFetchingIsToldFromHolders: a peer that one tracker calls a holder and another fetching is a holder, whichever is asked first.
func TestWhoIsFetchingIsToldFromHolders(t *testing.T) {
	reader := fetching{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32)), netip.MustParseAddrPort("127.0.0.1:7070")}
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, 32))
	a, _ := startTracker(t, nil)
	b, _ := startTrackerWith(t, tracker.Config{Rendezvous: reader})
	ctx := context.Background()
	item := announcement(t, other, "http://example.org/page")
	reads := func(trackers ...string) map[transport.PeerID]bool {
		t.Helper()
		found, err := newLocator(t, nil, 0, trackers...).Lookup(ctx, item.Statement.Key)
		if err != nil {
			t.Fatal(err)
		}
		reading := map[transport.PeerID]bool{}
		for _, h := range found.Holders {
			if _, twice := reading[h.ID]; twice {
				t.Errorf("%v is named twice: %+v", h.ID, found.Holders)
			}
			reading[h.ID] = h.Reading
			if !h.Reading && !h.Speaks("http") {
				t.Errorf("a holder speaks %v, and announced http as well", h.Transports)
			}
		}
		return reading
	}
	if _, err := newLocator(t, other, 7071, a, b).Announce(ctx, []peer.Announcement{item}); err != nil {
		t.Fatal(err)
	}
	holder := transport.PeerID(other.Public().(ed25519.PublicKey))
	for _, trackers := range [][]string{{a, b}, {b, a}} {
		if got := reads(trackers...); len(got) != 2 || got[holder] || !got[reader.id()] {
			t.Errorf("who reads: %v, want %v of two", got, reader.id())
		}
	}
	if _, err := newLocator(t, reader.key, 7070, a).Announce(ctx, []peer.Announcement{announcement(t, reader.key, "http://example.org/page")}); err != nil {
		t.Fatal(err)
	}
	for i := range 32 { // who is named first is left to chance
		trackers := [][]string{{a, b}, {b, a}}[i%2]
		if got := reads(trackers...); len(got) != 2 || got[holder] || got[reader.id()] {
			t.Errorf("who reads: %v, want nobody of two", got)
		}
	}
}

func TestLookupFailsOnlyIfNoTrackerCouldBeAsked(t *testing.T) {
	l := newLocator(t, nil, 0, testenv.ClosedAddr(t), testenv.ClosedAddr(t))
	if _, err := l.Lookup(context.Background(), resource.Key{}); err == nil {
		t.Error("two dead trackers answered")
	}
	if _, err := New(nil, 0); err == nil {
		t.Error("a locator without trackers")
	}
}

func TestRow38_OnlyNotariesHearURLs(t *testing.T) {
	n := &fakeNotary{}
	notary, told := startTracker(t, n)
	plain, kept := startTracker(t, nil)
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, 32))
	l := newLocator(t, key, 7070, notary, plain)
	const secret = "http://example.org/a-guessable-secret"
	if _, err := l.Announce(context.Background(), []peer.Announcement{announcement(t, key, secret)}); err != nil {
		t.Fatal(err)
	}
	if len(n.urls) != 1 || n.urls[0] != secret || !bytes.Contains(told.Bytes(), []byte("guessable")) {
		t.Errorf("the notary was told %q", n.urls)
	}
	if kept.Len() == 0 || bytes.Contains(kept.Bytes(), []byte("guessable")) {
		t.Error("a tracker that is no notary was told the URL")
	}
}
