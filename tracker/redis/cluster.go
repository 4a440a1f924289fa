package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mrand "math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gomodule/redigo/redis"

	"nt/internal/resource"
	"nt/tracker"
	"nt/tracker/memory"
	"nt/transport"
)

// Config is what a Cluster is made of.
type Config struct {
	URL  string // redis://HOST:PORT/DB
	Self string // HOST:PORT where the other nodes reach this one
	// Lives is how long a node counts without a sign of life, and any node when
	// Redis was restarted empty; default 5 s.
	Lives time.Duration
	// Local bounds the memory of the own part of the keys.
	Local memory.Config
	Log   *slog.Logger
	Now   func() time.Time // default time.Now
}

// Cluster is a tracker.Store over several nodes. Refusals for lack of the owner
// are ReasonUnavailable: nothing wrong is ever answered instead.
type Cluster struct {
	cfg     Config
	pool    *redis.Pool
	local   *memory.Store
	members *members
	secret  tracker.Secret
	http    *http.Client
	hot     hotCache
	writes  chan write
	lostAt  atomic.Int64 // Unix seconds, see LostAt

	mu     sync.Mutex
	loaded map[resource.Key]time.Time // keys whose statements were asked for here
}

const (
	redisTimeout = 2 * time.Second
	writeQueue   = 1 << 14
	// loadedMost bounds the memory of what was asked for; whoever was forgotten
	// is asked for again.
	loadedMost = 1 << 16
	// loadAgain is how old that may be: another node may have had the key meanwhile.
	loadAgain = time.Minute
)

// Open joins the nodes that share the Redis. Run must be called.
func Open(cfg Config) (*Cluster, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Lives <= 0 {
		cfg.Lives = 5 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	c := &Cluster{cfg: cfg, members: newMembers(cfg.Self, cfg.Now()), writes: make(chan write, writeQueue), loaded: map[resource.Key]time.Time{},
		http: &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16, MaxConnsPerHost: 64, IdleConnTimeout: 50 * time.Second}},
		pool: &redis.Pool{MaxIdle: 8, MaxActive: 64, Wait: true, IdleTimeout: time.Minute, Dial: func() (redis.Conn, error) {
			return redis.DialURL(cfg.URL, redis.DialConnectTimeout(redisTimeout), redis.DialReadTimeout(redisTimeout), redis.DialWriteTimeout(redisTimeout))
		}}}
	cfg.Local.Kept = c.queue
	c.local = memory.New(cfg.Local)
	if err := c.shareSecret(); err != nil {
		return nil, fmt.Errorf("joining the trackers at Redis: %w", err)
	}
	named, young, err := c.beat()
	if err != nil {
		return nil, fmt.Errorf("joining the trackers at Redis: %w", err)
	}
	c.members.update(named, young)
	return c, nil
}

// shareSecret takes the secret of the nodes, or makes it.
func (c *Cluster) shareSecret() error {
	conn := c.pool.Get()
	defer conn.Close()
	var mine tracker.Secret
	rand.Read(mine[:]) // never fails
	if _, err := conn.Do("SET", secretKey, mine[:], "NX"); err != nil {
		return err
	}
	if _, err := conn.Do("DEL", leftKey(c.cfg.Self)); err != nil { // of an earlier life
		return err
	}
	got, err := redis.Bytes(conn.Do("GET", secretKey))
	if err != nil || len(got) != len(c.secret) {
		return fmt.Errorf("the shared secret: %d bytes, %w", len(got), err)
	}
	copy(c.secret[:], got)
	return nil
}

// Secret is what all nodes make tickets and labels with.
func (c *Cluster) Secret() tracker.Secret { return c.secret }

// Local is the own part of the keys.
func (c *Cluster) Local() *memory.Store { return c.local }

// Run keeps the list of nodes, writes statements and hands keys over until ctx
// ends; then it leaves: what it held goes to the others.
func (c *Cluster) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { c.writeLoop(ctx) })
	tick := time.NewTicker(c.cfg.Lives / beats)
	defer tick.Stop()
	for ctx.Err() == nil {
		before := c.members.all()
		named, young, err := c.beat()
		if err != nil {
			c.cfg.Log.Warn("Redis does not answer; the nodes stay as they were", "err", err)
		} else if c.members.update(named, young) {
			c.mourn(before)
			c.handOver(ctx, c.members.self)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	wg.Wait()
	c.leave()
}

func (c *Cluster) leave() {
	conn := c.pool.Get()
	c.sayGoodbye(conn)
	conn.Close()
	c.members.mu.Lock()
	list := c.members.list[:0:0]
	for _, n := range c.members.list {
		if n != c.members.self {
			list = append(list, n)
		}
	}
	c.members.list = list
	c.members.mu.Unlock()
	if len(list) > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		c.handOver(ctx, c.members.self)
	}
	c.pool.Close()
}

