package modes

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"log/slog"
	"maps"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"nt/internal/safedial"
	"nt/tracker"
	"nt/tracker/memory"
	"nt/tracker/notary"
	"nt/tracker/ops"
	"nt/tracker/redis"
	"nt/tracker/rendezvous"
	"nt/tracker/udp"
	"nt/transport/wire"
)

// How a tracker's memory is shared out. What is left is the garbage collector's
// to work in: with less, it runs more often than anything else.
const (
	processMemory    = 40 << 20 // the program's own pages (23 MiB of them were seen in use) and what the runtime goes over its limit
	minTrackerMemory = 96 << 20
	storeShare       = 0.45
	torrentShare     = 0.15
	sessionShare     = 0.1
	connShare        = 0.15
	sessionBytes     = 5 << 10 // what a UDP session takes
)

func (o trackerOptions) share(of float64) int64 {
	if o.memory == 0 {
		o.memory = 256 << 20
	}
	return int64(float64(o.memory-processMemory) * of)
}

// runningTracker is a tracker that answers.
type runningTracker struct {
	options trackerOptions
	addr    string
	cluster *redis.Cluster // nil for a tracker alone
	store   *memory.Store
	api     *tracker.API
	token   atomic.Pointer[string]
	server  *tracker.Server
	udp     *udp.Socket
	meet    *rendezvous.Server
	joins   *tracker.JoinDoor
	leave   func() // hands over to the other nodes
	stop    func() // ends the notary and waits for it
}

// startTracker returns a tracker that answers on its address. Close it with close.
func startTracker(o trackerOptions) (*runningTracker, error) {
	if o.log == nil {
		o.log = slog.New(slog.DiscardHandler)
	}
	if o.tcp == nil {
		var err error
		if o.tcp, o.udp, err = listenBoth(o.listen); err != nil {
			return nil, listenFault("the tracker", err)
		}
	}
	r, err := o.start()
	if err != nil {
		o.tcp.Close()
		o.udp.Close()
	}
	return r, err
}

// start serves on both sockets, which it owns from then on unless it fails.
func (o trackerOptions) start() (*runningTracker, error) {
	r := &runningTracker{options: o, addr: o.tcp.Addr().String()}
	r.token.Store(&o.token)
	cfg := tracker.Config{PublicAddr: safedial.PublicAddr, AllowPrivate: o.allowPrivate, TTL: o.hold}
	if err := r.openStore(&cfg); err != nil {
		return nil, err
	}
	cfg.Pace = newPace(1000, o.hold, r.store.Stats)
	eye, err := o.eye()
	if err != nil {
		return nil, err
	}
	if eye != nil {
		cfg.Notary = eye // not otherwise: a nil *Notary is no nil Notary
	}
	torrents, err := newTorrentDoor(o, cfg.Secret, func() string { return *r.token.Load() })
	if err != nil {
		return nil, err
	}
	r.udp = udp.New(o.udp)
	meetConf := rendezvous.Config{Conn: r.udp.Wire(), Key: o.key, Log: o.log, MaxSessions: int(o.share(sessionShare) / sessionBytes),
		Query: func(q *wire.Query) { r.joins.Ask(q.From, q.Question, q) }} // datagrams are read when all is set
	if !o.allowPrivate {
		meetConf.Allowed = safedial.PublicAddr
	}
	if r.meet, err = rendezvous.New(meetConf); err != nil {
		return nil, err
	}
	cfg.Rendezvous, cfg.Prober, cfg.Heard = &knownPeers{r.meet, &r.token}, &prober{r.meet}, r.mark
	if cfg.Settled, err = r.settled(time.Now()); err != nil {
		o.log.Warn("it is not known whether this is a restart", "err", err)
	}
	logic, err := tracker.New(cfg)
	if err != nil {
		r.meet.Close()
		return nil, err
	}
	pages := torrents.pages()
	maps.Copy(pages, r.operations(logic, cfg.Pace, torrents).All())
	apiConf := tracker.APIConfig{Log: o.log, Rate: o.rate, Token: o.token, Pages: pages}
	if r.cluster != nil {
		apiConf.Nodes = r.cluster
	}
	r.api = tracker.NewAPI(logic, apiConf)
	r.joins = tracker.NewJoinDoor(logic, tracker.JoinConfig{Rate: o.rate, Token: o.token})
	r.server = tracker.NewServer(r.api, int(o.share(connShare)/tracker.ConnBytes))
	r.watch(eye, logic)
	go r.serve()             // ends with Shutdown
	go r.udp.Serve(torrents) // ends with Close
	return r, nil
}

