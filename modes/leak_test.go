package modes

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"nt/chunker"
	"nt/chunker/store"
	"nt/chunker/store/memory"
	"nt/internal/resource"
	"nt/peer"
	"nt/peer/cache"
	"nt/peer/origin"
	"nt/plugins"
	"nt/plugins/trackerlocator"
	"nt/tracker/client"
	"nt/transport"
)

// exchange is one request of a reader and the origin's reply.
type exchange struct {
	why, method, url string
	req              http.Header
	status           int
	resp             http.Header
	body             []byte
}

// readExchanges reads a corpus in testdata/leak.
func readExchanges(t *testing.T, name string) []exchange {
	t.Helper()
	text, err := os.ReadFile("testdata/leak/" + name)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n\n")
	var out []exchange
	for block := range strings.SplitSeq(strings.TrimSpace(rest), "\n\n") {
		lines := strings.Split(block, "\n")
		e := exchange{why: strings.TrimPrefix(lines[0], "# "), req: http.Header{}, resp: http.Header{}}
		e.method, e.url, _ = strings.Cut(lines[1], " ")
		e.body = bytes.Repeat(fmt.Appendf(nil, "%s %d %s\n", name, len(out), e.url), 40)
		for _, line := range lines[2:] {
			k, v, field := strings.Cut(line, ":")
			switch {
			case !field:
				if e.status, err = strconv.Atoi(line); err != nil {
					t.Fatalf("%s: %q", name, line)
				}
			case e.status == 0:
				e.req.Add(k, strings.TrimSpace(v))
			default:
				e.resp.Add(k, strings.ReplaceAll(strings.TrimSpace(v), `\xfc`, "\xfc"))
			}
		}
		out = append(out, e)
	}
	return out
}

// object is the name that peers would ask for the reply's body by.
func (e exchange) object(t *testing.T) chunker.ObjectID {
	t.Helper()
	tree, err := chunker.Build(bytes.NewReader(e.body), int64(len(e.body)))
	if err != nil {
		t.Fatal(err)
	}
	return tree.Header().ID()
}

// leakOrigin is every origin of the corpora at once. It returns how to dial it.
func leakOrigin(t *testing.T, all []exchange) func(context.Context, string, string) (net.Conn, error) {
	t.Helper()
	known := map[string]exchange{}
	for _, e := range all {
		r, err := http.NewRequest(e.method, e.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		known[e.method+" "+r.URL.Host+r.URL.RequestURI()] = e
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e, ok := known[r.Method+" "+r.Host+r.URL.RequestURI()]
		if !ok {
			t.Errorf("the origin was asked for %s %s%s", r.Method, r.Host, r.URL.RequestURI())
		}
		for k, v := range e.resp {
			w.Header()[k] = v
		}
		w.WriteHeader(e.status)
		w.Write(e.body)
	}))
	t.Cleanup(s.Close)
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.Listener.Addr().String())
	}
}

// leakRig is a sharing node with the rules of the public network, its tracker, and
// where it serves peers.
type leakRig struct {
	node    *peer.Node
	tracker *client.Client
	addr    netip.AddrPort
}

