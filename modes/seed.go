package modes

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"nt/peer"
)

// folderRescan is how often a folder is looked at for changes.
const folderRescan = 5 * time.Second

// seedCmd publishes a folder: over HTTP, and to peers. Or it keeps somebody else's page for peers.
type seedCmd struct {
	Source   string     `arg:"" name:"dir-or-url" help:"Folder to publish; files whose name starts with a dot stay private. Or a URL to fetch and to keep for peers."`
	HTTPAddr string     `name:"http-addr" placeholder:"ADDR" help:"Where the folder is served over HTTP. Default: :8080. A URL is served to peers only."`
	Shed     shedMode   `enum:"auto,always,never" default:"auto" help:"When to have readers who run nt get the folder's files from each other: ${enum}. auto is while the web server is busy."`
	URL      string     `name:"url" placeholder:"BASE" help:"Public URL of the folder. Default: http:// and the address it is served on, if that is a definite one."`
	Key      string     `placeholder:"FILE" help:"Key that signs what is published (nt keygen). Default: this user's own. With an https --url readers learn it from /.well-known/nt.json."`
	OldKey   []string   `placeholder:"FILE" help:"Key that --key takes the place of; repeatable. Readers who know it accept no other change."`
	Life     span       `default:"2160h" placeholder:"TIME" help:"How long a signature holds; it is renewed in time."`
	Cert     string     `placeholder:"FILE" help:"Serve HTTPS with this certificate chain (PEM)."`
	CertKey  string     `placeholder:"FILE" help:"Private key of --cert (PEM). Default: in the same file."`
	Uplink   size       `placeholder:"RATE" help:"Send to peers at most RATE bytes a second. Default: what the line is measured to bear."`
	Rescan   span       `placeholder:"TIME" help:"How often to look for changes. Default: 5s for a folder, 5m for a URL."`
	Reach    reachFlags `embed:""`
}

// Run serves until a signal.
func (c *seedCmd) Run(a *app) error {
	cache, err := a.cachePath()
	if err != nil {
		return err
	}
	key, err := a.seedKey(c.Key, cache)
	if err != nil {
		return err
	}
	if strings.HasPrefix(c.Source, "http://") || strings.HasPrefix(c.Source, "https://") {
		return c.mirror(a, key, cache)
	}
	o := seedOptions{
		dir: c.Source, httpAddr: cmp.Or(c.HTTPAddr, ":8080"), base: c.URL, rescan: cmp.Or(time.Duration(c.Rescan), folderRescan),
		shed: load{mode: c.Shed, uplink: float64(c.Uplink)},
	}
	if o.node, err = a.nodeOptions(c.Reach, key, cache, a.listenOr(":0")); err != nil {
		return err
	}
	o.node.uplink = int64(c.Uplink)
	if c.Shed == shedAlways && len(a.common.Tracker) == 0 {
		return usagef("--tracker HOST:PORT names one", "--shed always needs a tracker: without one readers do not find each other")
	}
	if err := c.publish(&o); err != nil {
		return err
	}
	s, err := startSeed(a.ctx, o)
	if err != nil {
		return err
	}
	a.listening("seed", s.httpAddr)
	a.listening("peer", s.node.addr)
	return a.untilSignal(s.close)
}

// publish reads the flags by which a site proves itself: its certificate and its keys.
func (c *seedCmd) publish(o *seedOptions) error {
	if c.Cert != "" {
		cert, err := tls.LoadX509KeyPair(c.Cert, cmp.Or(c.CertKey, c.Cert))
		if err != nil {
			return &fault{ExitFile, fmt.Errorf("reading the certificate: %w", err), "--cert and --cert-key name PEM files"}
		}
		o.tls = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	}
	if c.Key == "" {
		if len(c.OldKey) > 0 {
			return usagef("", "--old-key needs the --key that takes its place")
		}
		return nil
	}
	o.sign = func(base *url.URL) (*signer, error) {
		if base.Scheme != "https" && len(c.OldKey) == 0 {
			return nil, nil // its statements are signed all the same
		}
		return signerOf(base, c.Key, c.OldKey, time.Duration(c.Life))
	}
	return nil
}

// seedKey reads --key, or takes the node's own.
func (a *app) seedKey(file, cache string) (ed25519.PrivateKey, error) {
	if file == "" {
		return a.env.nodeIdentity(cache)
	}
	return readKey(file)
}

// seedOptions say what a seed publishes.
type seedOptions struct {
	dir      string
	httpAddr string // HOST:PORT to serve the folder on
	base     string // public URL of the folder; "" is httpAddr's
	rescan   time.Duration
	node     nodeOptions
	shed     load        // the zero value never sheds
	tls      *tls.Config // nil: plain HTTP
	// sign returns who signs the site; nil, or a nil signer, for nobody.
	sign func(base *url.URL) (*signer, error)
}

// seed is a running seed.
type seed struct {
	httpAddr string
	node     *node
	folder   *folder
	site     *signedSite // nil if nobody signs it
	base     *url.URL
	key      ed25519.PrivateKey
	log      *slog.Logger
	server   *http.Server
	known    atomic.Bool // a tracker has taken an announcement
	cancel   context.CancelFunc
	done     chan struct{} // closed when the publishing goroutine has ended
}

