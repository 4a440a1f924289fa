package modes

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"nt/chunker/store"
	"nt/chunker/store/disk"
	"nt/internal/resource"
	"nt/internal/safedial"
	"nt/internal/sniff"
	"nt/peer"
	"nt/peer/cache"
	"nt/peer/origin"
	"nt/peer/publisher"
	"nt/peer/trust"
	"nt/plugins"
	"nt/plugins/trackerlocator"
	"nt/tracker/client"
	"nt/transport"
	"nt/transport/wire/portmap"
)

// reachFlags say how to reach origins and peers.
type reachFlags struct {
	Transport    string `placeholder:"NAME" help:"Transport to prefer; the others follow when it cannot make progress."`
	Patience     span   `default:"3s" placeholder:"TIME" help:"How long the origin may take to begin before a copy is looked for."`
	StallTimeout span   `default:"10s" placeholder:"TIME" help:"How long a body may pause before a copy is looked for."`
	SlowRate     size   `default:"4K" placeholder:"RATE" help:"An origin that sends less a second over the stall timeout is helped by peers; 0 never."`
	Near         bool   `help:"Ask for peers of the own network (/16, or /32 of IPv6) first, for who pays for a long way."`
}

// slowRate is --slow-rate as peer.Config has it, where 0 is the default and less is never.
func (r reachFlags) slowRate() int64 {
	if r.SlowRate == 0 {
		return -1
	}
	return int64(r.SlowRate)
}

// nodeOptions are what a node is made of: values only, so that demo and tests
// can run several in one process.
type nodeOptions struct {
	key          ed25519.PrivateKey
	cacheDir     string
	cacheSize    int64 // bytes; 0 is no limit
	trackers     []string
	listen       string // HOST:PORT for peers; "" serves nobody
	transport    string // preferred transport; "" is the first of the list
	allowPrivate bool
	dialer       safedial.Dialer // without allowPrivate
	share        bool
	deny, only   []string // host names, see peer.Sharing
	serveFresh   bool
	patience     time.Duration
	stall        time.Duration
	uplink       int64 // bytes per second the node may send; 0 is measured
	slowRate     int64 // see peer.Config; 0 is its default
	near         bool  // peers of the own network group first
	everything   bool  // others than notaries may be believed: all that witnesses say is needed
	connect      time.Duration
	config       *config // options of transports; nil for none
	notaries     notaryMemory
	trust        trust.Policy // whom the user believes besides the trackers
	log          *slog.Logger
}

// nodeOptions collects what flags and configuration say.
func (a *app) nodeOptions(reach reachFlags, key ed25519.PrivateKey, cacheDir, listen string) (nodeOptions, error) {
	whom, err := a.trustees()
	if err != nil {
		return nodeOptions{}, err
	}
	var remembered notaryMemory
	if dir, err := a.env.stateDir(); err == nil {
		remembered = notaryMemory(filepath.Join(dir, "notaries"))
	}
	return nodeOptions{
		key: key, cacheDir: cacheDir, trackers: a.common.Tracker, listen: listen, transport: reach.Transport,
		allowPrivate: a.common.AllowPrivate, patience: time.Duration(reach.Patience), stall: time.Duration(reach.StallTimeout), slowRate: reach.slowRate(), near: reach.Near,
		config: &a.config, notaries: remembered, trust: whom, log: a.log,
	}, nil
}

// node is a running peer.Node with everything it stands on.
type node struct {
	*peer.Node
	addr       string // where it serves peers; "" if it does not
	store      store.Store
	cache      *cache.Cache
	locator    peer.Locator // nil without trackers
	notaries   *notaries    // nil without trackers
	sharing    peer.Sharing
	meeting    *meeting // nil without trackers
	dialer     safedial.Dialer
	origin     *origin.Client
	shelf      *peer.Shelf
	publishers *publisher.Store
	transports []transport.Transport
	clients    []*client.Client
	server     *http.Server    // nil if it serves nobody
	ports      *portmap.Mapper // nil where no router is asked
	log        *slog.Logger
}

// openNode starts a node: when it returns, peers can ask it. Close it with close.
func openNode(ctx context.Context, o nodeOptions) (*node, error) {
	if o.log == nil {
		o.log = slog.New(slog.DiscardHandler)
	}
	if o.config == nil {
		o.config = &config{}
	}
	n := &node{log: o.log, dialer: o.dialer}
	n.dialer.AllowPrivate = o.allowPrivate
	if err := n.open(o); err != nil {
		n.close(ctx)
		return nil, err
	}
	return n, nil
}

func (n *node) open(o nodeOptions) error {
	s, err := disk.Open(o.cacheDir, store.Options{Budget: o.cacheSize, Log: o.log})
	if err != nil {
		return fileFault("opening the cache", err)
	}
	n.store, n.shelf = s, peer.NewShelf(s)
	if n.cache, err = cache.Open(o.cacheDir); err != nil {
		return fileFault("opening the cache", err)
	}
	if n.publishers, err = publisher.Open(o.cacheDir); err != nil {
		return fileFault("opening the cache", err)
	}
	n.origin = origin.New(origin.Config{DialContext: n.dialer.DialContext, Forbidden: isForbidden, ConnectTimeout: o.connect})
	if o.listen == "" {
		return n.connect(o, transport.Env{})
	}
	listener, packet, err := listenBoth(o.listen)
	if err != nil {
		return listenFault("the peer", err)
	}
	n.addr = listener.Addr().String()
	if portmap.Useful(listener.Addr(), o.allowPrivate) {
		n.ports = portmap.Start(portmap.Config{Port: portOf(n.addr), Log: o.log})
	}
	port, mux := sniff.New(limitListener(listener), sniff.Options{Wait: headTimeout, Pending: maxConns / 4}), http.NewServeMux()
	n.server = newServer(mux, o.log)
	if err := n.connect(o, transport.Env{Mux: mux, Streams: port.Prefix, Packet: packet}); err != nil {
		port.Close()
		packet.Close()
		return err
	}
	go n.server.Serve(port.Rest()) // ends with Shutdown
	return nil
}

