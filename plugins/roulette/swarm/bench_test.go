package swarm

import (
	"context"
	"testing"

	"nt/transport"
	"nt/transport/transporttest"
	"nt/transport/wire/wiretest"
)

func BenchmarkFetchKCP(b *testing.B) { benchFetch(b, "kcp") }
func BenchmarkFetchUDP(b *testing.B) { benchFetch(b, "udp") }

// benchFetch moves one object of 64 MiB from one node to another over loopback:
// the counterpart of the Fetch benchmarks of the other transports.
func benchFetch(b *testing.B, wire string) {
	const size = 64 << 20
	c, err := transporttest.NewContent(1, size)
	if err != nil {
		b.Fatal(err)
	}
	holder := startNode(b, 1, wire, transporttest.Holding(c))
	reader := startNode(b, 2, wire, nil)
	b.SetBytes(size)
	start := wiretest.CPUTime()
	for b.Loop() {
		err := reader.Fetch(b.Context(), transport.Request{Object: c.ID(), Sink: transporttest.NewDiscard(c.ID()),
			Peers: func(context.Context) ([]transport.Peer, error) { return []transport.Peer{holder.Peer}, nil }})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((wiretest.CPUTime()-start).Seconds()/float64(b.N)/size*1e9, "cpu-s/GB")
}
