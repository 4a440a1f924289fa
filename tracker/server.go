package tracker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"golang.org/x/net/netutil"
)

// MaxConns is how many connections a Server holds at once if it is not told.
const MaxConns = 8192

// ConnBytes is about what an open connection takes, in bytes.
const ConnBytes = 20 << 10

// Server is an HTTP server for an API with every limit set.
type Server struct {
	api   *API
	http  *http.Server
	conns *connBook
}

// NewServer returns a server that answers with the API and holds at most so many
// connections at once; 0 is MaxConns. One address gets an eighth of them. When half of them are
// open none is kept after its answer.
func NewServer(api *API, conns int) *Server {
	if conns <= 0 {
		conns = MaxConns
	}
	book := newConnBook(conns)
	return &Server{api: api, conns: book, http: &http.Server{
		ConnState: book.state,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if book.crowded() {
				w.Header().Set("Connection", "close")
			}
			api.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       20 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams, MaxReceiveBufferPerStream: 64 << 10, MaxReceiveBufferPerConnection: 128 << 10},
		ErrorLog:          slog.NewLogLogger(api.log.Handler(), slog.LevelDebug),
	}}
}

// maxStreams is how many requests one HTTP/2 connection may have under way: clients send batches.
const maxStreams = 16

// ServeBoth answers on l until Shutdown or Close, with TLS and HTTP/2 on those of its
// connections that split gives to secure; then it returns nil. cfg needs certificates only.
func (s *Server) ServeBoth(l net.Listener, cfg *tls.Config, split func(net.Listener) (plain, secure net.Listener)) error {
	plain, secure := split(netutil.LimitListener(l, s.conns.most))
	if !slices.Contains(cfg.NextProtos, "h2") {
		cfg.NextProtos = append([]string{"h2", "http/1.1"}, cfg.NextProtos...) // Serve would take a config without for a wish
	}
	s.http.TLSConfig = cfg
	failed := make(chan error, 1)
	go func() { failed <- s.http.ServeTLS(secure, "", "") }()
	err := s.http.Serve(plain)
	if first := <-failed; !errors.Is(first, http.ErrServerClosed) {
		err = first
	}
	return served(err)
}

// Serve answers on l until Shutdown or Close; then it returns nil.
func (s *Server) Serve(l net.Listener) error {
	return served(s.http.Serve(netutil.LimitListener(l, s.conns.most)))
}

func served(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serving the tracker: %w", err)
}

// Shutdown drains: running requests finish, new ones on open connections get 503
// with Retry-After, no new connections are taken. When ctx ends first, what
// is left is cut off.
func (s *Server) Shutdown(ctx context.Context) error {
	s.api.draining.Store(true)
	if err := s.http.Shutdown(ctx); err != nil {
		s.http.Close()
		return fmt.Errorf("draining the tracker: %w", err)
	}
	return nil
}

// Close ends everything at once.
func (s *Server) Close() error { return s.http.Close() }
