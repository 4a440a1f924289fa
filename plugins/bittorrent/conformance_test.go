package bittorrent_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"nt/chunker"
	"nt/chunker/nois"
	"nt/internal/sniff"
	"nt/plugins/bittorrent"
	"nt/transport"
	"nt/transport/transporttest"
)

const partial = "a piece is BitTorrent's unit and the info dictionary needs all of them: who holds scattered chunks only has nothing to offer"

func TestConformance(t *testing.T) {
	transporttest.Run(t, transporttest.Harness{
		Start: start,
		Warm:  func(t testing.TB, holder transporttest.Node, id chunker.ObjectID) { getHint(t, holder.Peer.Addr, id) },
		Skip:  map[string]string{"DisjointParts": partial, "PartOnly": partial},
	})
}

// quick shortens what the suite waits for, and leaves room for a busy machine.
func quick(v any) error {
	o := v.(*bittorrent.Options)
	o.HintWait = 5 * time.Second
	o.FirstByteTimeout = 10 * time.Second
	o.HandshakeTimeout = 5 * time.Second
	o.StallTimeout = 2 * time.Second
	o.MinRate = 0
	o.PeersInterval = 300 * time.Millisecond
	o.RetryWait = 5 * time.Millisecond
	o.NoProgressTimeout = 20 * time.Second
	return nil
}

func start(t testing.TB, sources ...transport.Source) []transporttest.Node {
	nodes := make([]transporttest.Node, len(sources))
	for i, src := range sources {
		nodes[i] = startNode(t, src, quick)
	}
	return nodes
}

// startNode starts a node as modes does: HTTP and BitTorrent on one port.
func startNode(t testing.TB, src transport.Source, options func(any) error) transporttest.Node {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := &tracked{Listener: l}
	split := sniff.New(port, sniff.Options{Wait: 2 * time.Second, Pending: 64})
	mux := http.NewServeMux()
	tr := open(t, transport.Env{Mux: mux, Streams: split.Prefix, Source: consequent(src), Options: options})
	srv := &http.Server{Handler: mux}
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Serve(split.Rest())
	}()
	kill := sync.OnceFunc(func() {
		port.cut()
		srv.Close()
	})
	t.Cleanup(func() {
		kill()
		<-done
	})
	return transporttest.Node{
		Transport: tr,
		Peer:      transport.Peer{Addr: netip.MustParseAddrPort(l.Addr().String()), Transports: []string{bittorrent.Name}},
		Kill:      kill,
	}
}

func open(t testing.TB, env transport.Env) transport.Transport {
	env.Dial = new(net.Dialer).DialContext
	tr, err := bittorrent.Open(env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	return tr
}

// tracked is a listener whose connections can all be cut at once.
type tracked struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func (l *tracked) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.conns = append(l.conns, c)
	}
	return c, err
}

func (l *tracked) cut() {
	l.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		c.Close()
	}
}

// consequent makes liars of the suite who lie about an object's size stand to it:
// they claim the chunks that such an object would have. Without, there would be
// nothing they could offer by BitTorrent.
func consequent(src transport.Source) transport.Source {
	objects, ok := src.(transporttest.Source)
	if !ok {
		return src
	}
	for id, obj := range objects {
		if o, ok := obj.(*transporttest.Object); ok && o.SpoilHeader != nil {
			objects[id] = liar{o}
		}
	}
	return objects
}

type liar struct{ *transporttest.Object }

func (l liar) Have() *nois.Set {
	h, _ := l.Header()
	return nois.Of(nois.Interval{End: uint32(h.NumChunks())})
}

func (l liar) ReadChunk(i int, buf []byte) ([]byte, error) {
	if b, err := l.Object.ReadChunk(i, buf); err == nil {
		return b, nil
	}
	h, _ := l.Header()
	return make([]byte, h.ChunkLen(i)), nil
}

// MetaProof has the shape that the lie asks for: a server that found none would cut
// the connection before its lie was read.
func (l liar) MetaProof(m int) (chunker.MetaProof, error) {
	h, _ := l.Header()
	p, err := l.Object.MetaProof(m)
	if err != nil {
		p = chunker.MetaProof{}
	}
	for len(p.Leaves) < h.MetaLeaves(m) {
		p.Leaves = append(p.Leaves, chunker.Hash{1})
	}
	for len(p.Path) < h.MetaPathLen(m) {
		p.Path = append(p.Path, chunker.Hash{1})
	}
	return p, nil
}

// getHint asks a holder for the hint of an object until it is there, and returns
// the body: the header and the pieces' hashes.
func getHint(t testing.TB, addr netip.AddrPort, id chunker.ObjectID) []byte {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for range 100 {
		resp, err := client.Get(fmt.Sprintf("http://%s/nt/v1/hints/bittorrent/%s", addr, id))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode == http.StatusOK {
			return body
		}
		if resp.StatusCode != http.StatusServiceUnavailable {
			t.Fatalf("the hint: %s: %s", resp.Status, body)
		}
	}
	t.Fatal("the hint never comes")
	return nil
}
