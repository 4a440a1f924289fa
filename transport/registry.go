package transport

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
)

// Env is what a node gives every transport it opens.
type Env struct {
	Key    ed25519.PrivateKey // the node's identity
	Source Source             // what to serve from; nil for a node that serves nothing
	// Mux is the HTTP server on the node's TCP port, or nil if it has none.
	// A transport registers below /nt/v1/ only.
	Mux *http.ServeMux
	// Streams returns the listener of those connections to the node's TCP port
	// that begin with prefix, for protocols that are not HTTP. It is nil if the
	// node has no TCP port: the transport then only fetches. A factory calls it
	// once for each of its prefixes, and closes what it got in Close.
	Streams func(prefix []byte) net.Listener
	// Packet is the node's UDP socket, or nil if it has none; the transport that
	// takes it owns all reading from it.
	Packet net.PacketConn
	// Dial opens outgoing TCP connections. It refuses addresses that the
	// node's policy forbids; transports use nothing else.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Public reports whether an address is one of the public network; nil means
	// that every unicast address will do. AllowPrivate makes it moot.
	Public func(netip.Addr) bool
	// AllowPrivate lifts the rule that peers have public addresses.
	AllowPrivate bool
	// Uplink is the rate in bytes per second at which the user lets the node send; 0 if he
	// did not say. It goes before what the transport's own table says.
	Uplink int64
	// Options decodes the transport's own table of the configuration file into
	// v; nil or absent leaves v as it is.
	Options func(v any) error
	Log     *slog.Logger
}

// Factory opens a transport.
type Factory func(Env) (Transport, error)

// Registry is the list of transports a build knows, in the order in which they are
// tried when one cannot make progress. It is a value: see plugins.
type Registry struct {
	names     []string
	factories map[string]Factory
}

// Register adds a transport. It panics on an empty or duplicate name or a nil
// factory: that is a fault of the build, found when it starts.
func (r *Registry) Register(name string, f Factory) {
	if name == "" || f == nil {
		panic("transport: Register needs a name and a factory")
	}
	if _, dup := r.factories[name]; dup {
		panic("transport: " + name + " is registered twice")
	}
	if r.factories == nil {
		r.factories = make(map[string]Factory)
	}
	r.names = append(r.names, name)
	r.factories[name] = f
}

// Names returns the registered names in order.
func (r *Registry) Names() []string { return slices.Clone(r.names) }

// Open opens the transport of that name.
func (r *Registry) Open(name string, env Env) (Transport, error) {
	f, ok := r.factories[name]
	if !ok {
		return nil, fmt.Errorf("there is no transport %q; this build has %v", name, r.names)
	}
	t, err := f(env)
	if err != nil {
		return nil, fmt.Errorf("opening transport %s: %w", name, err)
	}
	return t, nil
}
