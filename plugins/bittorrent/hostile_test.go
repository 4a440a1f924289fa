package bittorrent_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"nt/plugins/bittorrent"
	"nt/transport"
	"nt/transport/transporttest"
)

const mediaType = "application/vnd.nt.bittorrent-hint"

func content(t testing.TB, seed uint64, size int64) *transporttest.Content {
	t.Helper()
	c, err := transporttest.NewContent(seed, size)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// pretender is a peer that answers the request for its hint as reply does.
func pretender(t *testing.T, reply http.HandlerFunc) transport.Peer {
	srv := httptest.NewServer(reply)
	t.Cleanup(srv.Close)
	return transport.Peer{Addr: netip.MustParseAddrPort(srv.Listener.Addr().String())}
}

// TestRow5_HostileHints: replies that break the protocol cost the peer its
// place; those that break off do not. Nothing of them is taken.
func TestRow5_HostileHints(t *testing.T) {
	c := content(t, 1, 100<<10)
	good := append(c.Header().AppendBinary(nil), make([]byte, 25*20)...)
	send := func(status int, head map[string]string, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", mediaType)
			for k, v := range head {
				w.Header().Set(k, v)
			}
			w.WriteHeader(status)
			w.Write(body)
		}
	}
	for name, x := range map[string]struct {
		reply http.HandlerFunc
		bad   bool
	}{
		"Type":        {send(200, map[string]string{"Content-Type": "text/html"}, good), true},
		"Encoding":    {send(200, map[string]string{"Content-Encoding": "gzip"}, good), true},
		"OtherHeader": {send(200, nil, append(content(t, 2, 100<<10).Header().AppendBinary(nil), good[77:]...)), true},
		"Version":     {send(200, nil, append([]byte{9}, good[1:]...)), true},
		"Longer":      {send(200, nil, append(good, 0)), true},
		"Shorter":     {send(200, nil, good[:len(good)-1]), true},
		"Proofs":      {send(200, map[string]string{"NT-Proofs": "0-1000000"}, good), true},
		"NoSpan":      {send(200, map[string]string{"NT-Proofs": "x"}, good), true},
		"OtherProofs": {send(200, map[string]string{"NT-Proofs": "1-2", "Content-Length": strconv.Itoa(len(good) + 16*32 + 3*32)}, good), true},
		"Known":       {send(304, map[string]string{"ETag": `"` + "00000000000000000000" + "00000000000000000000" + `"`}, nil), true},
		"BrokenOff": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(good)))
			send(200, nil, good[:100])(w, r)
		}, false},
		"Redirect": {send(302, map[string]string{"Location": "http://192.0.2.1/"}, nil), false},
		"Error":    {send(500, nil, nil), false},
		"NotHere":  {send(404, nil, nil), false},
		"NoProofs": {send(200, nil, good), false},
	} {
		t.Run(name, func(t *testing.T) {
			peer := pretender(t, x.reply)
			reader := open(t, transport.Env{Options: func(v any) error {
				quick(v)
				v.(*bittorrent.Options).NoProgressTimeout = time.Second
				return nil
			}})
			sink, log := transporttest.NewSink(c.ID()), new(transporttest.Log)
			if err := reader.Fetch(t.Context(), request(sink, c.ID(), log, peer)); !errors.Is(err, transport.ErrNoProgress) {
				t.Errorf("Fetch: %v", err)
			}
			bad, dead := log.Failures(transport.EventBadPeer, peer.Addr), log.Failures(transport.EventDeadPeer, peer.Addr)
			if x.bad && (bad != 1 || dead != 0) || !x.bad && (bad != 0 || dead == 0) {
				t.Errorf("named bad %d times, dead %d times\n%s", bad, dead, log)
			}
			if sink.Refused() != 0 || sink.Bytes() != 0 {
				t.Error("something of it reached the sink")
			}
		})
	}
}

// TestWrongHintIsOnlyAFailure: whoever names another swarm, with everything else
// right, is followed in vain while the object comes from elsewhere.
func TestWrongHintIsOnlyAFailure(t *testing.T) {
	c := content(t, 1, 100<<10)
	holder := startNode(t, transporttest.Holding(c), quick)
	misled := pretender(t, func(w http.ResponseWriter, r *http.Request) {
		resp, err := http.Get("http://" + holder.Peer.Addr.String() + r.URL.String())
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer resp.Body.Close()
		for k, v := range resp.Header {
			w.Header()[k] = v
		}
		body, _ := io.ReadAll(resp.Body)
		body[77] ^= 1
		w.Write(body)
	})
	defer http.DefaultClient.CloseIdleConnections()
	reader := open(t, transport.Env{Options: func(v any) error {
		quick(v)
		v.(*bittorrent.Options).HandshakeTimeout = 200 * time.Millisecond
		return nil
	}})
	sink, log := transporttest.NewSink(c.ID()), new(transporttest.Log)
	if err := reader.Fetch(t.Context(), request(sink, c.ID(), log, misled)); !errors.Is(err, transport.ErrNoProgress) {
		t.Errorf("Fetch: %v", err)
	}
	if log.Failures(transport.EventDeadPeer, misled.Addr) == 0 || sink.Bytes() != 0 {
		t.Errorf("%d bytes came of a swarm that is not there\n%s", sink.Bytes(), log)
	}
	if err := reader.Fetch(t.Context(), request(sink, c.ID(), log, misled, holder.Peer)); err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	if !sink.Complete() || log.Failures(transport.EventBadPeer, misled.Addr)+log.Failures(transport.EventBadPeer, holder.Peer.Addr) != 0 {
		t.Errorf("complete is %v\n%s", sink.Complete(), log)
	}
}

