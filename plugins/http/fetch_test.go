package http_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	nethttp "net/http"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"nt/plugins/http"
	"nt/transport"
	"nt/transport/transporttest"
)

// TestN11_NextPeerGoesOn: where one peer breaks off the next one goes on, and the
// content arrives from its start to its end.
func TestN11_NextPeerGoesOn(t *testing.T) {
	c, err := transporttest.NewContent(1, 300<<10)
	if err != nil {
		t.Fatal(err)
	}
	dying := transporttest.NewObject(c, nil)
	kill := make(chan func(), 1)
	dying.OnRead = func(i int) {
		if i == 200 {
			(<-kill)()
		}
	}
	first := startNode(t, transporttest.Source{c.ID(): dying}, quick)
	kill <- first.Kill
	second := startNode(t, transporttest.Holding(c), quick)
	reader := open(t, transport.Env{Options: quick})

	var log transporttest.Log
	sink := transporttest.NewSink(c.ID())
	req := request(sink, c, &log, first.Peer, second.Peer)
	byAddr := make(map[string]int)
	req.Observe = func(e transport.Event) {
		log.Observe(e)
		if e.Kind == transport.EventChunk {
			byAddr[e.Peer.Addr.String()] += e.Bytes
		}
	}
	if err := reader.Fetch(t.Context(), req); err != nil {
		t.Fatalf("Fetch: %v", err)
	}
	if order := sink.Order(); !slices.IsSorted(order) || len(order) != 300 {
		t.Errorf("%d chunks came, in order is %v", len(order), slices.IsSorted(order))
	}
	a, b := byAddr[first.Peer.Addr.String()], byAddr[second.Peer.Addr.String()]
	if a == 0 || a > 200<<10 || b == 0 || a+b != 300<<10 {
		t.Errorf("the first peer delivered %d bytes, the second %d; it died after 200 KiB of 300", a, b)
	}
	if n := log.Failures(transport.EventDeadPeer, first.Peer.Addr); n != 1 {
		t.Errorf("the first peer was named dead %d times, want once", n)
	}
}

// TestSilentPeersAreAskedOnce: peers that take a connection and say nothing cost their patience
// once, and no list of them is waited for again; when something came meanwhile they get another chance.
func TestSilentPeersAreAskedOnce(t *testing.T) {
	c, err := transporttest.NewContent(1, 20<<10)
	if err != nil {
		t.Fatal(err)
	}
	var silent []transport.Peer
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		silent = append(silent, transport.Peer{Addr: netip.MustParseAddrPort(l.Addr().String())})
	}
	reader := open(t, transport.Env{Options: func(v any) error {
		o := v.(*http.Options)
		o.FirstByteTimeout, o.RetryWait, o.MaxRounds = 100*time.Millisecond, time.Millisecond, 20
		return nil
	}})
	var log transporttest.Log
	lists := 0
	req := request(transporttest.NewSink(c.ID()), c, &log)
	req.Peers = func(context.Context) ([]transport.Peer, error) {
		lists++
		return silent, nil
	}
	if err := reader.Fetch(t.Context(), req); !errors.Is(err, transport.ErrNoProgress) {
		t.Errorf("Fetch: %v", err)
	}
	for _, p := range silent {
		if n := log.Failures(transport.EventDeadPeer, p.Addr); n != 1 {
			t.Errorf("%v was waited for %d times", p.Addr, n)
		}
	}
	if lists != 2 {
		t.Errorf("%d lists were asked for, want 2", lists)
	}
	good := startNode(t, transporttest.Holding(c), quick)
	lists = 0
	req.Peers = func(context.Context) ([]transport.Peer, error) {
		if lists++; lists == 1 {
			return silent, nil
		}
		return append(slices.Clone(silent), good.Peer), nil
	}
	if err := reader.Fetch(t.Context(), req); err != nil {
		t.Errorf("with somebody who answers in the second list: %v", err)
	}
}

// TestN11_OneAfterAnother: while a peer delivers, the next one is not asked.
func TestN11_OneAfterAnother(t *testing.T) {
	c, err := transporttest.NewContent(1, 100<<10)
	if err != nil {
		t.Fatal(err)
	}
	node := startNode(t, transporttest.Holding(c), quick)
	never := startRaw(t, func(io.Writer, *nethttp.Request) {})
	reader := open(t, transport.Env{Options: quick})
	var log transporttest.Log
	if err := reader.Fetch(t.Context(), request(transporttest.NewSink(c.ID()), c, &log, node.Peer, never.peer)); err != nil {
		t.Fatalf("Fetch: %v", err)
	}
	if n := never.asked.Load(); n != 0 {
		t.Errorf("the second peer was asked %d times", n)
	}
}

