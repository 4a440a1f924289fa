package http

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"nt/chunker"
	"nt/chunker/nois"
	"nt/transport"
	"nt/transport/transporttest"
)

// countingReader counts what is read of it.
type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func fuzzContent(f *testing.F, size int64) (*transporttest.Content, []byte) {
	c, err := transporttest.NewContent(1, size)
	if err != nil {
		f.Fatal(err)
	}
	var body bytes.Buffer
	u := upload{obj: transporttest.NewObject(c, nil), header: c.Header()}
	if err := u.send(&body, span{0, c.Header().NumChunks()}); err != nil {
		f.Fatal(err)
	}
	return c, body.Bytes()
}

// FuzzBody gives receive a right body up to some byte and rubbish from there on.
// It never takes a wrong chunk, never reads more than the reply may have, and
// blames the peer for all of it.
func FuzzBody(f *testing.F) {
	c, right := fuzzContent(f, 35<<10+7)
	n := uint16(c.Header().NumChunks())
	f.Add(uint16(len(right)), []byte("more"), uint16(0), n, uint16(0), n)
	f.Add(uint16(2000), []byte("rubbish"), uint16(0), n, uint16(0), n)
	f.Add(uint16(76), []byte{1, 2, 3}, uint16(0), uint16(60000), uint16(0), n)
	f.Add(uint16(0), []byte{}, uint16(3), uint16(5), uint16(3), uint16(4))
	f.Fuzz(func(t *testing.T, keep uint16, rubbish []byte, askedFirst, askedEnd, sentFirst, sentEnd uint16) {
		data := append(bytes.Clone(right[:min(int(keep), len(right))]), rubbish...)
		sink := transporttest.NewSink(c.ID())
		in := &countingReader{r: bytes.NewReader(data)}
		asked, sent := span{int(askedFirst), int(askedEnd)}, span{int(sentFirst), int(sentEnd)}
		r := reply{id: c.ID(), sink: sink, asked: asked, sent: sent, length: -1, note: func(transport.EventKind, int) {}, there: func(nois.Interval) bool { return false }}
		next, err := r.receive(in)
		if err := sink.Check(c); err != nil {
			t.Fatal(err)
		}
		limit := int64(chunker.HeaderSize)
		if sent.end <= c.Header().NumChunks() {
			limit = replySize(c.Header(), sent)
		}
		if in.n > limit {
			t.Errorf("%d bytes were read of a reply that may have %d", in.n, limit)
		}
		if fault, ok := err.(*peerFault); err != nil && (!ok || fault == nil) {
			t.Errorf("not the peer's fault: %v", err)
		}
		if err == nil && (next <= asked.first || next > asked.end || sink.Have().Count() != sent.end-sent.first) {
			t.Errorf("asked %v, sent %v: goes on at %d with %d chunks", asked, sent, next, sink.Have().Count())
		}
	})
}

// scripted is a connection on which the peer says something once it was asked,
// and closes.
type scripted struct {
	net.Conn // nil: nothing else is called
	in       io.Reader
	asked    chan struct{}
	ask      func() // closes asked
}

func newScripted(data []byte) scripted {
	asked := make(chan struct{})
	return scripted{in: bytes.NewReader(data), asked: asked, ask: sync.OnceFunc(func() { close(asked) })}
}

func (s scripted) Read(p []byte) (int, error)       { <-s.asked; return s.in.Read(p) }
func (s scripted) Write(p []byte) (int, error)      { s.ask(); return len(p), nil }
func (s scripted) Close() error                     { s.ask(); return nil }
func (s scripted) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (s scripted) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (s scripted) SetDeadline(time.Time) error      { return nil }
func (s scripted) SetReadDeadline(time.Time) error  { return nil }
func (s scripted) SetWriteDeadline(time.Time) error { return nil }

// FuzzResponse gives a whole fetch any bytes as the reply, headers and all.
func FuzzResponse(f *testing.F) {
	c, right := fuzzContent(f, 1500) // small, for the fuzzer's sake
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.nt.chunks\r\nNT-Chunks: 0-1\r\nContent-Length: %d\r\n\r\n%s",
		"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.nt.chunks\r\nNT-Chunks: 0-1\r\n\r\n%[2]s%[2]s",
		"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.nt.chunks\r\nTransfer-Encoding: chunked\r\n\r\n669\r\n%[2]s",
	} {
		f.Add(fmt.Appendf(nil, s, len(right), right))
	}
	f.Add([]byte("HTTP/1.1 416 No\r\nNT-Have: AQoC\r\nContent-Length: 0\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n"))
	peer := transport.Peer{Addr: netip.MustParseAddrPort("192.0.2.1:80")}
	f.Fuzz(func(t *testing.T, data []byte) {
		tr, err := Open(transport.Env{
			Options: func(v any) error { v.(*Options).MaxRounds = 1; return nil },
			Dial: func(context.Context, string, string) (net.Conn, error) {
				return newScripted(data), nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		sink := transporttest.NewSink(c.ID())
		err = tr.Fetch(t.Context(), transport.Request{
			Object: c.ID(), Sink: sink,
			Peers: func(context.Context) ([]transport.Peer, error) { return []transport.Peer{peer}, nil },
		})
		if bad := sink.Check(c); bad != nil {
			t.Fatal(bad)
		}
		if (err == nil) != sink.Complete() {
			t.Errorf("Fetch: %v, the sink is complete: %v", err, sink.Complete())
		}
	})
}
