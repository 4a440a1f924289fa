// Package rendezvous owns the tracker's UDP side: sessions that peers keep open,
// the address each comes from, and introductions between them (F43). It shares its port
// number and key with the tracker, and knows nothing of what peers hold.
package rendezvous

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"nt/transport"
	"nt/transport/wire"
)

// Defaults of Config.
const (
	DefaultSessions = 1 << 16
	DefaultPerGroup = 512
	// Idle is how long a silent session is kept: peers send something every
	// third of it.
	Idle = time.Minute
)

// Config is what a Server is made of.
type Config struct {
	Conn net.PacketConn // read by the server alone, closed by Close
	Key  ed25519.PrivateKey
	// Allowed says to which addresses peers may be introduced; nil allows all.
	Allowed func(netip.Addr) bool
	// Query hears questions outside of sessions; nil answers none.
	Query       func(*wire.Query)
	MaxSessions int // 0 means DefaultSessions
	MaxPerGroup int // of one /24 or /48 network; 0 means DefaultPerGroup
	Now         func() time.Time
	Log         *slog.Logger
}

// Server accepts sessions from peers and introduces them to each other. It is
// safe for concurrent use.
type Server struct{ node *wire.Node }

// New starts a server on conf.Conn.
func New(conf Config) (*Server, error) {
	if conf.MaxSessions == 0 {
		conf.MaxSessions = DefaultSessions
	}
	if conf.MaxPerGroup == 0 {
		conf.MaxPerGroup = DefaultPerGroup
	}
	node, err := wire.Listen(wire.Config{
		Conn: conf.Conn, Key: conf.Key, Allowed: conf.Allowed, MaxSessions: conf.MaxSessions, MaxPerGroup: conf.MaxPerGroup,
		Idle: Idle, Now: conf.Now, Log: conf.Log,
		Accept: func(*wire.Session) bool { return true }, Query: conf.Query,
	})
	if err != nil {
		return nil, fmt.Errorf("starting the rendezvous: %w", err)
	}
	return &Server{node}, nil
}

// Key returns the key that sessions with the server are authenticated to.
func (s *Server) Key() transport.PeerID { return s.node.ID() }

// Endpoint returns the address from which the peer's live session comes. The
// peer has proved both the address and the key.
func (s *Server) Endpoint(id transport.PeerID) (netip.AddrPort, bool) {
	session := s.node.Session(id)
	if session == nil {
		return netip.AddrPort{}, false
	}
	return session.Addr(), true
}

// Probe reports whether a node of the wire answers at that very address.
func (s *Server) Probe(ctx context.Context, addr netip.AddrPort) bool { return s.node.Probe(ctx, addr) }

// Stats returns the counters of the socket.
func (s *Server) Stats() wire.Stats { return s.node.Stats() }

// Close says goodbye to all peers and closes the socket.
func (s *Server) Close() error { return s.node.Close() }
