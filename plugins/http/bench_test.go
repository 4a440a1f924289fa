package http_test

import (
	"io"
	nethttp "net/http"
	"testing"

	"nt/transport"
	"nt/transport/transporttest"
)

// BenchmarkFetch moves an object over loopback, computed at one end and proved at
// the other; BenchmarkPlain reads the same reply and throws it away, for the ratio.
func BenchmarkFetch(b *testing.B) {
	c := benchContent(b)
	node := startNode(b, transporttest.Holding(c), quick)
	reader := open(b, transport.Env{Options: quick})
	b.SetBytes(c.Header().Size)
	for b.Loop() {
		var log transporttest.Log
		if err := reader.Fetch(b.Context(), request(transporttest.NewDiscard(c.ID()), c, &log, node.Peer)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPlain(b *testing.B) {
	c := benchContent(b)
	node := startNode(b, transporttest.Holding(c), quick)
	b.SetBytes(c.Header().Size)
	for b.Loop() {
		resp, err := nethttp.Get("http://" + node.Peer.Addr.String() + "/nt/v1/objects/" + c.ID().String())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			b.Fatal(err)
		}
		resp.Body.Close()
	}
}

func benchContent(b *testing.B) *transporttest.Content {
	c, err := transporttest.NewContent(1, 64<<20)
	if err != nil {
		b.Fatal(err)
	}
	return c
}