func startLeakRig(t *testing.T, dial func(context.Context, string, string) (net.Conn, error)) *leakRig {
	t.Helper()
	key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	tr, err := startTracker(trackerOptions{listen: "127.0.0.1:0", key: key, allowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.close(context.Background()) })
	if key, err = newKey(); err != nil {
		t.Fatal(err)
	}
	held := memory.New(store.Options{})
	shelf := peer.NewShelf(held)
	mux := http.NewServeMux()
	serving := httptest.NewServer(mux)
	t.Cleanup(serving.Close)
	carrier, err := plugins.Transports().Open("http", transport.Env{Source: shelf, Mux: mux, Dial: new(net.Dialer).DialContext, AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { carrier.Close() })
	r := &leakRig{addr: netip.MustParseAddrPort(serving.Listener.Addr().String())}
	r.tracker, err = client.New(client.Config{Addr: tr.addr, Key: key, Port: r.addr.Port(), Transports: []string{"http"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.tracker.Close)
	locator, err := trackerlocator.New([]*client.Client{r.tracker}, 0)
	if err != nil {
		t.Fatal(err)
	}
	remembered, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	o := origin.New(origin.Config{DialContext: dial})
	r.node = peer.NewNode(peer.Config{
		Store: held, Cache: remembered, Origin: o, Locator: locator, Transports: []transport.Transport{carrier}, Identity: key,
		Sharing: peer.Sharing{Enabled: true, Deny: []string{"denied.com"}}, Shelf: shelf,
	})
	t.Cleanup(func() { r.node.Close(); o.Close() })
	return r
}

// read is a reader's whole request.
func (r *leakRig) read(t *testing.T, e exchange) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), e.method, e.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = e.req
	resp, err := r.node.Do(t.Context(), peer.Request{HTTP: req})
	if err != nil {
		t.Errorf("%s: %s: %v", e.why, e.url, err)
		return
	}
	defer resp.Body.Close()
	if resp.Status != e.status || resp.Provenance.Source != peer.SourceOrigin {
		t.Errorf("%s: %s: %d from %s", e.why, e.url, resp.Status, resp.Provenance.Source)
	}
	io.Copy(io.Discard, resp.Body)
}

// announced returns the URLs that the tracker knows a holder of.
func (r *leakRig) announced(t *testing.T, all []exchange) map[string]bool {
	t.Helper()
	var keys []resource.Key
	var urls []string
	for _, e := range all {
		if u, err := resource.ParseURL(e.url); err == nil {
			keys, urls = append(keys, u.Key()), append(urls, e.url)
		}
	}
	results, err := r.tracker.Lookup(t.Context(), keys, 1)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for i, res := range results {
		if len(res.Peers) > 0 || len(res.Statements) > 0 {
			out[urls[i]] = true
		}
	}
	return out
}

// served reports whether a stranger who knows the object's name gets it.
func (r *leakRig) served(t *testing.T, stranger transport.Transport, id chunker.ObjectID) bool {
	t.Helper()
	obj, err := memory.New(store.Options{}).Create(id)
	if err != nil {
		t.Fatal(err)
	}
	defer obj.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err = stranger.Fetch(ctx, transport.Request{Object: id, Sink: obj, Observe: func(transport.Event) {}, Peers: func(context.Context) ([]transport.Peer, error) {
		return []transport.Peer{{Addr: r.addr, Transports: []string{"http"}}}, nil
	}})
	return err == nil && obj.Complete()
}

// TestRow34_NothingPrivateLeaves drives two corpora through a sharing node: 222
// exchanges that are nobody else's business and 100 that anybody may have.
func TestRow34_NothingPrivateLeaves(t *testing.T) {
	private, public := readExchanges(t, "private.txt"), readExchanges(t, "public.txt")
	if len(private) < 200 || len(public) < 100 {
		t.Fatalf("%d private, %d public", len(private), len(public))
	}
	all := append(append([]exchange(nil), private...), public...)
	r := startLeakRig(t, leakOrigin(t, all))
	for _, e := range all { // the private ones first, so that they had time to leave
		r.read(t, e)
	}
	if err := r.node.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	var there map[string]bool
	for deadline := time.Now().Add(20 * time.Second); len(there) < len(public) && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		there = r.announced(t, public)
	}
	stranger, err := plugins.Transports().Open("http", transport.Env{Dial: new(net.Dialer).DialContext, AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	leaked := r.announced(t, private)
	var asking sync.WaitGroup
	for i, e := range all {
		asking.Go(func() {
			served := r.served(t, stranger, e.object(t))
			switch secret := i < len(private); {
			case secret && (served || leaked[e.url]):
				t.Errorf("%s: %s left: announced %v, served %v", e.why, e.url, leaked[e.url], served)
			case !secret && (!served || !there[e.url]):
				t.Errorf("%s: %s: announced %v, served %v", e.why, e.url, there[e.url], served)
			}
		})
	}
	asking.Wait()
	t.Logf("%d private exchanges: %d announced; %d public: %d announced", len(private), len(leaked), len(public), len(there))
}
