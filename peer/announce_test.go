package peer

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"nt/chunker/store"
	"nt/chunker/store/memory"
	"nt/peer/cache"
	"nt/peer/trust"
)

func TestN10_AnnouncesAfterEveryRetrieval(t *testing.T) {
	body := pattern(10_000)
	s := newSite(t, sendText(body))
	r := newRig(t)
	r.mustGet(s.URL+"/a", body, SourceOrigin)
	a := <-r.locator.announced
	if len(a) != 1 || a[0].URL != s.URL+"/a" || a[0].Statement.Verify() != nil || a[0].Statement.Witness != witnessOf(testKey(1)) ||
		a[0].Statement.Key != mustURL(t, s.URL+"/a").Key() || a[0].Statement.Header.Get("Etag") != `"v1"` {
		t.Errorf("announcement %+v", a)
	}
	url := deadURL(t) + "/b"
	st := r.publish(url, body, nil, testKey(9))
	r.mustGet(url, body, SourcePeers)
	a = <-r.locator.announced
	if len(a) != 1 || a[0].Statement.Object != st.Object || a[0].Statement.Verify() != nil || a[0].Statement.Signature != st.Signature || a[0].Statement.Witness != witnessOf(testKey(9)) {
		t.Errorf("announcement of a copy from peers %+v", a)
	}
	r.node.Close()
	if r.locator.left != 1 {
		t.Errorf("left %d times", r.locator.left)
	}
}

func TestSharingOffAnnouncesNothing(t *testing.T) {
	body := pattern(100)
	s := newSite(t, sendText(body))
	r := newRig(t, func(c *Config) { c.Sharing.Enabled = false })
	r.mustGet(s.URL+"/a", body, SourceOrigin)
	r.settle()
	r.node.Close()
	if len(r.locator.announced) != 0 || r.locator.left != 0 || len(r.cfg.Cache.Get(mustURL(t, s.URL+"/a"))) != 1 {
		t.Error("announced, or not kept")
	}
}

// shelf is a node's cache with n shared entries whose objects are in the store.
func shelf(t *testing.T, n int) Config {
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, remote: memory.New(store.Options{})}
	for i := range n {
		url := fmt.Sprintf("http://site%d.com/", i)
		s := r.statement(url, fmt.Append(nil, i), http.Header{}, testKey(1))
		if err := c.Put(cache.Entry{URL: url, Statement: s, Level: trust.Self, Shared: true}); err != nil {
			t.Fatal(err)
		}
	}
	return Config{Store: r.remote, Cache: c, Identity: testKey(1), Sharing: Sharing{Enabled: true}}
}

func TestAnnouncesWhatTheCacheHeldAtStart(t *testing.T) {
	cfg := shelf(t, 130)
	gone := mustURL(t, "http://site7.com/")
	if err := cfg.Store.Remove(cfg.Cache.Get(gone)[0].Object()); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		l := newFakeLocator()
		cfg.Locator = l
		n := NewNode(cfg)
		synctest.Wait()
		total := 0
		for range 2 {
			batch := <-l.announced
			if total += len(batch); len(batch) > announceBatch {
				t.Errorf("a batch of %d", len(batch))
			}
			for _, a := range batch {
				if a.URL == gone.String() {
					t.Error("announced an object that is gone")
				}
			}
		}
		if total != 129 {
			t.Errorf("%d announced, want 129", total)
		}
		n.Close()
	})
}

func TestReannouncesAtHalfTheTTL(t *testing.T) {
	cfg := shelf(t, 3)
	synctest.Test(t, func(t *testing.T) {
		l := newFakeLocator()
		cfg.Locator = l
		n := NewNode(cfg)
		start := time.Now()
		for range 3 {
			<-l.announced
		}
		if d := time.Since(start); d < 2*24*time.Minute || d > 2*36*time.Minute {
			t.Errorf("the third announcement after %s of a TTL of %s", d, l.ttl)
		}
		n.Close()
	})
}

func TestUnreachableLocatorIsLeftAlone(t *testing.T) {
	cfg := shelf(t, 3)
	synctest.Test(t, func(t *testing.T) {
		l := newFakeLocator()
		l.err = errUnreachable
		cfg.Locator = l
		n := NewNode(cfg)
		time.Sleep(time.Hour)
		synctest.Wait()
		if tries := len(l.announced); tries < 12 || tries > 40 {
			t.Errorf("%d attempts in an hour", tries)
		}
		l.mu.Lock()
		l.err = nil
		l.mu.Unlock()
		for range len(l.announced) {
			<-l.announced
		}
		if batch := <-l.announced; len(batch) != 3 {
			t.Errorf("%d announced when it came back", len(batch))
		}
		n.Close()
	})
}

func TestRefusedItemsAreNotRepeated(t *testing.T) {
	cfg := shelf(t, 3)
	synctest.Test(t, func(t *testing.T) {
		l := newFakeLocator()
		l.refuse = map[int]string{0: "no", 2: "no"}
		cfg.Locator = l
		n := NewNode(cfg)
		if batch := <-l.announced; len(batch) != 3 {
			t.Errorf("%d announced", len(batch))
		}
		if batch := <-l.announced; len(batch) != 1 {
			t.Errorf("%d announced again", len(batch))
		}
		n.Close()
	})
}

func TestAgainAndBackoff(t *testing.T) {
	for _, c := range []struct {
		ttl    time.Duration
		things int
		rnd    float64
		want   time.Duration
	}{{time.Hour, 1, 0, 24 * time.Minute}, {time.Hour, 1, 0.5, 30 * time.Minute}, {0, 1, 0.5, 5 * time.Minute}, {2 * time.Second, 1, 0.5, time.Second}, {time.Millisecond, 1, 0.5, 500 * time.Millisecond},
		{time.Second, 1000, 0.5, 25 * time.Second}, {-1, 1, 0.5, 5 * time.Minute}, {1 << 62, 1, 0.5, 12 * time.Hour}} {
		if got := again(c.ttl, c.things, c.rnd); got != c.want {
			t.Errorf("again(%s, %d, %v) = %s, want %s", c.ttl, c.things, c.rnd, got, c.want)
		}
	}
	last := time.Duration(0)
	for n := 1; n < 100; n++ {
		d := backoff(n, 1)
		if d < last || d > maxBackoff || backoff(n, 0) != d/2 {
			t.Errorf("backoff(%d) = %s after %s", n, d, last)
		}
		last = d
	}
	if backoff(1, 1) != minBackoff || last != maxBackoff {
		t.Error("the ends of backoff")
	}
}
