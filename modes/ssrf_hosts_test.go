package modes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// special are forty addresses that are not public: own machine, local networks, cloud
// metadata, and forms of IPv6 that carry IPv4.
func special() []string {
	return []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.255.255.254",
		"169.254.169.254", "172.16.0.1", "172.31.255.254", "192.0.0.1", "192.0.0.170", "192.0.2.1", "192.31.196.1",
		"192.52.193.1", "192.88.99.1", "192.168.1.1", "192.175.48.1", "198.18.0.1", "198.19.255.254",
		"198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1",
		"2001:db8::1", "2002:7f00:1::1", "fc00::1", "fe80::1", "fec0::1", "ff02::1",
	}
}

// spellings are thirteen ways to write the own machine into a URL.
func spellings() []string {
	return []string{
		"127.0.0.1", "localhost", "localhost.", "127.1", "0x7f.1", "0177.0.0.1", "2130706433", "0",
		"0.0.0.0", "①②⑦.0.0.1", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::]",
	}
}

// publicAddress is what flipping names resolve to when somebody may be checking. No
// packet goes there: errNotThere ends the attempt.
const publicAddress = "93.184.216.34"

var errNotThere = errors.New("the test has no network")

// canary counts whoever connects to the own machine.
type canary struct {
	port    string
	reached atomic.Int64
}

func newCanary(t *testing.T) *canary {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &canary{}
	_, c.port, _ = net.SplitHostPort(l.Addr().String())
	server := &http.Server{
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "secret") }),
		ConnState: func(_ net.Conn, s http.ConnState) { c.reached.Add(map[http.ConnState]int64{http.StateNew: 1}[s]) },
	}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	if l6, err := net.Listen("tcp", "[::1]:"+c.port); err == nil { // where there is IPv6
		go server.Serve(l6)
	}
	return c
}

// hosts are the hosts to try in a URL.
func hosts() (fixed, flipping []string) {
	for i, s := range special() {
		a := netip.MustParseAddr(s)
		if a.Is4() {
			fixed = append(fixed, s)
		} else {
			fixed = append(fixed, "["+s+"]")
		}
		fixed = append(fixed, fmt.Sprintf("s%d.fixed.example.com", i))
		flipping = append(flipping, fmt.Sprintf("s%d.flip.example.com", i))
	}
	return append(fixed, spellings()...), flipping
}

// each tries all hosts, many at a time, twice those that flip.
func eachHost(t *testing.T, try func(ctx context.Context, host string, flips bool)) int {
	t.Helper()
	fixed, flipping := hosts()
	slots := make(chan struct{}, 32)
	var wg sync.WaitGroup
	run := func(host string, flips bool) {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			try(ctx, host, flips)
		})
	}
	for _, h := range fixed {
		run(h, false)
	}
	for range 2 {
		for _, h := range flipping {
			run(h, true)
		}
	}
	wg.Wait()
	return len(fixed) + 2*len(flipping)
}
