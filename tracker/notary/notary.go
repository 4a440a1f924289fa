package notary

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"nt/internal/resource"
	"nt/internal/safedial"
)

// Config says how a Notary looks. Zero fields take the defaults.
type Config struct {
	Key ed25519.PrivateKey // signs what was seen
	// Ledger makes what is said after a restart follow what was said before. May be nil.
	Ledger Ledger
	// Contact is put into the User-Agent, so that an origin can complain: a URL or
	// a mail address.
	Contact string
	// AllowPrivate lifts the rules for addresses, ports and names.
	AllowPrivate bool
	Interval     time.Duration // between two looks at one origin, or one address, in the long run; default 1 s
	Burst        int           // looks at one origin, or one address, that may follow one another; default 40
	Again        time.Duration // how long one claim is not looked at again; default 1 h
	Timeout      time.Duration // of one look; default 60 s
	MaxBytes     int64         // of one object; default 256 MiB
	Workers      int           // looks at once; default 8
	Log          *slog.Logger
	Now          func() time.Time
	RootCAs      *x509.CertPool  // default: the system's
	Dialer       safedial.Dialer // its resolver and further rule
}

// Notary looks at announced URLs. It implements tracker.Notary.
type Notary struct {
	cfg     Config
	key     resource.WitnessKey
	agent   string
	http    *http.Client
	count   *counters
	wake    chan struct{}
	journal *journal

	mu        sync.Mutex
	queue     *queue
	addresses *pacer
}

// New returns a Notary; nothing is fetched before Run.
func New(cfg Config) (*Notary, error) {
	if len(cfg.Key) != ed25519.PrivateKeySize {
		return nil, errors.New("a notary needs a key to sign with")
	}
	setDefaults(&cfg)
	n := &Notary{
		cfg: cfg, key: resource.WitnessKey(cfg.Key.Public().(ed25519.PublicKey)), agent: "nt-notary/1",
		count: newCounters(), wake: make(chan struct{}, 1), journal: &journal{key: cfg.Key, ledger: cfg.Ledger},
		queue: newQueue(pace{cfg.Interval, cfg.Burst}, cfg.Again), addresses: newPacer(pace{cfg.Interval, cfg.Burst}),
	}
	if cfg.Contact != "" {
		n.agent += " (+" + cfg.Contact + ")"
	}
	dialer := cfg.Dialer
	dialer.AllowPrivate, dialer.Ports, dialer.Timeout = cfg.AllowPrivate, []uint16{80, 443}, 10*time.Second
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return n.paced(ctx, conn)
		},
		DisableKeepAlives: true, DisableCompression: true, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 20 * time.Second,
		MaxResponseHeaderBytes: 64 << 10, TLSClientConfig: &tls.Config{RootCAs: cfg.RootCAs},
	}
	n.http = &http.Client{
		Transport:     transport, // no Proxy, no Jar
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return n, nil
}

func setDefaults(cfg *Config) {
	if cfg.Interval <= 0 {
		cfg.Interval = time.Second
	}
	if cfg.Burst <= 0 {
		cfg.Burst = 40
	}
	if cfg.Again <= 0 {
		cfg.Again = time.Hour
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = time.Minute
	}
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = 256 << 20
	}
	if cfg.Workers <= 0 {
		cfg.Workers = 8
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
}

// Key implements tracker.Notary.
func (n *Notary) Key() resource.WitnessKey { return n.key }

// Counters implements tracker.Notary.
func (n *Notary) Counters() map[string]int64 { return n.count.all() }

// Offer implements tracker.Notary.
func (n *Notary) Offer(now time.Time, u resource.URL, st resource.Statement) {
	n.count.add("offered")
	if st.Witness == n.key {
		n.count.add("known") // a reader hands back what this notary said
		return
	}
	if !n.mayLook(u, st) {
		n.count.add("forbidden")
		return
	}
	n.mu.Lock()
	n.count.add(n.queue.push(now, job{u, st}))
	n.mu.Unlock()
	n.wakeUp()
}

// mayLook says whether the URL is one a notary asks for at all.
func (n *Notary) mayLook(u resource.URL, st resource.Statement) bool {
	switch st.Encoding() {
	case "", "gzip", "br", "deflate", "zstd":
	default:
		return false
	}
	if st.Size > n.cfg.MaxBytes {
		return false
	}
	return n.cfg.AllowPrivate || u.PublicName() == nil && (u.Port() == 80 || u.Port() == 443)
}

func (n *Notary) wakeUp() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Run looks at what is offered and gives statements to publish until ctx ends;
// then it returns after the running looks have. It waits for its Ledger first.
func (n *Notary) Run(ctx context.Context, publish func(time.Time, resource.Statement) error) {
	err := n.journal.open(ctx)
	if err == nil {
		n.work(ctx, publish)
		err = n.journal.close()
	}
	if err != nil && ctx.Err() == nil {
		n.cfg.Log.Error("the notary sees nothing", "err", err)
	}
}

func (n *Notary) work(ctx context.Context, publish func(time.Time, resource.Statement) error) {
	slots := make(chan struct{}, n.cfg.Workers)
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		j, ok := n.nextJob(ctx)
		if !ok {
			return
		}
		wg.Go(func() {
			defer func() { <-slots }()
			n.look(ctx, j, publish)
			n.mu.Lock()
			n.queue.done(j)
			n.mu.Unlock()
			n.wakeUp()
		})
	}
}

// nextJob waits for a job that may be done.
func (n *Notary) nextJob(ctx context.Context) (job, bool) {
	for ctx.Err() == nil {
		n.mu.Lock()
		j, wait, ok := n.queue.pop(n.cfg.Now())
		n.mu.Unlock()
		if ok {
			return j, true
		}
		var timer <-chan time.Time
		if wait > 0 {
			timer = time.After(wait)
		}
		select {
		case <-timer:
		case <-n.wake:
		case <-ctx.Done():
		}
	}
	return job{}, false
}

// look fetches and, where it saw the same, signs.
func (n *Notary) look(ctx context.Context, j job, publish func(time.Time, resource.Statement) error) {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timeout)
	defer cancel()
	st, err := n.fetch(ctx, j)
	if err == nil {
		err = n.publish(st, publish)
	}
	outcome := outcomeOf(err)
	if outcome == "failed" { // it may pass
		n.mu.Lock()
		n.queue.forget(j)
		n.mu.Unlock()
	}
	n.count.add(outcome)
	// No error text: it would name the host (security row 38).
	n.cfg.Log.Debug("notary", "key", j.claim.Key, "outcome", outcome)
}

// errNotKept reports a statement that the tracker did not take.
var errNotKept = errors.New("notary: the statement was not kept")

func (n *Notary) publish(st resource.Statement, publish func(time.Time, resource.Statement) error) error {
	if err := publish(n.cfg.Now(), st); err != nil {
		return fmt.Errorf("%w: %w", errNotKept, err)
	}
	return nil
}

// outcomeOf returns the counter for the end of a look.
func outcomeOf(err error) string {
	switch {
	case err == nil:
		return "stated"
	case errors.Is(err, errDiffers):
		return "differed"
	case errors.Is(err, errNotKept):
		return "not_kept"
	case errors.Is(err, safedial.ErrForbiddenAddr):
		return "forbidden"
	case errors.Is(err, resource.ErrPrivate):
		return "not_shareable"
	}
	return "failed"
}
