// Package rendezvous owns the tracker's UDP side: sessions that peers keep open,
// the address each comes from, introductions between them (F43), and what they are after at this moment. It shares its port
// number and key with the tracker, and knows nothing of what peers hold.
package rendezvous

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"nt/internal/crowd"
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
type Server struct {
	node *wire.Node
	now  func() time.Time

	mu    sync.Mutex
	after *crowd.Table[transport.PeerID]
}

// maxAfter bounds who is remembered to be after something, 230 bytes each where many are after the same, 420 where each is alone.
const maxAfter = 1 << 15

// New starts a server on conf.Conn.
func New(conf Config) (*Server, error) {
	if conf.MaxSessions == 0 {
		conf.MaxSessions = DefaultSessions
	}
	if conf.MaxPerGroup == 0 {
		conf.MaxPerGroup = DefaultPerGroup
	}
	if conf.Now == nil {
		conf.Now = time.Now
	}
	s := &Server{now: conf.Now, after: crowd.New[transport.PeerID](maxAfter)}
	node, err := wire.Listen(wire.Config{
		Conn: conf.Conn, Key: conf.Key, Allowed: conf.Allowed, MaxSessions: conf.MaxSessions, MaxPerGroup: conf.MaxPerGroup,
		Idle: Idle, Now: conf.Now, Log: conf.Log,
		Accept: func(*wire.Session) bool { return true }, Query: conf.Query, After: s.heard,
	})
	if err != nil {
		return nil, fmt.Errorf("starting the rendezvous: %w", err)
	}
	s.node = node
	return s, nil
}

// heard notes what a peer says that it is after.
func (s *Server) heard(from *wire.Session, topic [32]byte, is bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if is {
		s.after.Join(s.now(), topic, from.Peer(), transport.NetworkGroup(from.Addr().Addr()))
	} else {
		s.after.Leave(s.now(), topic, from.Peer())
	}
}

// After returns up to k peers that are after a topic at this moment and have an open session, one of each address they come from;
// not who comes from the address but.
func (s *Server) After(topic [32]byte, k int, but netip.AddrPort, rnd *rand.Rand) []transport.PeerID {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[netip.AddrPort]bool{but: true}
	return s.after.Pick(s.now(), topic, k, rnd, func(id transport.PeerID) bool {
		addr, ok := s.Endpoint(id)
		if !ok || seen[addr] {
			return false
		}
		seen[addr] = true
		return true
	})
}

// Fetching is how many are remembered to be after something, counted for each thing.
func (s *Server) Fetching() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.after.Len()
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
