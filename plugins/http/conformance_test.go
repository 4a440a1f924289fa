package http_test

import (
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"nt/plugins/http"
	"nt/transport"
	"nt/transport/transporttest"
)

func TestN11_Conformance(t *testing.T) {
	transporttest.Run(t, transporttest.Harness{Start: start})
}

// quick shortens every time-out.
func quick(v any) error {
	o := v.(*http.Options)
	o.FirstByteTimeout = 2 * time.Second
	o.StallTimeout = 500 * time.Millisecond
	o.MinRate = 0
	o.RetryWait = 5 * time.Millisecond
	return nil
}

func start(t testing.TB, sources ...transport.Source) []transporttest.Node {
	nodes := make([]transporttest.Node, len(sources))
	for i, src := range sources {
		nodes[i] = startNode(t, src, quick)
	}
	return nodes
}

func startNode(t testing.TB, src transport.Source, options func(any) error) transporttest.Node {
	mux := nethttp.NewServeMux()
	tr := open(t, transport.Env{Mux: mux, Source: src, Options: options})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return transporttest.Node{
		Transport: tr,
		Peer:      transport.Peer{Addr: netip.MustParseAddrPort(srv.Listener.Addr().String()), Transports: []string{http.Name}},
		Kill:      sync.OnceFunc(func() { srv.Config.Close() }),
	}
}

func open(t testing.TB, env transport.Env) transport.Transport {
	env.Dial = new(net.Dialer).DialContext
	tr, err := http.Open(env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	return tr
}
