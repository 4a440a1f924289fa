package modes

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"nt/chunker"
	"nt/internal/resource"
	"nt/internal/safedial"
	"nt/peer"
	"nt/peer/trust"
	"nt/tracker/notary"
	"nt/transport"
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

// fakeDNS answers sN.fixed.example.com with the Nth special address, and sN.flip.example.com
// in turns with a public one and that.
type fakeDNS struct{ asked atomic.Int64 }

func (d *fakeDNS) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go d.serve(far)
		return near, nil
	}}
}

// serve speaks DNS over a stream: every message has its length before it.
func (d *fakeDNS) serve(c net.Conn) {
	defer c.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		ask := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, ask); err != nil {
			return
		}
		answer := d.answer(ask)
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}

func (d *fakeDNS) answer(ask []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(ask) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	m = dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}, Questions: m.Questions}
	a, ok := d.lookup(strings.TrimSuffix(q.Name.String(), "."))
	if !ok {
		m.RCode = dnsmessage.RCodeNameError
	}
	head := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
	switch {
	case ok && q.Type == dnsmessage.TypeA && a.Is4():
		m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AResource{A: a.As4()}}}
	case ok && q.Type == dnsmessage.TypeAAAA && !a.Is4():
		m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}}}
	}
	b, err := m.Pack()
	if err != nil {
		return nil
	}
	return b
}

func (d *fakeDNS) lookup(name string) (netip.Addr, bool) {
	label, zone, _ := strings.Cut(name, ".")
	i, err := strconv.Atoi(strings.TrimPrefix(label, "s"))
	if err != nil || i >= len(special()) {
		return netip.Addr{}, false
	}
	n := d.asked.Add(1)
	switch {
	case zone == "fixed.example.com", zone == "flip.example.com" && n/2%2 == 1: // A and AAAA are asked for together
		return netip.MustParseAddr(special()[i]), true
	case zone == "flip.example.com":
		return netip.MustParseAddr(publicAddress), true
	}
	return netip.Addr{}, false
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

// startSSRF starts a peer with a proxy as nt peer does.
func startSSRF(t *testing.T, d safedial.Dialer, allowPrivate bool) *peerNode {
	t.Helper()
	key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	p, err := startPeer(t.Context(), peerOptions{proxyAddr: "127.0.0.1:0", adminAddr: "127.0.0.1:0", node: nodeOptions{
		key: key, cacheDir: t.TempDir(), listen: "127.0.0.1:0", dialer: d, allowPrivate: allowPrivate, connect: time.Second,
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		p.close(ctx)
	})
	return p
}

// redirector answers start.example.com with a redirect, and asks the node for the rest.
type redirector struct{ doer }

func (r redirector) Do(ctx context.Context, req peer.Request) (*peer.Response, error) {
	if req.HTTP.URL.Host != "start.example.com" {
		return r.doer.Do(ctx, req)
	}
	return &peer.Response{Status: 302, Header: http.Header{"Location": {req.HTTP.URL.Query().Get("to")}}, Body: http.NoBody,
		Provenance: peer.Provenance{Source: peer.SourceOrigin, Live: &peer.Live{}}}, nil
}

// fetchExit runs nt fetch on the node.
func fetchExit(ctx context.Context, node doer, raw string) (Exit, string) {
	var out bytes.Buffer
	a := &app{ctx: ctx, stdout: &out, stderr: io.Discard, log: newLogger(io.Discard, "error", "text", nil)}
	f := &fetcher{cmd: &fetchCmd{Quiet: true, Progress: "none"}, app: a, node: node, level: trust.DefaultLevel}
	return exitOf(f.fetch(ctx, raw)), out.String()
}

// refusedExit reports how a fetch ends whose URL is no good, whose address is forbidden,
// or whose name does not resolve here.
func refusedExit(e Exit) bool { return e == ExitUsage || e == ExitNetwork || e == ExitNoSource }

// proxyAsk sends one raw request and returns the answer's status and body.
func proxyAsk(ctx context.Context, addr, request string) (int, string) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return 0, err.Error()
	}
	defer c.Close()
	if d, ok := ctx.Deadline(); ok {
		c.SetDeadline(d)
	}
	io.WriteString(c, request)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
	return resp.StatusCode, string(b)
}

