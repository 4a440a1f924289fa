package peer

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"nt/chunker"
	"nt/internal/resource"
	"nt/peer/cache"
)

const (
	// announceBatch is how many resources go into one announcement.
	announceBatch = 100
	// maxAnnounced bounds how many resources are kept announced.
	maxAnnounced = 50_000
	// gather is how long a new resource waits for others to share its batch.
	gather = 100 * time.Millisecond
	// announceTimeout bounds one announcement, leaveTimeout the goodbye.
	announceTimeout = 15 * time.Second
	leaveTimeout    = 3 * time.Second
	// The locator's TTL is taken as within these, and as no less than so much for each thing announced: a
	// locator that forgets fast must not fill the uplink.
	minTTL, defaultTTL, maxTTL = time.Second, 10 * time.Minute, 24 * time.Hour
	ttlEach                    = 50 * time.Millisecond
	// Between attempts at a locator that does not answer.
	minBackoff, maxBackoff = time.Second, 5 * time.Minute
	// recount is how old the list of what the store holds may be.
	recount = time.Minute
)

// again returns how long after an announcement of so many things it is repeated: at about half of
// its time to live, spread so that nodes which started together do not stay together.
func again(ttl time.Duration, things int, rnd float64) time.Duration {
	if ttl <= 0 {
		ttl = defaultTTL
	}
	ttl = min(max(ttl, minTTL, ttlEach*time.Duration(things)), maxTTL)
	return time.Duration(float64(ttl) * (0.4 + 0.2*rnd))
}

// backoff returns how long to wait after so many failures in a row, the first being 1.
func backoff(failures int, rnd float64) time.Duration {
	d := maxBackoff
	if n := failures - 1; n < 20 {
		d = min(minBackoff<<max(n, 0), maxBackoff)
	}
	return time.Duration(float64(d) * (0.5 + 0.5*rnd))
}

// announced is a resource that is to be announced when it is due.
type announced struct {
	url, encoding string
	object        chunker.ObjectID
	due           time.Time
	header        chunker.Header // once it was at hand
	fresh         bool           // stored just now, so certainly there
	index         int            // in the heap
}

// announcer keeps what may be shared announced (N10). Its goroutine owns the heap.
type announcer struct {
	cfg Config

	mu      sync.Mutex
	news    []cache.Entry
	retreat bool // something was forgotten
	// recalled hears of every entry that an earlier run stored; may be nil.
	recalled func(cache.Entry)
	wake     chan struct{}

	items    dueHeap
	byName   map[string]*announced
	held     map[chunker.ObjectID]bool
	heldAt   time.Time
	failures int
	said     bool // something was announced
}

func newAnnouncer(cfg Config) *announcer {
	return &announcer{cfg: cfg, wake: make(chan struct{}, 1), byName: make(map[string]*announced)}
}

// add queues an entry that was stored just now.
func (a *announcer) add(e cache.Entry) {
	a.cfg.Shelf.Put(nameOf(e), e.Object())
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.news) < maxAnnounced {
		a.news = append(a.news, e)
	}
	a.stir()
}

func (a *announcer) stir() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// retract takes back what is not in the cache any more.
func (a *announcer) retract() {
	a.mu.Lock()
	a.retreat = true
	a.mu.Unlock()
	a.stir()
}

// run announces until ctx ends, then takes everything back.
func (a *announcer) run(ctx context.Context) {
	a.recall(ctx)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-a.wake:
			a.takeNews()
			a.anew(ctx)
		case <-timer.C:
			a.step(ctx)
		case <-ctx.Done():
			a.leave()
			return
		}
		timer.Reset(a.wait())
	}
}

// recall lists what an earlier run stored and may still be shared.
func (a *announcer) recall(ctx context.Context) {
	if a.cfg.Cache == nil {
		return
	}
	for e, err := range a.cfg.Cache.All() {
		if ctx.Err() != nil {
			return
		}
		if err != nil || !e.Shared || !a.allowed(e) {
			continue
		}
		a.cfg.Shelf.Put(nameOf(e), e.Object())
		if a.recalled != nil {
			a.recalled(e)
		}
		a.put(e, a.cfg.Now(), false)
	}
}

// allowed decides by today's rules.
func (a *announcer) allowed(e cache.Entry) bool {
	u, err := resource.ParseURL(e.URL)
	return err == nil && a.cfg.Sharing.Decide(u, nil, e.Statement.Status, e.Header()) == nil
}

// nameOf tells announced resources apart.
func nameOf(e cache.Entry) string { return e.URL + "\x00" + e.Encoding() }

func (a *announcer) takeNews() {
	a.mu.Lock()
	news := a.news
	a.news = nil
	a.mu.Unlock()
	for _, e := range news {
		a.put(e, a.cfg.Now().Add(gather), true)
	}
}

// anew takes everything back and announces what is left: locators know no way to take
// one thing back.
func (a *announcer) anew(ctx context.Context) {
	a.mu.Lock()
	retreat := a.retreat
	a.retreat = false
	a.mu.Unlock()
	if !retreat || !a.said {
		return
	}
	lctx, cancel := context.WithTimeout(ctx, announceTimeout)
	defer cancel()
	if err := a.cfg.Locator.Leave(lctx); err != nil {
		a.cfg.Log.Warn("what was forgotten is announced until it expires", "err", err)
		return
	}
	now := a.cfg.Now()
	for _, it := range a.items {
		it.due = now
	}
	heap.Init(&a.items)
}

