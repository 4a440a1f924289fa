package http_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	nethttp "net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nt/chunker"
	"nt/plugins/http"
	"nt/transport"
	"nt/transport/transporttest"
)

// raw is a peer that answers each request with what say writes, then closes the
// connection.
type raw struct {
	peer  transport.Peer
	asked atomic.Int64
}

func startRaw(t *testing.T, say func(w io.Writer, r *nethttp.Request)) *raw {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &raw{peer: transport.Peer{Addr: netip.MustParseAddrPort(ln.Addr().String())}}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); ln.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			p.asked.Add(1)
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			wg.Go(func() {
				defer stop()
				defer conn.Close()
				if r, err := nethttp.ReadRequest(bufio.NewReader(conn)); err == nil {
					say(conn, r)
				}
			})
		}
	})
	return p
}

// impatient makes a peer that keeps us waiting fail fast.
func impatient(v any) error {
	o := v.(*http.Options)
	o.FirstByteTimeout = 150 * time.Millisecond
	o.StallTimeout = 100 * time.Millisecond
	o.MinRate = 10 << 20
	o.RetryWait = time.Millisecond
	return nil
}

// honest returns the body of a right reply that carries chunks first..end-1.
func honest(t testing.TB, c *transporttest.Content, first, end int) []byte {
	h := c.Header()
	b := h.AppendBinary(nil)
	for i := first; i < end; i++ {
		if i == first || i%chunker.ChunksPerMeta == 0 {
			p, err := c.MetaProof(chunker.MetaOf(i))
			if err != nil {
				t.Fatal(err)
			}
			b = p.AppendBinary(b)
		}
		b = append(b, c.Chunk(i, nil)...)
	}
	return b
}

const okLine = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.nt.chunks\r\n"

// endless writes s until the reader is gone.
func endless(w io.Writer, s string) {
	for {
		if _, err := io.WriteString(w, s); err != nil {
			return
		}
	}
}

// TestRow42_HostileReplies: whatever a peer does at the level of HTTP, the fetch
// completes from the next one, and the peer is named for what it did.
func TestRow42_HostileReplies(t *testing.T) {
	c, err := transporttest.NewContent(1, 40<<10)
	if err != nil {
		t.Fatal(err)
	}
	right := honest(t, c, 0, 40)
	bomb := gzipped(t, bytes.Repeat([]byte{0}, 8<<20))
	const dead, bad = transport.EventDeadPeer, transport.EventBadPeer
	fixed := func(format string, args ...any) func(io.Writer, *nethttp.Request) {
		return func(w io.Writer, _ *nethttp.Request) { fmt.Fprintf(w, format, args...) }
	}
	wait := func(w io.Writer) { io.Copy(io.Discard, w.(io.Reader)) } // until the reader gives up
	for _, x := range []struct {
		name string
		want transport.EventKind
		say  func(io.Writer, *nethttp.Request)
	}{
		{"closes at once", dead, func(io.Writer, *nethttp.Request) {}},
		{"says nothing", dead, func(w io.Writer, _ *nethttp.Request) { wait(w) }},
		{"no HTTP", dead, fixed("SSH-2.0-OpenSSH_9.2\r\n\r\n")},
		{"endless headers", dead, func(w io.Writer, _ *nethttp.Request) {
			io.WriteString(w, okLine)
			endless(w, "X-Padding: "+strings.Repeat("a", 1000)+"\r\n")
		}},
		{"endless header line", dead, func(w io.Writer, _ *nethttp.Request) { endless(w, strings.Repeat("a", 1000)) }},
		{"headers that never end", dead, func(w io.Writer, _ *nethttp.Request) { io.WriteString(w, okLine); wait(w) }},
		{"endless early hints", dead, func(w io.Writer, _ *nethttp.Request) { endless(w, "HTTP/1.1 103 Early Hints\r\n\r\n") }},
		{"404", dead, fixed("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")},
		{"503", dead, fixed("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")},
		{"206", dead, fixed("HTTP/1.1 206 Partial Content\r\nContent-Length: 0\r\n\r\n")},
		{"web page", bad, fixed("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi")},
		{"gzip bomb", bad, fixed(okLine+"NT-Chunks: 0-39\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(bomb), bomb)},
		{"wrong length", bad, fixed(okLine+"NT-Chunks: 0-39\r\nContent-Length: 99999999999\r\n\r\n%s", right)},
		{"no NT-Chunks", bad, fixed(okLine+"Content-Length: %d\r\n\r\n%s", len(right), right)},
		{"odd NT-Chunks", bad, fixed(okLine+"NT-Chunks: 0-39, 50-60\r\nContent-Length: %d\r\n\r\n%s", len(right), right)},
		{"other chunks", bad, fixed(okLine+"NT-Chunks: 1-39\r\n\r\n%s", honest(t, c, 1, 40))},
		{"chunks beyond the end", bad, fixed(okLine+"NT-Chunks: 0-40\r\n\r\n%s", right)},
		{"chunks without end", bad, fixed(okLine+"NT-Chunks: 0-\r\n\r\n%s", right)},
		{"zeros", bad, fixed(okLine+"NT-Chunks: 0-39\r\n\r\n%s", make([]byte, len(right)))},
		{"endless zeros", bad, func(w io.Writer, _ *nethttp.Request) {
			io.WriteString(w, okLine+"NT-Chunks: 0-39\r\n\r\n")
			endless(w, strings.Repeat("\x00", 4096))
		}},
		{"cut", dead, fixed(okLine+"NT-Chunks: 0-39\r\nContent-Length: %d\r\n\r\n%s", len(right), right[:20<<10])},
		{"cut in the header", dead, fixed(okLine+"NT-Chunks: 0-39\r\nContent-Length: %d\r\n\r\n%s", len(right), right[:70])},
		{"stalls", dead, func(w io.Writer, _ *nethttp.Request) {
			fmt.Fprintf(w, okLine+"NT-Chunks: 0-39\r\n\r\n%s", right[:20<<10])
			wait(w)
		}},
		{"trickles", dead, func(w io.Writer, _ *nethttp.Request) {
			io.WriteString(w, okLine+"NT-Chunks: 0-39\r\n\r\n")
			for _, b := range right {
				time.Sleep(10 * time.Millisecond) // its slowness, not a wait for anything
				if _, err := w.Write([]byte{b}); err != nil {
					return
				}
			}
		}},
		{"NT-Have of rubbish", bad, fixed("HTTP/1.1 416 No\r\nNT-Have: !!!\r\nContent-Length: 0\r\n\r\n")},
		{"NT-Have too long", bad, fixed("HTTP/1.1 416 No\r\nNT-Have: %s\r\nContent-Length: 0\r\n\r\n", strings.Repeat("A", 5000))},
		{"NT-Have of nine intervals", bad, fixed("HTTP/1.1 416 No\r\nNT-Have: CQABAAEAAQABAAEAAQABAAEA\r\nContent-Length: 0\r\n\r\n")},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			peer := startRaw(t, x.say)
			good := startNode(t, transporttest.Holding(c), impatient)
			reader := open(t, transport.Env{Options: impatient})
			var log transporttest.Log
			sink := transporttest.NewSink(c.ID())
			err := reader.Fetch(t.Context(), request(sink, c, &log, peer.peer, good.Peer))
			if err != nil {
				t.Fatalf("Fetch: %v", err)
			}
			if err := sink.Check(c); err != nil || !sink.Complete() {
				t.Errorf("the sink: complete is %v, %v", sink.Complete(), err)
			}
			for _, kind := range []transport.EventKind{dead, bad} {
				want := 0
				if kind == x.want {
					want = 1
				}
				if got := log.Failures(kind, peer.peer.Addr); got != want {
					t.Errorf("%d events of kind %d for the peer, want %d\n%s", got, kind, want, &log)
				}
			}
		})
	}
}