// handshake sends a BitTorrent handshake for an infohash and reports whether
// anything comes back.
func handshake(t *testing.T, addr netip.AddrPort, infohash string) bool {
	t.Helper()
	nc, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := io.WriteString(nc, "\x13BitTorrent protocol\x00\x00\x00\x00\x00\x00\x00\x00"+infohash+"-XX0000-abcdefghijkl"); err != nil {
		t.Fatal(err)
	}
	n, _ := nc.Read(make([]byte, 68))
	return n > 0
}

// TestSilentForSwarmsNobodyAskedFor: a node does not tell what it holds, nor
// that it speaks BitTorrent, to whoever guesses infohashes.
func TestSilentForSwarmsNobodyAskedFor(t *testing.T) {
	c := content(t, 1, 10<<10)
	holder := startNode(t, transporttest.Holding(c), quick)
	ih := infohashOf(t, startNode(t, transporttest.Holding(c), quick), c)
	if handshake(t, holder.Peer.Addr, ih) {
		t.Error("it answered a handshake before anybody asked for the hint")
	}
	if got := infohashOf(t, holder, c); got != ih {
		t.Fatalf("two holders name the swarms %x and %x", ih, got)
	}
	if !handshake(t, holder.Peer.Addr, ih) {
		t.Error("it did not answer a handshake for its own object")
	}
	if handshake(t, holder.Peer.Addr, "01234567890123456789") {
		t.Error("it answered a handshake for no object")
	}
}

// infohashOf asks a holder for an object's swarm.
func infohashOf(t *testing.T, n transporttest.Node, c *transporttest.Content) string {
	t.Helper()
	getHint(t, n.Peer.Addr, c.ID())
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + n.Peer.Addr.String() + "/nt/v1/hints/bittorrent/" + c.ID().String())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b := make([]byte, 20)
	for i := range b {
		x, err := strconv.ParseUint(resp.Header.Get("ETag")[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		b[i] = byte(x)
	}
	return string(b)
}

// TestRow42_IncomingPerAddress: one address cannot hold every place.
func TestRow42_IncomingPerAddress(t *testing.T) {
	c := content(t, 1, 10<<10)
	node := startNode(t, transporttest.Holding(c), func(v any) error {
		quick(v)
		v.(*bittorrent.Options).MaxIncomingPerAddress = 2
		return nil
	})
	ih := infohashOf(t, node, c)
	for range 2 { // who began a handshake holds a place
		nc, err := net.Dial("tcp", node.Peer.Addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		io.WriteString(nc, "\x13BitTorrent protocol")
	}
	for handshake(t, node.Peer.Addr, ih) { // the two above are on their way to the gate
	}
}

// TestNothingRunsBeforeUse: a transport that is never used costs no goroutine.
func TestNothingRunsBeforeUse(t *testing.T) {
	before := goleak.IgnoreCurrent()
	tr, err := bittorrent.Open(transport.Env{Source: transporttest.Holding(), Mux: http.NewServeMux(), Dial: new(net.Dialer).DialContext})
	if err != nil {
		t.Fatal(err)
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
	tr.Close()
}

// TestRow49_DefaultServeMux: importing the BitTorrent client puts profiles and
// variables on http.DefaultServeMux. None of it is on the node's.
func TestRow49_DefaultServeMux(t *testing.T) {
	mux := http.NewServeMux()
	tr, err := bittorrent.Open(transport.Env{
		Source: transporttest.Holding(), Mux: mux, Dial: new(net.Dialer).DialContext,
		Streams: func([]byte) net.Listener { return closedListener{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	for _, path := range []string{"/debug/pprof/", "/debug/vars"} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		if _, pattern := http.DefaultServeMux.Handler(r); pattern == "" {
			t.Logf("%s is not on DefaultServeMux any more", path)
		}
		if _, pattern := mux.Handler(r); pattern != "" {
			t.Errorf("the node serves %s by %s", path, pattern)
		}
	}
}

type closedListener struct{ net.Listener }

func (closedListener) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (closedListener) Close() error              { return nil }

func TestOptions(t *testing.T) {
	for name, spoil := range map[string]func(*bittorrent.Options){
		"peers":   func(o *bittorrent.Options) { o.MaxPeers = 0 },
		"hints":   func(o *bittorrent.Options) { o.MaxHints = o.MaxSeeds - 1 },
		"rate":    func(o *bittorrent.Options) { o.UploadRate = -1 },
		"timeout": func(o *bittorrent.Options) { o.StallTimeout = 0 },
	} {
		_, err := bittorrent.Open(transport.Env{Dial: new(net.Dialer).DialContext, Options: func(v any) error {
			spoil(v.(*bittorrent.Options))
			return nil
		}})
		if err == nil {
			t.Errorf("%s: a value that switches a limit off was taken", name)
		}
	}
	failure := errors.New("unknown key")
	if _, err := bittorrent.Open(transport.Env{Dial: new(net.Dialer).DialContext, Options: func(any) error { return failure }}); !errors.Is(err, failure) {
		t.Errorf("Open: %v", err)
	}
}