// connect opens transports and trackers, and starts the peer.Node on them.
// env says where transports serve.
func (n *node) connect(o nodeOptions, env transport.Env) error {
	names, err := transportOrder(o.transport, plugins.Transports().Names())
	if err != nil {
		return err
	}
	if err := o.config.checkTransports(names); err != nil {
		return err
	}
	for _, name := range names {
		env.Key, env.Source, env.Dial, env.AllowPrivate = o.key, n.shelf, n.dialer.DialContext, o.allowPrivate
		env.Uplink = o.uplink
		env.Options, env.Log, env.Public = o.config.options(name), o.log, safedial.PublicAddr
		t, err := plugins.Transports().Open(name, env)
		if err != nil {
			return &fault{ExitUsage, err, hintOf(err)}
		}
		n.transports = append(n.transports, t)
	}
	known, err := n.dialTrackers(o, names)
	if err != nil {
		return err
	}
	n.sharing = peer.Sharing{Enabled: o.share, AllowPrivate: o.allowPrivate, Deny: o.deny, Only: o.only}
	n.Node = peer.NewNode(peer.Config{
		Store: n.store, Cache: n.cache, Origin: n.origin, Locator: n.locator, Transports: n.transports,
		Trust: trust.Policy{Own: map[resource.WitnessKey]bool{witnessKey(o.key): true}, Notaries: o.trust.Notaries, Quorum: o.trust.Quorum}, Notaries: known,
		Identity: o.key, Sharing: n.sharing, ServeFresh: o.serveFresh, Shelf: n.shelf, Publishers: n.publishers, Gossip: gossipOver(n.gossipClient()),
		Patience: o.patience, StallTimeout: o.stall, SlowRate: o.slowRate, Log: o.log,
	})
	if env.Mux != nil && o.share {
		env.Mux.HandleFunc("POST "+saidPath, n.answerGossip())
	}
	return nil
}

// dialTrackers makes the clients of all trackers; nothing is sent yet.
func (n *node) dialTrackers(o nodeOptions, names []string) (func() map[resource.WitnessKey]string, error) {
	if len(o.trackers) == 0 {
		return nil, nil
	}
	var port uint16
	if n.server != nil {
		port = portOf(n.addr)
	}
	for _, addr := range o.trackers {
		// A tracker is the user's own choice and may well be on a private network.
		c, err := client.New(client.Config{Addr: addr, Key: o.key, Port: port, Transports: names, Ask: askThrough(n.transports), Near: o.near, Everything: o.everything || o.trust.Quorum > 1 || len(o.trust.Notaries) > 0, Timeout: 5 * time.Second, Dial: dialFrom(n.addr)})
		if err != nil {
			return nil, usagef("--tracker takes HOST:PORT, and #KEY behind it to pin its notary", "--tracker: %w", err)
		}
		n.clients = append(n.clients, c)
	}
	l, err := trackerlocator.New(n.clients, 0)
	if err != nil {
		return nil, err
	}
	n.meeting = newMeeting(l, n.clients, n.transports)
	known := newNotaries(n.meeting, n.clients, o.notaries, o.log)
	n.locator, n.notaries = known, known
	return known.known, nil
}

// transportOrder puts the preferred transport first.
func transportOrder(first string, all []string) ([]string, error) {
	if first == "" {
		return all, nil
	}
	out := []string{first}
	for _, name := range all {
		if name != first {
			out = append(out, name)
		}
	}
	if len(out) > len(all) {
		return nil, usagef("", "there is no transport %q; this build has %q", first, all)
	}
	return out, nil
}

// close ends everything that open started; requests in progress are finished
// unless ctx ends first.
func (n *node) close(ctx context.Context) error {
	var errs []error
	if n.ports != nil {
		errs = append(errs, n.ports.Close())
	}
	if n.Node != nil {
		errs = append(errs, n.Node.Close())
	}
	if n.server != nil {
		if err := n.server.Shutdown(ctx); err != nil {
			errs = append(errs, n.server.Close())
		}
	}
	if n.meeting != nil {
		n.meeting.close()
	}
	for _, t := range n.transports {
		errs = append(errs, t.Close())
	}
	for _, c := range n.clients {
		c.Close()
	}
	if n.origin != nil {
		n.origin.Close()
	}
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	return errors.Join(errs...)
}

// isForbidden reports an address that the node's own rule refuses.
func isForbidden(err error) bool { return errors.Is(err, safedial.ErrForbiddenAddr) }

// witnessKey is a key as a witness.
func witnessKey(key ed25519.PrivateKey) (w resource.WitnessKey) {
	copy(w[:], key.Public().(ed25519.PublicKey))
	return w
}