// openStore opens the store, one's own or that of several nodes, with what it knows
// from before a restart.
func (r *runningTracker) openStore(cfg *tracker.Config) error {
	o, conf := r.options, memory.Config{Bytes: r.options.share(storeShare)}
	if o.redis == "" {
		r.store = memory.New(conf)
		cfg.Store, cfg.Secret = r.store, secretOf(o.key)
		if err := r.restore(time.Now()); err != nil {
			o.log.Warn("no statements from before the restart", "err", err)
		}
		return nil
	}
	if o.node == "" {
		o.node = r.addr
	}
	if host, _, err := net.SplitHostPort(o.node); err != nil || host == "" || net.ParseIP(host).IsUnspecified() {
		return usagef("name it with --node-addr HOST:PORT", "the other trackers cannot reach this one at %q", o.node)
	}
	var err error
	if r.cluster, err = redis.Open(redis.Config{URL: o.redis, Self: o.node, Local: conf, Log: o.log}); err != nil {
		return err
	}
	r.store = r.cluster.Local()
	cfg.Store, cfg.Secret, cfg.LostAt = r.cluster, r.cluster.Secret(), r.cluster.LostAt
	return nil
}

// eye returns the notary, or nil.
func (o trackerOptions) eye() (*notary.Notary, error) {
	if o.notary == nil {
		return nil, nil
	}
	c := notary.Config{Key: o.notary, AllowPrivate: o.allowPrivate, Log: o.log, Interval: o.interval, Burst: o.burst}
	if o.ledger != "" {
		c.Ledger = &notaryLedger{path: o.ledger}
	}
	return notary.New(c)
}

// secretOf derives what makes tickets, labels and connection ids from the key that
// is kept, so that they stay the same over a restart.
func secretOf(key ed25519.PrivateKey) tracker.Secret {
	mac := hmac.New(sha256.New, key.Seed())
	mac.Write([]byte("nt-tracker-secret"))
	return tracker.Secret(mac.Sum(nil))
}

// operations are the pages for the operator.
func (r *runningTracker) operations(logic *tracker.Tracker, pace *tracker.Pace, torrents *torrentDoor) *ops.Pages {
	started := time.Now()
	cfg := ops.Config{Tracker: func(now time.Time) tracker.Stats { return logic.Stats(now, started) }, Pace: pace, Largest: r.store.Largest,
		Memory: r.options.share(1) + processMemory, Started: started, Profiles: r.options.profiles,
		Sessions: func() ops.Sessions {
			s := r.meet.Stats()
			return ops.Sessions{Open: s.Sessions, Fetching: r.meet.Fetching(), In: s.In, Out: s.Out, Refused: s.Refused, Introduces: s.Introduces}
		}}
	if torrents.Server != nil {
		cfg.Torrents, cfg.Top, cfg.BEP = torrents.swarms.Stats, torrents.swarms.Largest, torrents.Counters()
	}
	return ops.New(cfg)
}

// reload takes over what may change while the tracker runs; a configuration that
// is wrong changes nothing.
func (r *runningTracker) reload(a *app) {
	c, err := a.reread()
	if err == nil {
		err = errors.Join(r.options.torrents.reload(), r.options.certs.reload())
	}
	if err != nil {
		r.options.log.Error("not reloaded", "err", err)
		return
	}
	r.token.Store(&c.Tracker.Token)
	r.api.Reconfigure(c.Tracker.Rate, c.Tracker.Token)
	r.joins.Reconfigure(c.Tracker.Rate, c.Tracker.Token)
	r.options.log.Info("reloaded: rate, token, list of torrents and certificate")
}

// watch runs the notary, if there is one, and keeps statements, until stop.
func (r *runningTracker) watch(eye *notary.Notary, logic *tracker.Tracker) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	if eye != nil {
		wg.Go(func() { eye.Run(ctx, logic.KeepOwn) })
	}
	wg.Go(func() { r.keepStatements(ctx) })
	r.leave = func() {}
	if r.cluster != nil {
		ctx, leave := context.WithCancel(context.Background())
		gone := make(chan struct{})
		go func() { defer close(gone); r.cluster.Run(ctx) }()
		r.leave = func() { leave(); <-gone }
	}
	r.stop = func() { cancel(); wg.Wait() }
}

// close drains unless ctx ends first.
func (r *runningTracker) close(ctx context.Context) error {
	r.leave() // while the others still reach this one
	err := r.server.Shutdown(ctx)
	r.stop()
	return errors.Join(err, r.meet.Close(), r.udp.Close())
}
