package modes

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"net"
	"strings"
	"time"

	"nt/internal/safedial"
	"nt/tracker"
	"nt/tracker/memory"
	"nt/tracker/notary"
	"nt/tracker/rendezvous"
)

// notaryFile is the name of a tracker's own key in the state directory.
const notaryFile = "notary.key"

// trackerCmd is the directory that says who has what, and a notary besides.
type trackerCmd struct {
	Store    string `default:"memory" placeholder:"memory" help:"Where swarms are kept; this build knows ${default}."`
	NoNotary bool   `help:"Fetch no announced page; learn hashed URLs only."`
}

// Run serves until a signal.
func (c *trackerCmd) Run(a *app) error {
	if c.Store != "memory" {
		return usagef("this build keeps swarms in memory: --store memory", "--store %q is not known", strings.SplitN(c.Store, ":", 2)[0])
	}
	o := trackerOptions{listen: a.listenOr(":7070"), allowPrivate: a.common.AllowPrivate, log: a.log}
	var err error
	if o.key, err = a.env.identity(notaryFile); err != nil {
		return err
	}
	if !c.NoNotary {
		o.notary = o.key
	}
	t, err := startTracker(o)
	if err != nil {
		return err
	}
	a.listening("tracker", t.addr)
	return a.untilSignal(t.close)
}

// trackerOptions are what a tracker is made of: values only.
type trackerOptions struct {
	listen       string             // HOST:PORT
	key          ed25519.PrivateKey // of UDP sessions
	notary       ed25519.PrivateKey // nil: no notary
	interval     time.Duration      // between two looks of the notary at one origin; 0 is its default
	allowPrivate bool
	log          *slog.Logger
}

// runningTracker is a tracker that answers.
type runningTracker struct {
	addr   string
	server *tracker.Server
	meet   *rendezvous.Server
	stop   func() // ends the notary and waits for it
}

// startTracker returns a tracker that answers on its address. Close it with close.
func startTracker(o trackerOptions) (*runningTracker, error) {
	if o.log == nil {
		o.log = slog.New(slog.DiscardHandler)
	}
	l, c, err := listenBoth(o.listen)
	if err != nil {
		return nil, listenFault("the tracker", err)
	}
	r, err := o.start(l, c)
	if err != nil {
		l.Close()
		c.Close()
		return nil, err
	}
	return r, nil
}

// start serves on both sockets, which it owns from then on unless it fails.
func (o trackerOptions) start(l net.Listener, c net.PacketConn) (*runningTracker, error) {
	cfg := tracker.Config{Store: memory.New(memory.Config{}), PublicAddr: safedial.PublicAddr, AllowPrivate: o.allowPrivate}
	var eye *notary.Notary
	if o.notary != nil {
		var err error
		if eye, err = notary.New(notary.Config{Key: o.notary, AllowPrivate: o.allowPrivate, Log: o.log, Interval: o.interval}); err != nil {
			return nil, err
		}
		cfg.Notary = eye // not before: a nil *Notary is no nil Notary
	}
	meetConf := rendezvous.Config{Conn: c, Key: o.key, Log: o.log}
	if !o.allowPrivate {
		meetConf.Allowed = safedial.PublicAddr
	}
	meet, err := rendezvous.New(meetConf)
	if err != nil {
		return nil, err
	}
	cfg.Rendezvous = meet
	logic, err := tracker.New(cfg)
	if err != nil {
		meet.Close()
		return nil, err
	}
	r := &runningTracker{addr: l.Addr().String(), meet: meet, server: tracker.NewServer(tracker.NewAPI(logic, tracker.APIConfig{Log: o.log}))}
	r.watch(eye, logic)
	go r.server.Serve(l) // ends with Shutdown
	return r, nil
}

// watch runs the notary, if there is one, until stop.
func (r *runningTracker) watch(eye *notary.Notary, logic *tracker.Tracker) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if eye != nil {
			eye.Run(ctx, logic.KeepOwn)
		}
	}()
	r.stop = func() { cancel(); <-done }
}

// close drains unless ctx ends first.
func (r *runningTracker) close(ctx context.Context) error {
	err := r.server.Shutdown(ctx)
	r.stop()
	return errors.Join(err, r.meet.Close())
}
