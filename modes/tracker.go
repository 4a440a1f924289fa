package modes

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"strings"
	"time"

	"nt/internal/safedial"
	"nt/tracker"
	"nt/tracker/memory"
	"nt/tracker/notary"
	"nt/tracker/rendezvous"
	"nt/tracker/udp"
)

// notaryFile is the name of a tracker's own key in the state directory.
const notaryFile = "notary.key"

// trackerCmd is the directory that says who has what, and a notary besides.
type trackerCmd struct {
	Store      string  `default:"memory" placeholder:"memory" help:"Where swarms are kept; this build knows ${default}."`
	NoNotary   bool    `help:"Fetch no announced page; learn hashed URLs only."`
	Memory     size    `default:"256M" placeholder:"SIZE" help:"Most memory to use."`
	BitTorrent string  `name:"bittorrent" default:"open" placeholder:"open|off|FILE" help:"Which torrents BitTorrent clients may announce: all (within their share of the memory), none, or those whose infohashes FILE lists in hexadecimal, one a line."`
	Rate       float64 `default:"50" placeholder:"N" help:"HTTP requests a second that one address may make."`
}

// Run serves until a signal.
func (c *trackerCmd) Run(a *app) error {
	if c.Store != "memory" {
		return usagef("this build keeps swarms in memory: --store memory", "--store %q is not known", strings.SplitN(c.Store, ":", 2)[0])
	}
	if c.Memory < minTrackerMemory {
		return usagef(fmt.Sprintf("give it at least %dM", minTrackerMemory>>20), "--memory %d is too little", c.Memory)
	}
	o := trackerOptions{listen: a.listenOr(":7070"), allowPrivate: a.common.AllowPrivate, memory: int64(c.Memory), rate: c.Rate, log: a.log}
	var err error
	if o.torrents, err = newTorrentList(c.BitTorrent); err != nil {
		return err
	}
	if o.key, err = a.env.identity(notaryFile); err != nil {
		return err
	}
	if !c.NoNotary {
		o.notary = o.key
	}
	debug.SetMemoryLimit(o.memory - processMemory)
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
	memory       int64              // bytes the process may use; 0 is 256 MiB
	torrents     *torrentList       // nil: no BitTorrent
	rate         float64            // HTTP requests a second and address; 0 is the default
	allowPrivate bool
	log          *slog.Logger
}

// How a tracker's memory is shared out. What is left is the garbage collector's
// to work in: with less, it runs more often than anything else.
const (
	processMemory    = 16 << 20 // the program itself and what the system counts to it
	minTrackerMemory = 64 << 20
	storeShare       = 0.45
	torrentShare     = 0.15
	sessionShare     = 0.1
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
	addr   string
	server *tracker.Server
	udp    *udp.Socket
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
func (o trackerOptions) start(l net.Listener, c *net.UDPConn) (*runningTracker, error) {
	store := memory.New(memory.Config{Bytes: o.share(storeShare)})
	cfg := tracker.Config{Store: store, PublicAddr: safedial.PublicAddr, AllowPrivate: o.allowPrivate, Pace: newPace(1000, store.Stats)}
	rand.Read(cfg.Secret[:]) // never fails
	var eye *notary.Notary
	if o.notary != nil {
		var err error
		if eye, err = notary.New(notary.Config{Key: o.notary, AllowPrivate: o.allowPrivate, Log: o.log, Interval: o.interval}); err != nil {
			return nil, err
		}
		cfg.Notary = eye // not before: a nil *Notary is no nil Notary
	}
	torrents, err := newTorrentDoor(o, cfg.Secret)
	if err != nil {
		return nil, err
	}
	socket := udp.New(c)
	meetConf := rendezvous.Config{Conn: socket.Wire(), Key: o.key, Log: o.log, MaxSessions: int(o.share(sessionShare) / sessionBytes)}
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
	api := tracker.NewAPI(logic, tracker.APIConfig{Log: o.log, Rate: o.rate, Pages: torrents.pages()})
	r := &runningTracker{addr: l.Addr().String(), udp: socket, meet: meet, server: tracker.NewServer(api)}
	r.watch(eye, logic)
	go r.server.Serve(l)     // ends with Shutdown
	go r.udp.Serve(torrents) // ends with Close
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
	return errors.Join(err, r.meet.Close(), r.udp.Close())
}
