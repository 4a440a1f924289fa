package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Interceptor decides which tunnels are read, and has the certificates for it.
type Interceptor interface {
	// Intercept returns how to shake hands with the reader in the name of host, or nil
	// when the tunnel to host:port is to stay closed to us.
	Intercept(ctx context.Context, host string, port uint16) *tls.Config
	// Taken and Refused hear how the reader liked the certificate.
	Taken(host string)
	Refused(host string, err error)
}

const (
	// helloWait is how long the reader of a tunnel may be silent before it is taken
	// for one in which the origin speaks first, and left alone.
	helloWait = 3 * time.Second
	// tlsHandshake is the first byte of a TLS connection.
	tlsHandshake = 0x16
	// innerStreams bounds what one HTTP/2 connection may ask at a time.
	innerStreams = 128
)

// intercepted is a reader's tunnel that we answer ourselves.
type intercepted struct {
	net.Conn
	host  string // as CONNECT named it
	port  uint16
	first []byte // read ahead
	outer io.Closer
	leave func()
}

type interceptedKey struct{}

// Read returns what was read ahead, then the connection's bytes.
func (c *intercepted) Read(p []byte) (int, error) {
	if len(c.first) > 0 {
		n := copy(p, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// CloseWrite passes a half-close on.
func (c *intercepted) CloseWrite() error {
	if half, ok := c.Conn.(closeWriter); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close closes the connection and gives its place back.
func (c *intercepted) Close() error {
	err := c.outer.Close()
	c.leave()
	return err
}

// intercept answers a CONNECT and then the requests in the tunnel. What turns out not
// to be TLS goes to the origin as it is.
func (s *Server) intercept(w http.ResponseWriter, r *http.Request, host string, port uint16, conf *tls.Config) {
	plain, down, early, err := takeOver(w)
	if err != nil {
		s.cfg.Log.Error("taking a connection over", "err", err)
		panic(http.ErrAbortHandler)
	}
	if !s.enter(down) {
		down.Close()
		return
	}
	c := &intercepted{Conn: plain, host: host, port: port, first: early, outer: down, leave: sync.OnceFunc(func() { s.leave(down) })}
	plain.SetWriteDeadline(time.Now().Add(s.cfg.StallTimeout))
	if _, err := plain.Write(established); err != nil {
		c.Close()
		return
	}
	if isTLS, err := c.hello(); err != nil {
		c.Close()
		return
	} else if !isTLS {
		s.passTunnel(r, c)
		return
	}
	s.shake(c, conf)
}

// hello reports whether the reader begins a TLS handshake.
func (c *intercepted) hello() (bool, error) {
	if len(c.first) == 0 {
		c.SetReadDeadline(time.Now().Add(helloWait))
		buf := make([]byte, 4<<10)
		n, err := c.Conn.Read(buf)
		c.SetReadDeadline(time.Time{})
		var late net.Error
		if n == 0 && !(errors.As(err, &late) && late.Timeout()) {
			return false, err
		}
		c.first = buf[:n]
	}
	return len(c.first) > 0 && c.first[0] == tlsHandshake, nil
}

// passTunnel makes the tunnel an ordinary one after all.
func (s *Server) passTunnel(r *http.Request, c *intercepted) {
	defer c.Close()
	up, err := s.cfg.Dial(r.Context(), "tcp", net.JoinHostPort(c.host, strconv.Itoa(int(c.port))))
	if err != nil {
		s.cfg.Log.Info("no tunnel", "host", c.host, "err", err)
		return
	}
	defer up.Close()
	if !s.enter(up) {
		return
	}
	defer s.leave(up)
	t := &tunnel{idle: s.cfg.TunnelTimeout, up: up, down: c}
	t.run()
}

// shake shakes hands and hands the connection to the inner server.
func (s *Server) shake(c *intercepted, conf *tls.Config) {
	conn := tls.Server(c, conf)
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.HeadTimeout)
	err := conn.HandshakeContext(ctx)
	cancel()
	if err != nil {
		c.Close()
		s.cfg.Intercept.Refused(c.host, err)
		return
	}
	s.cfg.Intercept.Taken(c.host)
	c.SetDeadline(time.Time{})
	var served net.Conn = conn // net/http speaks HTTP/2 on a *tls.Conn only
	if conn.ConnectionState().NegotiatedProtocol != "h2" {
		g := &gate{Conn: conn, stall: s.cfg.StallTimeout, free: func() {}}
		g.scan.inner = true
		g.refused = func(err error) { s.cfg.Log.Warn("request refused", "host", c.host, "err", err) }
		served = g
	}
	if !s.inner.push(served) {
		served.Close()
	}
}

// newInner makes the server of intercepted connections.
func (s *Server) newInner() *http.Server {
	return &http.Server{
		Handler:           http.HandlerFunc(s.serveInner),
		ReadHeaderTimeout: s.cfg.HeadTimeout,
		IdleTimeout:       s.cfg.IdleTimeout,
		MaxHeaderBytes:    maxHeadBytes,
		ErrorLog:          log.New(io.Discard, "", 0),
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: innerStreams, WriteByteTimeout: s.cfg.StallTimeout, SendPingTimeout: s.cfg.IdleTimeout},
		Protocols:         innerProtocols(),

		DisableGeneralOptionsHandler: true,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			conn, ok := c.(*tls.Conn)
			if g, gated := c.(*gate); gated {
				ctx = context.WithValue(ctx, gateKey{}, c)
				conn, ok = g.Conn.(*tls.Conn)
			}
			if ok {
				ctx = context.WithValue(ctx, interceptedKey{}, conn.NetConn())
			}
			return ctx
		},
	}
}

func innerProtocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	return p
}

