package proxy

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// start runs a proxy on loopback and returns it with its address.
func start(t testing.TB, change func(*Config)) (*Server, string) {
	t.Helper()
	cfg := Config{Dial: (&net.Dialer{}).DialContext}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.Shutdown(ctx)
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s, ln.Addr().String()
}

// rawOrigin answers every connection by handle and returns its address.
func rawOrigin(t testing.TB, handle func(c net.Conn, br *bufio.Reader)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				handle(c, bufio.NewReader(c))
			}()
		}
	}()
	return ln.Addr().String()
}

// httpOrigin serves h and returns its address.
func httpOrigin(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
	return ln.Addr().String()
}

func dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second)) // a hanging test fails instead
	return c
}

// message is a response as it stood on the wire.
type message struct {
	Interim []string // status and fields of each 1xx
	Status  int
	Header  http.Header
	Framing string // length, chunked, close or none
	Body    string
	Trailer http.Header
	Cut     bool // the body ended too early
}

// readMessage reads one response without help of net/http.
func readMessage(br *bufio.Reader, method string) (message, error) {
	var m message
	tp := textproto.NewReader(br)
	for {
		line, err := tp.ReadLine()
		if err != nil {
			return m, err
		}
		if !strings.HasPrefix(line, "HTTP/1.") || len(line) < 12 {
			return m, fmt.Errorf("status line %q", line)
		}
		m.Status, _ = strconv.Atoi(line[9:12])
		h, err := tp.ReadMIMEHeader()
		if err != nil {
			return m, err
		}
		m.Header = http.Header(h)
		if m.Status >= 200 || m.Status == 101 {
			break
		}
		m.Interim = append(m.Interim, fmt.Sprint(m.Status, m.Header))
	}
	return m, m.readBody(br, method)
}

func (m *message) readBody(br *bufio.Reader, method string) error {
	var body []byte
	var err error
	switch length := m.Header.Get("Content-Length"); {
	case method == "HEAD" || m.Status == 304 || m.Status == 204 || m.Status == 101:
		m.Framing = "none"
	case m.Header.Get("Transfer-Encoding") == "chunked":
		m.Framing = "chunked"
		if body, err = io.ReadAll(httputil.NewChunkedReader(br)); err == nil {
			var tr textproto.MIMEHeader
			if tr, err = textproto.NewReader(br).ReadMIMEHeader(); len(tr) > 0 {
				m.Trailer = http.Header(tr)
			}
		}
	case length != "":
		m.Framing = "length"
		n, _ := strconv.Atoi(length)
		body, err = io.ReadAll(io.LimitReader(br, int64(n)))
		if err == nil && len(body) < n {
			err = io.ErrUnexpectedEOF
		}
	default:
		m.Framing = "close"
		body, err = io.ReadAll(br)
	}
	m.Body, m.Cut = string(body), err != nil
	return nil
}

// exchange sends raw bytes and reads one response.
func exchange(t testing.TB, addr, method, request string) message {
	t.Helper()
	c := dial(t, addr)
	go io.Copy(c, strings.NewReader(request))
	m, err := readMessage(bufio.NewReader(c), method)
	if err != nil {
		t.Fatalf("reading the response to %.60q: %v", request, err)
	}
	return m
}

// endToEnd takes out of m what belongs to one connection.
func (m message) endToEnd() message {
	h := m.Header.Clone()
	dropHopByHop(h)
	m.Header = h
	return m
}

// readRequest reads a request with its body and returns its head and body as text.
func readRequest(br *bufio.Reader) (string, error) {
	var raw bytes.Buffer
	r, err := http.ReadRequest(bufio.NewReader(io.TeeReader(&oneByte{br}, &raw)))
	if err != nil {
		return "", err
	}
	_, err = io.Copy(io.Discard, r.Body)
	return raw.String(), err
}

// oneByte keeps a bufio.Reader above it from reading ahead of a message.
type oneByte struct{ r io.Reader }

func (o *oneByte) Read(p []byte) (int, error) {
	if len(p) > 1 {
		p = p[:1]
	}
	return o.r.Read(p)
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
