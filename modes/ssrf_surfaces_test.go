package modes

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"nt/chunker"
	"nt/internal/resource"
	"nt/internal/safedial"
	"nt/peer"
	"nt/peer/trust"
	"nt/tracker/notary"
	"nt/transport"
)

// startSSRF starts a peer with a proxy as nt peer does; tunnels may reach these ports besides 443.
func startSSRF(t *testing.T, d safedial.Dialer, allowPrivate bool, tunnels ...string) *peerNode {
	t.Helper()
	key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	ports := []uint16{443}
	for _, p := range tunnels {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, uint16(n))
	}
	p, err := startPeer(t.Context(), peerOptions{tunnelPorts: ports, proxyAddr: "127.0.0.1:0", adminAddr: "127.0.0.1:0", node: nodeOptions{
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
	c.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(c, request)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, err.Error()
	}
	if strings.HasPrefix(request, "CONNECT ") && resp.StatusCode == http.StatusOK {
		return resp.StatusCode, "" // a tunnel has no end
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
	return resp.StatusCode, string(b)
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

// gossipLeadsNowhere asks peers that a tracker made up what notaries told them.
func gossipLeadsNowhere(t *testing.T, p *peerNode, c *canary) int {
	t.Helper()
	port, _ := strconv.Atoi(c.port)
	ask := gossipOver(p.node.gossipClient())
	for _, s := range special() {
		if _, err := ask(t.Context(), netip.AddrPortFrom(netip.MustParseAddr(s), uint16(port)), []byte("{}")); !errors.Is(err, safedial.ErrForbiddenAddr) {
			t.Errorf("gossip with %s: %v", s, err)
		}
	}
	return len(special())
}