// TestN11_Crumbs: a peer that breaks off after each chunk is asked on, as long as
// every list brings something.
func TestN11_Crumbs(t *testing.T) {
	c, err := transporttest.NewContent(1, 20<<10)
	if err != nil {
		t.Fatal(err)
	}
	peer := startRaw(t, func(w io.Writer, r *nethttp.Request) {
		var first int
		fmt.Sscanf(r.URL.Query().Get("chunks"), "%d-", &first)
		fmt.Fprintf(w, okLine+"NT-Chunks: %d-19\r\n\r\n%s", first, honest(t, c, first, first+1))
	})
	reader := open(t, transport.Env{Options: quick})
	var log transporttest.Log
	sink := transporttest.NewSink(c.ID())
	if err := reader.Fetch(t.Context(), request(sink, c, &log, peer.peer)); err != nil {
		t.Fatalf("Fetch: %v", err)
	}
	if err := sink.Check(c); err != nil || peer.asked.Load() != 20 {
		t.Errorf("asked %d times for 20 chunks; the sink: %v", peer.asked.Load(), err)
	}
}

// TestRequest_TellsNothing: a peer learns what is asked for, and nothing of the reader.
func TestRequest_TellsNothing(t *testing.T) {
	c, err := transporttest.NewContent(1, 20<<10)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan *nethttp.Request, 1)
	peer := startRaw(t, func(w io.Writer, r *nethttp.Request) {
		got <- r
		fmt.Fprintf(w, okLine+"NT-Chunks: 0-19\r\n\r\n%s", honest(t, c, 0, 20))
	})
	reader := open(t, transport.Env{Options: quick})
	var log transporttest.Log
	if err := reader.Fetch(t.Context(), request(transporttest.NewSink(c.ID()), c, &log, peer.peer)); err != nil {
		t.Fatalf("Fetch: %v", err)
	}
	r := <-got
	if want := "/nt/v1/objects/" + c.ID().String() + "?chunks=0-"; r.URL.String() != want || r.Host != peer.peer.Addr.String() {
		t.Errorf("asked %s for %s, want %s", r.Host, r.URL, want)
	}
	if want := (nethttp.Header{"User-Agent": {"nt"}}); !maps.EqualFunc(r.Header, want, slices.Equal) {
		t.Errorf("headers %v, want %v", r.Header, want)
	}
}

// TestRow21_DialPolicy: the node's dialler has the last word on every address,
// and is not even asked for those that make no sense.
func TestRow21_DialPolicy(t *testing.T) {
	c, err := transporttest.NewContent(1, 4<<10)
	if err != nil {
		t.Fatal(err)
	}
	node := startNode(t, transporttest.Holding(c), quick)
	forbidden := errors.New("private address")
	var mu sync.Mutex
	var dialled []string
	reader, err := http.Open(transport.Env{
		Options: quick,
		Dial: func(_ context.Context, network, addr string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			dialled = append(dialled, network+" "+addr)
			return nil, forbidden
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	var log transporttest.Log
	junk := []transport.Peer{{}, {Addr: netip.MustParseAddrPort("[ff02::1]:80")}, {Addr: netip.MustParseAddrPort("[::]:80")},
		{Addr: netip.MustParseAddrPort("[fe80::1%eth0]:80")}, {Addr: netip.MustParseAddrPort("192.0.2.1:0")}}
	err = reader.Fetch(t.Context(), request(transporttest.NewSink(c.ID()), c, &log, append(junk, node.Peer)...))
	if !errors.Is(err, transport.ErrNoProgress) || !errors.Is(err, forbidden) {
		t.Errorf("Fetch: %v, want %v because of %v", err, transport.ErrNoProgress, forbidden)
	}
	mu.Lock()
	defer mu.Unlock()
	if want := "tcp " + node.Peer.Addr.String(); len(dialled) == 0 || slices.ContainsFunc(dialled, func(s string) bool { return s != want }) {
		t.Errorf("dialled %v, want only %q", dialled, want)
	}
}

// TestOpen_RefusesBadOptions: a limit is not switched off by a slip.
func TestOpen_RefusesBadOptions(t *testing.T) {
	dial := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no") }
	for name, spoil := range map[string]func(*http.Options){
		"max_uploads":             func(o *http.Options) { o.MaxUploads = 0 },
		"max_uploads_per_address": func(o *http.Options) { o.MaxUploadsPerAddress = -1 },
		"upload_rate":             func(o *http.Options) { o.UploadRate = -1 },
		"write_timeout":           func(o *http.Options) { o.WriteTimeout = 0 },
		"first_byte_timeout":      func(o *http.Options) { o.FirstByteTimeout = 0 },
		"stall_timeout":           func(o *http.Options) { o.StallTimeout = -1 },
		"min_rate":                func(o *http.Options) { o.MinRate = -1 },
		"max_peers":               func(o *http.Options) { o.MaxPeers = 0 },
		"max_rounds":              func(o *http.Options) { o.MaxRounds = 0 },
		"retry_wait":              func(o *http.Options) { o.RetryWait = 0 },
	} {
		_, err := http.Open(transport.Env{Dial: dial, Options: func(v any) error { spoil(v.(*http.Options)); return nil }})
		if err == nil {
			t.Errorf("%s: the value was taken", name)
		}
	}
	if _, err := http.Open(transport.Env{}); err == nil {
		t.Error("a node without a dialler was taken")
	}
	tr, err := http.Open(transport.Env{Dial: dial})
	if err != nil {
		t.Fatalf("the defaults were refused: %v", err)
	}
	tr.Close()
}
