package bittorrent_test

import (
	"context"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"nt/chunker"
	"nt/plugins/bittorrent"
	"nt/plugins/http"
	"nt/transport"
	"nt/transport/transporttest"
)

// BenchmarkFetch moves objects over loopback by bittorrent and, for the ratio, by
// http: computed at one end and proved at the other.
func BenchmarkFetch(b *testing.B) {
	for _, size := range []struct {
		name  string
		bytes int64
	}{{"4KiB", 4 << 10}, {"1MiB", 1 << 20}, {"64MiB", 64 << 20}} {
		c, err := transporttest.NewContent(1, size.bytes)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(size.name+"/bittorrent", func(b *testing.B) {
			holder := startNode(b, transporttest.Holding(c), nil)
			getHint(b, holder.Peer.Addr, c.ID())
			benchFetch(b, open(b, transport.Env{}), c, holder.Peer)
		})
		b.Run(size.name+"/http", func(b *testing.B) {
			mux := nethttp.NewServeMux()
			dial := new(net.Dialer).DialContext
			holder, err := http.Open(transport.Env{Mux: mux, Source: transporttest.Holding(c), Dial: dial})
			if err != nil {
				b.Fatal(err)
			}
			defer holder.Close()
			srv := httptest.NewServer(mux)
			defer srv.Close()
			reader, err := http.Open(transport.Env{Dial: dial})
			if err != nil {
				b.Fatal(err)
			}
			defer reader.Close()
			benchFetch(b, reader, c, transport.Peer{Addr: netip.MustParseAddrPort(srv.Listener.Addr().String())})
		})
	}
}

func benchFetch(b *testing.B, reader transport.Transport, c *transporttest.Content, holder transport.Peer) {
	b.SetBytes(c.Header().Size)
	for b.Loop() {
		if err := reader.Fetch(b.Context(), request(transporttest.NewDiscard(c.ID()), c.ID(), nil, holder)); err != nil {
			b.Fatal(err)
		}
	}
}

func request(sink transport.Sink, id chunker.ObjectID, log *transporttest.Log, peers ...transport.Peer) transport.Request {
	r := transport.Request{Object: id, Sink: sink, Peers: func(context.Context) ([]transport.Peer, error) { return peers, nil }}
	if log != nil {
		r.Observe = log.Observe
	}
	return r
}

// BenchmarkOpen: what a transport costs that is never used.
func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		t, err := bittorrent.Open(transport.Env{Dial: new(net.Dialer).DialContext})
		if err != nil {
			b.Fatal(err)
		}
		t.Close()
	}
}
