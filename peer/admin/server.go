package admin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Limits of the server.
const (
	maxNeighbours = 256 // shown
	maxHeadBytes  = 16 << 10
	headTimeout   = 5 * time.Second
	wholeTimeout  = 30 * time.Second
	idleTimeout   = time.Minute
)

// Config is what a Server is made of.
type Config struct {
	Source Source // required
	// Hosts are further host names, without port, by which the server may be
	// asked; its own address and localhost are always allowed.
	Hosts []string
	// Token must come with every method that changes something, in X-NT-Token or
	// as a bearer token. With "" such methods are refused.
	Token string
	// Actions are what POST /api/NAME does, with the query of its URL.
	Actions map[string]Action
	// View shows copies at /view/URL; nil shows none.
	View Viewer
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Action changes something. Its error's text is for the user who asked.
type Action = func(ctx context.Context, query url.Values) error

// Server is the admin server. Make it with New.
type Server struct {
	cfg  Config
	http *http.Server
	mu   sync.Mutex // guards own
	own  []netip.AddrPort

	viewKey [32]byte // makes the viewer's host names unguessable
}

// New makes a server.
func New(cfg Config) (*Server, error) {
	if cfg.Source == nil {
		return nil, errors.New("admin: Config.Source is required")
	}
	for name := range cfg.Actions {
		if name == "" || name == "status" || strings.ContainsAny(name, "/{} ") {
			return nil, fmt.Errorf("admin: %q cannot be an action's name", name)
		}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Server{cfg: cfg}
	rand.Read(s.viewKey[:]) // never fails
	s.http = &http.Server{
		Handler:           s.guard(s.routes()),
		ReadHeaderTimeout: headTimeout,
		ReadTimeout:       wholeTimeout,
		WriteTimeout:      wholeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeadBytes,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	return s, nil
}

// Serve answers on ln until Shutdown, and returns nil then.
func (s *Server) Serve(ln net.Listener) error {
	if ap, err := netip.ParseAddrPort(ln.Addr().String()); err == nil {
		s.mu.Lock()
		s.own = append(s.own, netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()))
		s.mu.Unlock()
	}
	if err := s.http.Serve(ln); err != http.ErrServerClosed {
		return fmt.Errorf("serving the admin page: %w", err)
	}
	return nil
}

// Shutdown stops accepting and waits for running requests; when ctx ends first
// it cuts them and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		s.http.Close()
	}
	return err
}