// serveInner is the way of a request inside an intercepted tunnel: it becomes one in
// absolute form. What is not for the tunnel's host is misdirected (RFC 9110, 15.5.20).
func (s *Server) serveInner(w http.ResponseWriter, r *http.Request) {
	c, ok := r.Context().Value(interceptedKey{}).(*intercepted)
	if !ok {
		panic(http.ErrAbortHandler) // cannot be: the inner server has no other connections
	}
	if s.looped(r.Header) {
		s.refuse(w, r, loopRefusal())
		return
	}
	authority := c.authority()
	if !same(r.Host, authority, "443") {
		s.refuse(w, r, &Refusal{Status: http.StatusMisdirectedRequest, Title: "This connection is for another host"})
		return
	}
	target := r.RequestURI
	if target == "*" && r.Method == http.MethodOptions {
		target, r.URL.Path = "", ""
	} else if !strings.HasPrefix(target, "/") {
		s.refuse(w, r, &Refusal{Status: http.StatusBadRequest, Title: "This is not a request for an origin"})
		return
	}
	r.URL.Scheme, r.URL.Host = "https", authority
	r.RequestURI = "https://" + authority + target
	s.forward(w, r)
}

// authority is the tunnel's host as it stands in URLs.
func (c *intercepted) authority() string {
	if c.port != 443 {
		return net.JoinHostPort(c.host, strconv.Itoa(int(c.port)))
	}
	if strings.Contains(c.host, ":") {
		return "[" + c.host + "]"
	}
	return c.host
}

// queue is a net.Listener of connections that are there already.
type queue struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newQueue() *queue { return &queue{conns: make(chan net.Conn), done: make(chan struct{})} }

// push hands a connection over; it fails after Close.
func (q *queue) push(c net.Conn) bool {
	select {
	case q.conns <- c:
		return true
	case <-q.done:
		return false
	}
}

// Accept returns the next connection.
func (q *queue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept and push.
func (q *queue) Close() error {
	q.once.Do(func() { close(q.done) })
	return nil
}

// Addr is of no network.
func (q *queue) Addr() net.Addr { return &net.UnixAddr{Name: "intercepted", Net: "unix"} }