func gzipped(t *testing.T, b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func request(sink *transporttest.Sink, c *transporttest.Content, log *transporttest.Log, peers ...transport.Peer) transport.Request {
	return transport.Request{
		Object:  c.ID(),
		Sink:    sink,
		Peers:   func(context.Context) ([]transport.Peer, error) { return peers, nil },
		Observe: log.Observe,
	}
}

// TestRow40_EndlessBody: what follows the right bytes is not read, and the
// connection is closed on it.
func TestRow40_EndlessBody(t *testing.T) {
	c, err := transporttest.NewContent(1, 40<<10)
	if err != nil {
		t.Fatal(err)
	}
	cut := make(chan struct{})
	peer := startRaw(t, func(w io.Writer, _ *nethttp.Request) {
		fmt.Fprintf(w, okLine+"NT-Chunks: 0-39\r\n\r\n%s", honest(t, c, 0, 40))
		endless(w, strings.Repeat("more", 1000))
		close(cut)
	})
	reader := open(t, transport.Env{Options: impatient})
	var log transporttest.Log
	sink := transporttest.NewSink(c.ID())
	if err := reader.Fetch(t.Context(), request(sink, c, &log, peer.peer)); err != nil {
		t.Fatalf("Fetch: %v", err)
	}
	<-cut
	overhead := int64(len(honest(t, c, 0, 40))) - c.Header().Size
	if got := log.Bytes(transport.EventOverhead); got != overhead {
		t.Errorf("events tell of %d bytes of header and proofs, want %d", got, overhead)
	}
}

// countedConn counts what is read of it.
type countedConn struct {
	net.Conn
	n *atomic.Int64
}

func (c countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// TestRow42_HeaderLimit: of endless headers 64 KiB are read at most.
func TestRow42_HeaderLimit(t *testing.T) {
	c, err := transporttest.NewContent(1, 4<<10)
	if err != nil {
		t.Fatal(err)
	}
	for name, line := range map[string]string{"lines": "X-Padding: a\r\n", "one line": "aaaaaaaaaa"} {
		t.Run(name, func(t *testing.T) {
			peer := startRaw(t, func(w io.Writer, _ *nethttp.Request) {
				io.WriteString(w, okLine+"X-More: ")
				endless(w, strings.Repeat(line, 100))
			})
			var read atomic.Int64
			reader, err := http.Open(transport.Env{
				Options: impatient,
				Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
					conn, err := new(net.Dialer).DialContext(ctx, network, addr)
					return countedConn{conn, &read}, err
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer reader.Close()
			var log transporttest.Log
			err = reader.Fetch(t.Context(), request(transporttest.NewSink(c.ID()), c, &log, peer.peer))
			if !errors.Is(err, transport.ErrNoProgress) {
				t.Errorf("Fetch: %v, want %v", err, transport.ErrNoProgress)
			}
			if max := peer.asked.Load() * (64 << 10); read.Load() > max {
				t.Errorf("%d bytes were read in %d replies", read.Load(), peer.asked.Load())
			}
		})
	}
}

// TestRow1_BadPeerIsNotAskedAgain: over all lists, and also when other peers
// make the fetch go on for longer.
func TestRow1_BadPeerIsNotAskedAgain(t *testing.T) {
	c, err := transporttest.NewContent(1, 40<<10)
	if err != nil {
		t.Fatal(err)
	}
	spoilt := honest(t, c, 0, 1)
	spoilt[len(spoilt)-1] ^= 1
	bad := startRaw(t, func(w io.Writer, _ *nethttp.Request) {
		fmt.Fprintf(w, okLine+"NT-Chunks: 0-39\r\n\r\n%s", spoilt)
	})
	absent := startRaw(t, func(w io.Writer, _ *nethttp.Request) {
		io.WriteString(w, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	})
	reader := open(t, transport.Env{Options: impatient})
	var log transporttest.Log
	err = reader.Fetch(t.Context(), request(transporttest.NewSink(c.ID()), c, &log, bad.peer, absent.peer, bad.peer))
	if !errors.Is(err, transport.ErrNoProgress) {
		t.Fatalf("Fetch: %v, want %v", err, transport.ErrNoProgress)
	}
	if n := bad.asked.Load(); n != 1 {
		t.Errorf("the bad peer was asked %d times, want once", n)
	}
	if n := log.Bytes(transport.EventOverhead); n != int64(len(spoilt)) {
		t.Errorf("events tell of %d bytes for nothing, %d came", n, len(spoilt))
	}
	if n, want := absent.asked.Load(), int64(http.DefaultOptions().MaxRounds); n != want {
		t.Errorf("the peer that does not have it was asked %d times, want %d", n, want)
	}
}

// TestRow42_EndlessElsewhere: a peer that always claims to hold a later chunk is
// asked a bounded number of times.
func TestRow42_EndlessElsewhere(t *testing.T) {
	c, err := transporttest.NewContent(1, 40<<10)
	if err != nil {
		t.Fatal(err)
	}
	peer := startRaw(t, func(w io.Writer, r *nethttp.Request) {
		// One interval, all chunks there can be.
		io.WriteString(w, "HTTP/1.1 416 No\r\nNT-Have: AQD__z8\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	})
	reader := open(t, transport.Env{Options: func(v any) error { // none of 768 answers may be late on a busy machine
		v.(*http.Options).FirstByteTimeout, v.(*http.Options).RetryWait = 10*time.Second, time.Millisecond
		return nil
	}})
	var log transporttest.Log
	err = reader.Fetch(t.Context(), request(transporttest.NewSink(c.ID()), c, &log, peer.peer))
	if !errors.Is(err, transport.ErrNoProgress) {
		t.Fatalf("Fetch: %v, want %v", err, transport.ErrNoProgress)
	}
	if n := peer.asked.Load(); n != 3*256 {
		t.Errorf("the peer was asked %d times, want 256 for each of 3 lists", n)
	}
}

// TestRow42_RedirectIsNotFollowed: a peer cannot send the reader anywhere.
func TestRow42_RedirectIsNotFollowed(t *testing.T) {
	c, err := transporttest.NewContent(1, 4<<10)
	if err != nil {
		t.Fatal(err)
	}
	private := startNode(t, transporttest.Holding(c), quick)
	peer := startRaw(t, func(w io.Writer, r *nethttp.Request) {
		fmt.Fprintf(w, "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://%s%s\r\nContent-Length: 0\r\n\r\n", private.Peer.Addr, r.URL.RequestURI())
	})
	reader := open(t, transport.Env{Options: impatient})
	var log transporttest.Log
	sink := transporttest.NewSink(c.ID())
	if err := reader.Fetch(t.Context(), request(sink, c, &log, peer.peer)); !errors.Is(err, transport.ErrNoProgress) {
		t.Fatalf("Fetch: %v, want %v", err, transport.ErrNoProgress)
	}
	if sink.Bytes() != 0 {
		t.Error("the reader followed the redirect")
	}
}