func (a *announcer) put(e cache.Entry, due time.Time, fresh bool) {
	name := nameOf(e)
	it, known := a.byName[name]
	if !known {
		if len(a.items) >= maxAnnounced {
			return
		}
		it = &announced{url: e.URL, encoding: e.Encoding(), index: -1}
		a.byName[name] = it
	} else if it.object == e.Object() && it.due.After(due) && it.fresh {
		return
	}
	if it.object != e.Object() {
		it.header = chunker.Header{}
	}
	it.object, it.due, it.fresh = e.Object(), due, fresh
	if it.index < 0 {
		heap.Push(&a.items, it)
	} else {
		heap.Fix(&a.items, it.index)
	}
}

// wait is how long until something is due, or the locator may be tried again.
func (a *announcer) wait() time.Duration {
	if len(a.items) == 0 {
		return maxTTL
	}
	return max(0, a.items[0].due.Sub(a.cfg.Now()))
}

// step announces one batch of what is due.
func (a *announcer) step(ctx context.Context) {
	batch, items := a.batch()
	if len(items) == 0 {
		return
	}
	actx, cancel := context.WithTimeout(ctx, announceTimeout)
	defer cancel()
	answer, err := a.cfg.Locator.Announce(actx, items)
	if ctx.Err() != nil {
		a.said = true // it may have arrived
		return
	}
	if err != nil {
		a.failures++
		pause := backoff(a.failures, a.cfg.Rand())
		a.cfg.Log.Info("not announced", "resources", len(a.items), "retry_in", pause.Round(time.Second), "err", err)
		a.postpone(a.cfg.Now().Add(pause))
		return
	}
	a.failures, a.said = 0, true
	next := a.cfg.Now().Add(again(answer.TTL, len(a.items), a.cfg.Rand())) // one for all, so that a batch stays one
	for i, it := range batch {
		if reason, refused := answer.Refused[i]; refused {
			a.cfg.Log.Info("announcement refused", "url", it.url, "reason", reason)
			a.forget(it)
			continue
		}
		it.due, it.fresh = next, false
		heap.Fix(&a.items, it.index)
	}
}

// batch collects what is due and still here.
func (a *announcer) batch() (batch []*announced, items []Announcement) {
	now := a.cfg.Now()
	var taken []*announced
	for len(a.items) > 0 && len(items) < announceBatch && !a.items[0].due.After(now) {
		it := heap.Pop(&a.items).(*announced)
		taken = append(taken, it)
		if n, ok := a.announcement(it); ok {
			batch, items = append(batch, it), append(items, n)
		} else {
			name := it.url + "\x00" + it.encoding
			delete(a.byName, name)
			a.cfg.Shelf.Take(name)
			taken = taken[:len(taken)-1]
		}
	}
	for _, it := range taken {
		heap.Push(&a.items, it)
	}
	return batch, items
}

// announcement reads the entry anew, because other processes change the cache,
// and decides anew, because the user may have changed the rules.
func (a *announcer) announcement(it *announced) (Announcement, bool) {
	u, err := resource.ParseURL(it.url)
	if err != nil {
		return Announcement{}, false
	}
	for _, e := range a.cfg.Cache.Get(u) {
		if e.Encoding() != it.encoding || !e.Shared || !a.allowed(e) {
			continue
		}
		if !it.fresh && !a.holds(e.Object()) {
			continue
		}
		return Announcement{Statement: e.Statement, URL: it.url, Header: a.headerOf(it)}, true
	}
	return Announcement{}, false
}

// headerOf returns the object's header, which is read when the object was stored just now: later
// that would make it look used.
func (a *announcer) headerOf(it *announced) chunker.Header {
	if it.fresh && it.header == (chunker.Header{}) {
		if obj, err := a.cfg.Store.OpenObject(it.object); err == nil {
			it.header, _ = obj.Header()
			obj.Close()
		}
	}
	return it.header
}

// holds reports whether the store holds the whole object, from a list made now
// and then: opening every object would make all of them look used.
func (a *announcer) holds(id chunker.ObjectID) bool {
	if now := a.cfg.Now(); a.held == nil || now.Sub(a.heldAt) > recount {
		a.held, a.heldAt = make(map[chunker.ObjectID]bool), now
		for info := range a.cfg.Store.List() {
			if info.Complete {
				a.held[info.ID] = true
			}
		}
	}
	return a.held[id]
}

func (a *announcer) forget(it *announced) {
	heap.Remove(&a.items, it.index)
	delete(a.byName, it.url+"\x00"+it.encoding)
}

// postpone moves everything that is due before t to t.
func (a *announcer) postpone(t time.Time) {
	for _, it := range a.items {
		if it.due.Before(t) {
			it.due = t
		}
	}
	heap.Init(&a.items)
}

// leave takes back what was announced; the node's context has ended.
func (a *announcer) leave() {
	if !a.said {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	if err := a.cfg.Locator.Leave(ctx); err != nil {
		a.cfg.Log.Debug("leave not told", "err", err)
	}
}
