package http_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"nt/chunker"
	"nt/chunker/nois"
	"nt/plugins/http"
	"nt/transport"
	"nt/transport/transporttest"
)

// ask sends one request to the node and reads the whole reply.
func ask(t *testing.T, method string, node transporttest.Node, path string) (*nethttp.Response, []byte, error) {
	t.Helper()
	req, err := nethttp.NewRequestWithContext(t.Context(), method, "http://"+node.Peer.Addr.String()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	var client nethttp.Client
	client.Transport = &nethttp.Transport{DisableKeepAlives: true}
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

// TestN13_Replies: what is served, byte for byte, and what is refused.
func TestN13_Replies(t *testing.T) {
	whole, err := transporttest.NewContent(1, 40<<10+5)
	if err != nil {
		t.Fatal(err)
	}
	part, err := transporttest.NewContent(2, 100<<10)
	if err != nil {
		t.Fatal(err)
	}
	empty, err := transporttest.NewContent(3, 0)
	if err != nil {
		t.Fatal(err)
	}
	src := transporttest.Holding(whole, empty)
	src[part.ID()] = transporttest.NewObject(part, nois.Of(nois.Interval{Start: 10, End: 20}, nois.Interval{Start: 50, End: 60}))
	node := startNode(t, src, quick)
	w, p, e := "/nt/v1/objects/"+whole.ID().String(), "/nt/v1/objects/"+part.ID().String(), "/nt/v1/objects/"+empty.ID().String()
	for _, x := range []struct {
		path   string
		status int
		chunks string // NT-Chunks
		have   string // NT-Have
		body   []byte // of a 200
	}{
		{w, 200, "0-40", "", honest(t, whole, 0, 41)},
		{w + "?chunks=0-", 200, "0-40", "", honest(t, whole, 0, 41)},
		{w + "?chunks=0-0", 200, "0-0", "", honest(t, whole, 0, 1)},
		{w + "?chunks=15-16", 200, "15-16", "", honest(t, whole, 15, 17)},
		{w + "?chunks=40-999", 200, "40-40", "", honest(t, whole, 40, 41)},
		{w + "?chunks=41-", 416, "", "AA", nil},
		{p + "?chunks=10-19", 200, "10-19", "", honest(t, part, 10, 20)},
		{p + "?chunks=15-99", 200, "15-19", "", honest(t, part, 15, 20)},
		{p, 416, "", "AgoJHgk", nil},               // 10-19 and, 30 further, 50-59
		{p + "?chunks=0-12", 416, "", "AQoC", nil}, // of 10-19 the part asked for
		{p + "?chunks=20-30", 416, "", "AA", nil},
		{e, 200, "", "", honest(t, empty, 0, 0)},
		{e + "?chunks=7-9", 200, "", "", honest(t, empty, 0, 0)},
		{w + "?chunks=", 400, "", "", nil},
		{w + "?chunks=3-2", 400, "", "", nil},
		{w + "?chunks=-5", 400, "", "", nil},
		{w + "?chunks=0-99999999999999999999", 400, "", "", nil},
		{"/nt/v1/objects/abc", 400, "", "", nil},
		{"/nt/v1/objects/" + strings.Repeat("0", 64), 404, "", "", nil},
	} {
		t.Run(x.path[len("/nt/v1/objects/"):], func(t *testing.T) {
			resp, body, err := ask(t, "GET", node, x.path)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != x.status || resp.Header.Get("NT-Chunks") != x.chunks || resp.Header.Get("NT-Have") != x.have {
				t.Errorf("got %d, NT-Chunks %q, NT-Have %q; want %d, %q, %q", resp.StatusCode,
					resp.Header.Get("NT-Chunks"), resp.Header.Get("NT-Have"), x.status, x.chunks, x.have)
			}
			if x.status == 200 && !bytes.Equal(body, x.body) {
				t.Errorf("the body has %d bytes and is not the one expected of %d", len(body), len(x.body))
			}
			head, _, err := ask(t, "HEAD", node, x.path)
			if err != nil {
				t.Fatal(err)
			}
			if head.StatusCode != x.status || x.status == 200 && head.Header.Get("Content-Length") != strconv.Itoa(len(x.body)) {
				t.Errorf("HEAD: %d, Content-Length %s", head.StatusCode, head.Header.Get("Content-Length"))
			}
		})
	}
	if resp, _, err := ask(t, "POST", node, w); err != nil || resp.StatusCode != 405 {
		t.Errorf("POST: %v, %v", resp, err)
	}
}

// damaged is an object whose store finds chunk 30 damaged when it reads it.
type damaged struct{ transport.Object }

func (d damaged) ReadChunk(i int, buf []byte) ([]byte, error) {
	if i == 30 {
		return nil, fmt.Errorf("chunk 30: %w", chunker.ErrBadChunk)
	}
	return d.Object.ReadChunk(i, buf)
}

// TestN13_DamagedChunk: bytes, or connection closed.
func TestN13_DamagedChunk(t *testing.T) {
	c, err := transporttest.NewContent(1, 40<<10)
	if err != nil {
		t.Fatal(err)
	}
	node := startNode(t, transporttest.Source{c.ID(): damaged{transporttest.NewObject(c, nil)}}, quick)
	path := "/nt/v1/objects/" + c.ID().String()
	if _, body, err := ask(t, "GET", node, path+"?chunks=20-39"); err == nil {
		t.Errorf("a reply of %d bytes came to its end", len(body))
	}
	if _, body, err := ask(t, "GET", node, path+"?chunks=31-39"); err != nil || !bytes.Equal(body, honest(t, c, 31, 40)) {
		t.Errorf("the chunks beside it: %d bytes, %v", len(body), err)
	}
}

// TestN15_UploadLimit: with every slot taken the next reader is told so, and
// served once a slot is free.
func TestN15_UploadLimit(t *testing.T) {
	for name, set := range map[string]func(*http.Options){
		"of all":      func(o *http.Options) { o.MaxUploads = 2 },
		"per address": func(o *http.Options) { o.MaxUploadsPerAddress = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			c, err := transporttest.NewContent(1, 4<<10)
			if err != nil {
				t.Fatal(err)
			}
			obj := transporttest.NewObject(c, nil)
			busy, open := make(chan struct{}, 100), make(chan struct{})
			obj.OnRead = func(int) { busy <- struct{}{}; <-open }
			node := startNode(t, transporttest.Source{c.ID(): obj}, func(v any) error { set(v.(*http.Options)); return quick(v) })
			path := "/nt/v1/objects/" + c.ID().String()
			done := make(chan error)
			for range 2 {
				go func() {
					_, _, err := ask(t, "GET", node, path)
					done <- err
				}()
				<-busy
			}
			resp, _, err := ask(t, "GET", node, path)
			if err != nil || resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
				t.Errorf("third reader: %v, %v; want 503 with Retry-After", resp, err)
			}
			close(open)
			if err := errors.Join(<-done, <-done); err != nil {
				t.Error(err)
			}
			if resp, _, err := ask(t, "GET", node, path); err != nil || resp.StatusCode != 200 {
				t.Errorf("after the others were served: %v, %v; want 200", resp, err)
			}
		})
	}
}