func TestRow24_NoWayLeadsToAPrivateAddress(t *testing.T) {
	c, dns := newCanary(t), &fakeDNS{}
	var passed sync.Map
	dialer := safedial.Dialer{Resolver: dns.resolver(), Also: func(_, address string) error {
		passed.Store(address, true)
		return errNotThere
	}}
	p := startSSRF(t, dialer, false)
	tried := eachHost(t, func(ctx context.Context, host string, flips bool) {
		url := "http://" + host + ":" + c.port + "/"
		if exit, out := fetchExit(ctx, p.node, url); out != "" || !refusedExit(exit) {
			t.Errorf("fetch %s: exit %d, %q", url, exit, out)
		}
	})
	tried += eachHost(t, func(ctx context.Context, host string, flips bool) {
		url := "http://" + host + ":" + c.port + "/"
		if exit, out := fetchExit(ctx, redirector{p.node}, "http://start.example.com/?to="+url); out != "" || !refusedExit(exit) {
			t.Errorf("redirect to %s: exit %d, %q", url, exit, out)
		}
	})
	tried += eachHost(t, func(ctx context.Context, host string, flips bool) {
		for _, method := range []string{"GET", "POST"} { // through the node, and past it
			status, body := proxyAsk(ctx, p.proxyAddr, fmt.Sprintf("%s http://%s:%s/ HTTP/1.1\r\nHost: %s:%s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", method, host, c.port, host, c.port))
			if refused := status == 400 || status == 403 || status == 502; !refused && !flips || strings.Contains(body, "secret") {
				t.Errorf("proxy %s %s: %d %q", method, host, status, body)
			}
		}
	})
	tried += eachHost(t, func(ctx context.Context, host string, flips bool) {
		for _, port := range []string{"443", c.port} {
			status, body := proxyAsk(ctx, p.proxyAddr, fmt.Sprintf("CONNECT %s:%s HTTP/1.1\r\nHost: %s:%s\r\n\r\n", host, port, host, port))
			if refused := status == 400 || status == 403 || status == 502; !refused && !flips || status == 200 {
				t.Errorf("CONNECT %s:%s: %d %q", host, port, status, body)
			}
		}
	})
	tried += eachHost(t, func(ctx context.Context, host string, flips bool) {
		request := fmt.Sprintf("GET /view/http://%s:%s/ HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host, c.port, p.adminAddr)
		if status, body := proxyAsk(ctx, p.adminAddr, request); status != 400 && status != 404 || strings.Contains(body, "secret") {
			t.Errorf("viewer %s: %d %q", host, status, body)
		}
	})
	tried += peerListLeadsNowhere(t, p, c)
	tried += notaryLooksNowhere(t, dialer, c)
	flipped := 0
	passed.Range(func(address, _ any) bool {
		flipped++
		if !strings.HasPrefix(address.(string), publicAddress+":") {
			t.Errorf("the rule let %s pass", address)
		}
		return true
	})
	if flipped == 0 {
		t.Error("no name ever changed its answer")
	}
	if n := c.reached.Load(); n != 0 {
		t.Errorf("the own machine was reached %d times", n)
	}
	if dns.asked.Load() < 500 {
		t.Errorf("names were looked up %d times: the resolver is not in use", dns.asked.Load())
	}
	t.Logf("%d cases, %d look-ups, %d reached", tried, dns.asked.Load(), c.reached.Load())
}

// peerListLeadsNowhere gives every transport a list of peers that a tracker made up.
func peerListLeadsNowhere(t *testing.T, p *peerNode, c *canary) int {
	t.Helper()
	port, _ := strconv.Atoi(c.port)
	tried := 0
	for _, tr := range p.node.transports {
		obj, err := p.node.store.Create(chunker.ObjectID{1})
		if err != nil {
			t.Fatal(err)
		}
		var peers []transport.Peer
		for _, s := range special() {
			peers = append(peers, transport.Peer{Addr: netip.AddrPortFrom(netip.MustParseAddr(s), uint16(port)), Transports: []string{tr.Name()}})
		}
		var mu sync.Mutex
		refused := 0
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		err = tr.Fetch(ctx, transport.Request{Object: chunker.ObjectID{1}, Sink: obj,
			Peers: func(context.Context) ([]transport.Peer, error) { return peers, nil },
			Observe: func(e transport.Event) {
				mu.Lock()
				defer mu.Unlock()
				if errors.Is(e.Err, safedial.ErrForbiddenAddr) {
					refused++
				}
			}})
		cancel()
		obj.Close()
		if err == nil || tr.Name() == "http" && refused < 30 { // it may give a fetch up before it has asked all
			t.Errorf("%s: %v, %d peers refused", tr.Name(), err, refused)
		}
		tried += len(peers)
	}
	return tried
}

// notaryLooksNowhere announces the URLs to a notary.
func notaryLooksNowhere(t *testing.T, d safedial.Dialer, c *canary) int {
	t.Helper()
	key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	reader, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	n, err := notary.New(notary.Config{Key: key, Interval: time.Nanosecond, Workers: 32, Timeout: 500 * time.Millisecond, Dialer: d})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.Run(ctx, func(time.Time, resource.Statement) error { return errors.New("a statement about a private address") })
	}()
	fixed, flipping := hosts()
	offered := 0
	for _, host := range append(fixed, flipping...) {
		for _, port := range []string{"", ":" + c.port} {
			u, err := resource.ParseURL("http://" + host + port + "/")
			if err != nil {
				continue // no spelling that a tracker takes
			}
			n.Offer(time.Now(), u, resource.Statement{Key: u.Key(), Size: 6, Status: 200}.Sign(reader))
			offered++
		}
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if k := n.Counters(); k["forbidden"]+k["failed"]+k["known"]+k["dropped"] >= int64(offered) {
			break
		}
	}
	cancel()
	<-done
	k := n.Counters()
	if k["stated"]+k["differed"]+k["not_kept"] != 0 || k["forbidden"] < 200 {
		t.Errorf("the notary: %v", k)
	}
	return offered
}

