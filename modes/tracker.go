package modes

import (
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"nt/tracker"
)

// notaryFile is the name of a tracker's own key in the state directory.
const notaryFile = "notary.key"

// maxNotaryBurst bounds --notary-burst: a notary must not become a way to flood an origin.
const maxNotaryBurst = 200

// trackerCmd is the directory that says who has what, and a notary besides.
type trackerCmd struct {
	Store      string        `default:"memory" placeholder:"memory|redis://HOST:PORT" help:"One tracker with a memory of its own, or one of several that meet at a Redis or Valkey."`
	NodeAddr   string        `placeholder:"HOST:PORT" help:"Where the other trackers of the same Redis reach this one. Default: --listen, if that names a host."`
	Look       span          `name:"notary-interval" default:"1s" placeholder:"TIME" help:"Time between two looks of the notary at one origin, in the long run."`
	Burst      int           `name:"notary-burst" default:"40" placeholder:"N" help:"Looks of the notary at one origin that may follow one another after a pause, as for a page and its parts."`
	NoNotary   bool          `help:"Fetch no announced page; learn hashed URLs only."`
	Memory     size          `default:"256M" placeholder:"SIZE" help:"Most memory to use."`
	BitTorrent string        `name:"bittorrent" default:"open" placeholder:"open|off|FILE" help:"Which torrents BitTorrent clients may announce: all (within their share of the memory), none, or those whose infohashes FILE lists in hexadecimal, one a line."`
	Rate       float64       `default:"50" placeholder:"N" help:"HTTP requests a second that one address may make."`
	Interval   time.Duration `default:"30m" placeholder:"TIME" help:"How long an announcement holds; peers come again before."`
	Token      string        `placeholder:"WORD" help:"Serve only who brings this: --tracker WORD@HOST:PORT; BitTorrent clients as ?token=WORD."`
	Pprof      bool          `help:"Serve profiles under /debug/pprof/ to this machine."`
	TLS        tlsFlags      `embed:""`
}

// Run serves until a signal.
func (c *trackerCmd) Run(a *app) error {
	if c.Memory < minTrackerMemory {
		return usagef(fmt.Sprintf("give it at least %dM", minTrackerMemory>>20), "--memory %d is too little", c.Memory)
	}
	if c.Interval < time.Second || c.Interval > tracker.DefaultMax {
		return usagef(fmt.Sprintf("take 1s to %v", tracker.DefaultMax), "--interval %v is too short or too long", c.Interval)
	}
	o := trackerOptions{listen: a.listenOr(":7070"), allowPrivate: a.common.AllowPrivate, memory: int64(c.Memory), rate: c.Rate,
		hold: c.Interval, token: c.Token, profiles: c.Pprof, log: a.log}
	if c.Burst < 1 || c.Burst > maxNotaryBurst {
		return usagef(fmt.Sprintf("take 1 to %d", maxNotaryBurst), "--notary-burst %d is too little or too much", c.Burst)
	}
	var err error
	if o.torrents, err = newTorrentList(c.BitTorrent); err != nil {
		return err
	}
	if o.key, err = a.env.identity(notaryFile); err != nil {
		return err
	}
	if !c.NoNotary {
		o.notary, o.interval, o.burst = o.key, time.Duration(c.Look), c.Burst
		if o.ledger, err = a.env.statePath(ledgerFile); err != nil {
			return err
		}
	}
	if err := c.choose(a, &o); err != nil {
		return err
	}
	if o.tcp, o.udp, err = inherited(a.env); err != nil {
		return err
	}
	if o.certs, err = c.TLS.certificates(a.env); err != nil {
		return err
	}
	debug.SetMemoryLimit(o.memory - processMemory)
	t, err := startTracker(o)
	if err != nil {
		return err
	}
	a.listening("tracker", t.addr)
	defer onReload(func() { t.reload(a) })()
	return a.untilSignal(t.close)
}

// choose reads --store.
func (c *trackerCmd) choose(a *app, o *trackerOptions) error {
	statements, err := a.env.statePath(statementsFile)
	if err != nil {
		return err
	}
	o.marks = filepath.Dir(statements)
	scheme, _, _ := strings.Cut(c.Store, "://")
	switch {
	case c.Store == "memory":
		o.statements = statements
		return nil
	case scheme == "redis" || scheme == "rediss":
		o.redis, o.node = c.Store, c.NodeAddr
		return nil
	}
	return usagef("take --store memory or --store redis://HOST:PORT", "--store %q is not known", scheme) // the rest may hold a password
}

// trackerOptions are what a tracker is made of: values only.
type trackerOptions struct {
	listen       string             // HOST:PORT
	key          ed25519.PrivateKey // of UDP sessions
	notary       ed25519.PrivateKey // nil: no notary
	interval     time.Duration      // between two looks of the notary at one origin; 0 is its default
	burst        int                // looks that may follow one another; 0 is its default
	ledger       string             // file of the notary's ledger; "" keeps none
	hold         time.Duration      // how long an announcement holds; 0 is the default
	memory       int64              // bytes the process may use; 0 is 256 MiB
	torrents     *torrentList       // nil: no BitTorrent
	rate         float64            // HTTP requests a second and address; 0 is the default
	token        string             // of a private tracker
	profiles     bool
	certs        *certificates // nil: no TLS
	statements   string        // file they are kept in over a restart; "" keeps none
	marks        string        // directory that tells a restart from a start; "" takes every start for the first
	redis        string        // URL; "" for a tracker alone
	node         string        // HOST:PORT for the other nodes; "" is that of the listener
	tcp          net.Listener  // open already, if not nil; listen is not used then
	udp          *net.UDPConn
	allowPrivate bool
	log          *slog.Logger
}
