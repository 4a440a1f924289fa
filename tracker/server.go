package tracker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
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
		ErrorLog:          slog.NewLogLogger(api.log.Handler(), slog.LevelDebug),
	}}
}

// Serve answers on l until Shutdown or Close; then it returns nil.
func (s *Server) Serve(l net.Listener) error {
	err := s.http.Serve(netutil.LimitListener(l, s.conns.most))
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