// startSeed returns a seed that serves, and whose folder has been scanned once.
// close it.
func startSeed(ctx context.Context, o seedOptions) (*seed, error) {
	n, err := openNode(ctx, o.node)
	if err != nil {
		return nil, err
	}
	s := &seed{node: n, key: o.node.key, log: n.log, done: make(chan struct{})}
	if err := s.start(ctx, o); err != nil {
		n.close(ctx)
		return nil, err
	}
	return s, nil
}

func (s *seed) start(ctx context.Context, o seedOptions) error {
	var err error
	if s.folder, err = openFolder(o.dir, s.node.store, s.node.shelf, s.log); err != nil {
		return err
	}
	l, err := net.Listen("tcp", o.httpAddr)
	if err != nil {
		return listenFault("the seed", err)
	}
	s.httpAddr = l.Addr().String()
	if err := s.prepare(ctx, o, l.Addr()); err != nil {
		l.Close()
		return err
	}
	s.server = newServer(&shedder{next: s.site.handler(s.folder), ready: s.known.Load, version: s.folder.version, now: time.Now, load: o.shed}, s.log)
	if o.tls != nil {
		l = tls.NewListener(l, o.tls)
	}
	go s.server.Serve(limitListener(l)) // ends with Shutdown
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	go func() {
		defer close(s.done)
		s.run(run, o.rescan)
	}()
	return nil
}

// prepare has the folder scanned and signed once.
func (s *seed) prepare(ctx context.Context, o seedOptions, at net.Addr) (err error) {
	if s.base, err = baseURL(o.base, at); err != nil {
		return err
	}
	if o.sign != nil {
		by, err := o.sign(s.base)
		if err != nil {
			return err
		}
		if by != nil {
			s.site = &signedSite{signer: by, node: s.node}
		}
	}
	now := time.Now()
	if _, err := s.folder.scan(ctx, now); err != nil {
		return err
	}
	return s.site.update(ctx, s.folder.offers(s.base), true, now)
}

// baseURL returns the public URL of the folder.
func baseURL(text string, addr net.Addr) (*url.URL, error) {
	if text == "" {
		if tcp, ok := addr.(*net.TCPAddr); !ok || tcp.IP.IsUnspecified() {
			return nil, usagef("name the URL under which readers know the folder: --url https://example.org/", "--http-addr %s is not a URL", addr)
		}
		text = "http://" + addr.String() + "/"
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return nil, usagef("write http://HOST/PATH/ or https://HOST/PATH/", "--url %q is not the URL of a folder", text)
	}
	return u.JoinPath("/"), nil
}

// run keeps the folder's objects announced until ctx ends.
func (s *seed) run(ctx context.Context, rescan time.Duration) {
	due := time.Now()
	for {
		changed, err := s.folder.scan(ctx, time.Now())
		if err == nil && s.site != nil {
			err = s.site.update(ctx, s.folder.offers(s.base), changed, time.Now())
		}
		if err != nil && ctx.Err() == nil {
			s.log.Warn("looking for changes failed", "err", err)
		} else if changed {
			due = time.Now()
		}
		wait := rescan
		if s.node.locator != nil {
			if !time.Now().Before(due) {
				due = time.Now().Add(s.announce(ctx))
			}
			wait = min(wait, time.Until(due))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// Announcements: how many at a time, how soon again after a failure.
const (
	announceBatch = 64
	announceRetry = 5 * time.Second
	announceLimit = 30 * time.Second // for one batch
)

// announce tells the trackers of everything and returns when to do it again.
func (s *seed) announce(ctx context.Context) time.Duration {
	again := 24 * time.Hour
	offers := s.site.offers(s.folder.offers(s.base))
	for len(offers) > 0 {
		batch := offers[:min(len(offers), announceBatch)]
		offers = offers[len(batch):]
		ttl, err := s.announceBatch(ctx, batch)
		if err != nil {
			if ctx.Err() == nil {
				s.log.Warn("announcing failed", "err", err)
			}
			return announceRetry
		}
		again = min(again, ttl/2)
	}
	return max(again, announceRetry)
}

func (s *seed) announceBatch(ctx context.Context, batch []offer) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, announceLimit)
	defer cancel()
	items := make([]peer.Announcement, len(batch))
	for i, o := range batch {
		items[i] = peer.Announcement{Statement: o.statement.Sign(s.key), URL: o.url.String()}
	}
	done, err := s.node.locator.Announce(ctx, items)
	if err != nil {
		return 0, err
	}
	for i, why := range done.Refused {
		s.log.Warn("announcement refused", "url", items[i].URL, "why", why)
	}
	if done.TTL <= 0 {
		return 0, errors.New("nobody holds the announcement")
	}
	s.known.Store(true)
	return done.TTL, nil
}

// close drains: requests in progress are finished unless ctx ends first.
func (s *seed) close(ctx context.Context) error {
	s.cancel()
	<-s.done
	err := s.server.Shutdown(ctx)
	if s.node.locator != nil {
		s.node.locator.Leave(ctx)
	}
	return errors.Join(err, s.folder.close(), s.node.close(ctx))
}
