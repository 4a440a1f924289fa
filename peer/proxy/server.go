package proxy

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Limits of the server, in bytes. net/http adds 4 KiB of its own to the first.
const (
	maxHeadBytes     = 60 << 10
	maxResponseHead  = 256 << 10
	copyBufferBytes  = 32 << 10
	maxInformational = 64 // per request
)

// Server is the proxy. Make it with New.
type Server struct {
	cfg    Config
	name   string // what Via calls this server; random, so that a loop is told from a chain
	http   *http.Server
	within *http.Server    // of intercepted tunnels; nil without Config.Intercept
	inner  *queue          // its listener
	hot    *hotTier        // nil without Config.Hot
	reuse  *http.Transport // for requests that may be repeated
	fresh  *http.Transport // for those that may not
	bufs   sync.Pool
	mu     sync.Mutex // guards self, tunnels and closing
	self   []netip.AddrPort
	tunnel map[io.Closer]struct{}
	closed bool
	drain  sync.WaitGroup // tunnels
}

// New makes a proxy. It returns *OpenProxyError if cfg.Addr would make it an open
// one; modes turn that into exit code 2.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	var id [6]byte
	rand.Read(id[:])
	s := &Server{cfg: cfg, name: "nt-" + hex.EncodeToString(id[:]), tunnel: make(map[io.Closer]struct{})}
	s.bufs.New = func() any { b := make([]byte, copyBufferBytes); return &b }
	s.hot = newHotTier(cfg.Hot)
	s.reuse = newTransport(cfg, 16)
	s.fresh = newTransport(cfg, -1)
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		ReadHeaderTimeout: cfg.HeadTimeout,
		IdleTimeout:       cfg.IdleTimeout,
		MaxHeaderBytes:    maxHeadBytes,
		ErrorLog:          log.New(io.Discard, "", 0), // foreign strings; refusals are logged by the gate

		DisableGeneralOptionsHandler: true,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, gateKey{}, c)
		},
	}
	if cfg.Intercept != nil {
		s.inner, s.within = newQueue(), s.newInner()
		go s.within.Serve(s.inner) // ends with Shutdown
	}
	return s, nil
}

// newTransport makes a transport that changes nothing: no proxy of its own, no
// Accept-Encoding, no redirects. idle is how many connections per host wait to be
// used again; a negative number is none, without a word of that to the origin.
func newTransport(cfg Config, idle int) *http.Transport {
	return &http.Transport{
		DialContext:            cfg.Dial,
		TLSClientConfig:        cfg.TLS,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		TLSHandshakeTimeout:    30 * time.Second,
		ExpectContinueTimeout:  time.Second,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    idle,
		MaxResponseHeaderBytes: maxResponseHead,
	}
}

// Serve accepts readers on ln until Shutdown, and returns nil then. It refuses a
// listener that would make an open proxy with *OpenProxyError and closes it.
func (s *Server) Serve(ln net.Listener) error {
	if err := s.cfg.checkBind(ln.Addr().String()); err != nil {
		ln.Close()
		return err
	}
	if ap, err := netip.ParseAddrPort(ln.Addr().String()); err == nil {
		s.mu.Lock()
		s.self = append(s.self, netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()))
		s.mu.Unlock()
	}
	gated := &listener{
		Listener: ln,
		places:   make(chan struct{}, s.cfg.MaxConns),
		done:     make(chan struct{}),
		wrap:     s.gate,
	}
	if err := s.http.Serve(gated); err != http.ErrServerClosed {
		return fmt.Errorf("serving readers: %w", err)
	}
	return nil
}

// gate admits a connection.
func (s *Server) gate(c net.Conn, free func()) (net.Conn, error) {
	if err := s.admit(c.RemoteAddr()); err != nil {
		s.cfg.Log.Warn("reader refused", "addr", c.RemoteAddr(), "err", err)
		return nil, err
	}
	refused := func(err error) {
		s.cfg.Log.Warn("request refused", "addr", c.RemoteAddr(), "err", err)
	}
	return &gate{Conn: c, refused: refused, stall: s.cfg.StallTimeout, free: free, hot: s.hot, idle: s.cfg.IdleTimeout, headTime: s.cfg.HeadTimeout}, nil
}

// admit refuses readers outside the allowed networks.
func (s *Server) admit(addr net.Addr) error {
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return nil // not an IP network: a pipe or a Unix socket
	}
	ip := ap.Addr().Unmap().WithZone("")
	if len(s.cfg.Allow) == 0 || ip.IsLoopback() {
		return nil
	}
	for _, p := range s.cfg.Allow {
		if p.Contains(ip) {
			return nil
		}
	}
	return fmt.Errorf("%s is in no allowed network", ip)
}

// Shutdown stops accepting and waits for requests and tunnels to end. When ctx
// ends first it cuts what is left and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	err := s.http.Shutdown(ctx)
	if s.within != nil {
		err = errors.Join(err, s.within.Shutdown(ctx))
	}
	done := make(chan struct{})
	go func() { s.drain.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		err = ctx.Err()
		s.http.Close()
		if s.within != nil {
			s.within.Close()
		}
		s.cutTunnels()
		<-done
	}
	s.reuse.CloseIdleConnections()
	s.fresh.CloseIdleConnections()
	return err
}

func (s *Server) cutTunnels() {
	s.mu.Lock()
	open := slices.Collect(maps.Keys(s.tunnel))
	s.mu.Unlock()
	for _, c := range open { // not under the lock: an intercepted one leaves as it closes
		c.Close()
	}
}

// isSelf reports whether host and port are where this server listens.
func (s *Server) isSelf(host string, port uint16) bool {
	ip, err := netip.ParseAddr(host)
	ip = ip.Unmap()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, own := range s.self {
		if own.Port() != port {
			continue
		}
		if host == "localhost" || err == nil && (ip == own.Addr() || ip.IsLoopback() || ip.IsUnspecified()) {
			return true
		}
	}
	return false
}