// handOver gives away what other nodes own now.
func (c *Cluster) handOver(ctx context.Context, self string) {
	now := c.cfg.Now()
	c.local.GiveAway(now, func(key resource.Key) bool { return c.members.owner(key) != self }, func(p tracker.Announcer, ttl time.Duration, st resource.Statement) {
		if ctx.Err() != nil {
			return
		}
		msg := message{Now: now, TTL: ttl, Announcer: p, Items: []resource.Statement{st}}
		if _, err := c.ask(c.members.owner(st.Key), "settle", msg); err != nil {
			c.cfg.Log.Debug("a holder was not handed over; it will announce again", "err", err)
		}
	})
}

// Announce implements tracker.Store: every item goes to the node that owns it.
func (c *Cluster) Announce(now time.Time, ttl time.Duration, p tracker.Announcer, items []resource.Statement) ([]error, error) {
	at := map[string][]int{}
	for i, st := range items {
		owner := c.members.owner(st.Key)
		at[owner] = append(at[owner], i)
	}
	errs := make([]error, len(items))
	failed := false
	for owner, index := range at {
		part := make([]resource.Statement, len(index))
		for j, i := range index {
			part[j] = items[i]
		}
		partErrs, err := c.announceAt(owner, now, ttl, p, part)
		if err != nil {
			return nil, err
		}
		for j, i := range index {
			if partErrs != nil && partErrs[j] != nil {
				errs[i], failed = partErrs[j], true
			}
		}
	}
	if !failed {
		return nil, nil
	}
	return errs, nil
}

func (c *Cluster) announceAt(owner string, now time.Time, ttl time.Duration, p tracker.Announcer, items []resource.Statement) ([]error, error) {
	if owner != c.members.self {
		r, err := c.ask(owner, "announce", message{Now: now, TTL: ttl, Announcer: p, Items: items})
		return r.errors(len(items)), err
	}
	for _, st := range items {
		c.load(now, st.Key)
	}
	return c.local.Announce(now, ttl, p, items)
}

// Keep implements tracker.Store.
func (c *Cluster) Keep(now time.Time, st resource.Statement) error {
	if owner := c.members.owner(st.Key); owner != c.members.self {
		_, err := c.ask(owner, "keep", message{Now: now, Items: []resource.Statement{st}})
		return err
	}
	c.load(now, st.Key)
	return c.local.Keep(now, st)
}

// Lookup implements tracker.Store. What another node owns is remembered for a
// second, so that a hot key costs its owner little.
func (c *Cluster) Lookup(now time.Time, key resource.Key, n int, rnd *mrand.Rand) (tracker.Swarm, error) {
	owner := c.members.owner(key)
	if owner == c.members.self {
		return c.lookupHere(now, key, n, rnd)
	}
	if sw, ok := c.hot.get(now, key, n); ok {
		return sw, nil
	}
	r, err := c.ask(owner, "lookup", message{Now: now, Key: key, N: n})
	if err != nil {
		return tracker.Swarm{}, err
	}
	c.hot.put(now, key, n, r.Swarm)
	return r.Swarm, nil
}

func (c *Cluster) lookupHere(now time.Time, key resource.Key, n int, rnd *mrand.Rand) (tracker.Swarm, error) {
	c.load(now, key)
	sw, err := c.local.Lookup(now, key, n, rnd)
	if err == nil && len(sw.Holders) == 0 && c.members.isNew(c.cfg.Now(), c.cfg.Lives) {
		// Whoever owned the key before this node came may not have handed it over yet.
		if r, other := c.ask(c.members.heir(key), "peek", message{Now: now, Key: key, N: n}); other == nil {
			sw.Holders, sw.Size = r.Swarm.Holders, r.Swarm.Size
		}
	}
	if err == nil && sw.FirstOutage == 0 {
		c.queueOutage(key, now.Unix())
	}
	return sw, err
}

// Report implements tracker.Store.
func (c *Cluster) Report(now time.Time, key resource.Key, peer transport.PeerID, group tracker.Group) (bool, error) {
	owner := c.members.owner(key)
	if owner == c.members.self {
		return c.local.Report(now, key, peer, group)
	}
	r, err := c.ask(owner, "report", message{Now: now, Key: key, Peer: peer, Group: group})
	return r.Counted, err
}

// Leave implements tracker.Store: any node may hold something of the peer.
func (c *Cluster) Leave(now time.Time, peer transport.PeerID, at int64) error {
	err := c.local.Leave(now, peer, at)
	for _, n := range c.members.others() {
		_, other := c.ask(n, "leave", message{Now: now, Peer: peer, At: at})
		err = errors.Join(err, other)
	}
	return err
}

// Stats implements tracker.Store: the own part.
func (c *Cluster) Stats(now time.Time) tracker.StoreStats { return c.local.Stats(now) }