// watched tells when the server lets go of an object.
type watched struct {
	*transporttest.Object
	closed chan struct{}
}

func (w watched) Close() error { close(w.closed); return w.Object.Close() }

// TestRow42_ReaderThatDoesNotRead holds its slot no longer than WriteTimeout; so
// does Close of the transport.
func TestRow42_ReaderThatDoesNotRead(t *testing.T) {
	for name, x := range map[string]struct {
		timeout time.Duration
		act     func(transporttest.Node)
	}{
		"timeout": {50 * time.Millisecond, func(transporttest.Node) {}},
		"close":   {time.Hour, func(n transporttest.Node) { n.Close() }},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := transporttest.NewContent(1, 32<<20) // more than the sockets buffer
			if err != nil {
				t.Fatal(err)
			}
			obj := watched{transporttest.NewObject(c, nil), make(chan struct{})}
			node := startNode(t, transporttest.Source{c.ID(): obj}, func(v any) error {
				v.(*http.Options).WriteTimeout = x.timeout
				return nil
			})
			conn, err := net.Dial("tcp", node.Peer.Addr.String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "GET /nt/v1/objects/%s HTTP/1.1\r\nHost: x\r\n\r\n", c.ID())
			for before := int64(-1); before != obj.Reads(); { // until the node is stuck in a write
				before = obj.Reads()
				time.Sleep(20 * time.Millisecond)
			}
			x.act(node)
			<-obj.closed
		})
	}
}

// TestN8_LongUpload: an upload may take longer than the server gives requests and
// replies as a whole: it has a deadline per block instead.
func TestN8_LongUpload(t *testing.T) {
	c, err := transporttest.NewContent(1, 200<<10)
	if err != nil {
		t.Fatal(err)
	}
	const patience = 50 * time.Millisecond
	obj := transporttest.NewObject(c, nil)
	obj.OnRead = func(i int) {
		if i == 100 {
			time.Sleep(3 * patience) // so that the request's time is over, not a wait for anything
		}
	}
	mux := nethttp.NewServeMux()
	open(t, transport.Env{Mux: mux, Source: transporttest.Source{c.ID(): obj}, Options: quick})
	srv := httptest.NewUnstartedServer(mux)
	srv.Config.ReadTimeout, srv.Config.WriteTimeout = patience, patience
	srv.Start()
	t.Cleanup(srv.Close)
	node := transporttest.Node{Peer: transport.Peer{Addr: netip.MustParseAddrPort(srv.Listener.Addr().String())}}
	if _, body, err := ask(t, "GET", node, "/nt/v1/objects/"+c.ID().String()); err != nil || !bytes.Equal(body, honest(t, c, 0, 200)) {
		t.Errorf("%d bytes came, %v", len(body), err)
	}
}

// TestUploadRate: of two nodes, one with a quarter of the other's upload rate, the
// slower one has sent much less than all when the faster one is done.
func TestUploadRate(t *testing.T) {
	const rate = 512 << 10
	c, err := transporttest.NewContent(1, 400<<10)
	if err != nil {
		t.Fatal(err)
	}
	limited := func(r int64) transporttest.Node {
		return startNode(t, transporttest.Holding(c), func(v any) error { v.(*http.Options).UploadRate = r; return quick(v) })
	}
	slow, fast := limited(rate), limited(4*rate)
	reader := open(t, transport.Env{Options: quick})
	var slowLog, fastLog transporttest.Log
	slowSink := transporttest.NewSink(c.ID())
	done := make(chan error)
	go func() { done <- reader.Fetch(t.Context(), request(slowSink, c, &slowLog, slow.Peer)) }()
	if err := reader.Fetch(t.Context(), request(transporttest.NewSink(c.ID()), c, &fastLog, fast.Peer)); err != nil {
		t.Fatal(err)
	}
	got := slowSink.Bytes()
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err == nil {
		t.Error("the slow fetch ended without an error when its transport was closed")
	}
	if got > c.Header().Size*6/10 {
		t.Errorf("at a quarter of the rate, %d of %d bytes came in the same time", got, c.Header().Size)
	}
}