// TestRow24_TheCanaryCanSing: with the rule lifted every way leads there, so the test
// above can fail.
func TestRow24_TheCanaryCanSing(t *testing.T) {
	c, dns := newCanary(t), &fakeDNS{}
	p := startSSRF(t, safedial.Dialer{Resolver: dns.resolver()}, true)
	loopback := 5 // in special
	if special()[loopback] != "127.0.0.1" {
		t.Fatal("the table has changed")
	}
	name := fmt.Sprintf("s%d.fixed.example.com:%s", loopback, c.port)
	if exit, out := fetchExit(t.Context(), p.node, "http://"+name+"/"); exit != ExitOK || out != "secret" {
		t.Errorf("fetch: exit %d, %q", exit, out)
	}
	if exit, out := fetchExit(t.Context(), redirector{p.node}, "http://start.example.com/?to=http://"+name+"/"); exit != ExitOK || out != "secret" {
		t.Errorf("redirect: exit %d, %q", exit, out)
	}
	if status, body := proxyAsk(t.Context(), p.proxyAddr, "GET http://"+name+"/ HTTP/1.1\r\nHost: "+name+"\r\nConnection: close\r\n\r\n"); status != 200 || body != "secret" {
		t.Errorf("proxy: %d %q", status, body)
	}
	if c.reached.Load() == 0 {
		t.Error("the canary heard nothing")
	}
}
