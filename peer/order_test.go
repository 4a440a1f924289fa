package peer

import (
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"nt/internal/resource"
	"nt/peer/origin"
	"nt/peer/trust"
)

func TestN6_OriginThenCacheThenPeers(t *testing.T) {
	body := pattern(200_000)
	s := newSite(t, sendText(body))
	r := newRig(t)
	r.publish(s.URL+"/a", body, nil, testKey(9))
	for range 2 { // the second time the cache holds it, and the origin is asked all the same
		res := r.mustGet(s.URL+"/a", body, SourceOrigin)
		for _, f := range []string{FieldSource, FieldTrust, FieldObserved, "Age"} {
			if res.Header.Get(f) != "" {
				t.Errorf("the origin's answer carries %s", f)
			}
		}
		r.settle()
	}
	if s.count() != 2 || r.locator.asked() != 0 {
		t.Fatalf("%d requests at the origin and %d lookups, want 2 and 0", s.count(), r.locator.asked())
	}
	s.Close()
	res := r.mustGet(s.URL+"/a", body, SourceCache)
	if got := res.Header.Get("Nt-Trust"); got != "self" || res.Header.Get("Nt-Source") != "cache" || res.Header.Get("Etag") != `"v1"` {
		t.Errorf("header of a cached copy: %v", res.Header)
	}
	if r.locator.asked() != 0 {
		t.Error("the locator was asked although the cache has it")
	}
	if _, err := r.cfg.Cache.Remove(mustURL(t, s.URL+"/a")); err != nil {
		t.Fatal(err)
	}
	r.node.Settle(t.Context())
	if err := r.cfg.Store.Remove(res.Provenance.Object); err != nil {
		t.Fatal(err)
	}
	res = r.mustGet(s.URL+"/a", body, SourcePeers)
	if res.Header.Get("Nt-Trust") != "notary" || res.Provenance.OriginError == nil || res.Provenance.DownSince.IsZero() {
		t.Errorf("provenance of a peers' copy: %+v", res.Provenance)
	}
	p := res.Provenance.Live.Snapshot()
	if p.BytesBySource[SourcePeers] != int64(len(body)) || p.PeersMet != 1 || p.Overhead == 0 {
		t.Errorf("progress %+v", p)
	}
}

func TestN7_CacheFillsFromPeersToo(t *testing.T) {
	body := pattern(70_000)
	r := newRig(t)
	url := deadURL(t) + "/x"
	r.publish(url, body, http.Header{"Content-Type": {"text/css"}}, testKey(9))
	r.mustGet(url, body, SourcePeers)
	r.settle()
	r.locator.mu.Lock()
	clear(r.locator.found)
	r.locator.mu.Unlock()
	res := r.mustGet(url, body, SourceCache)
	if res.Header.Get("Nt-Trust") != "notary" || res.Header.Get("Content-Type") != "text/css" {
		t.Errorf("a copy from peers became %v in the cache", res.Header)
	}
}

func TestN6_EveryKindOfDeath(t *testing.T) {
	body := pattern(50_000)
	for _, d := range deaths {
		t.Run(d.name, func(t *testing.T) {
			r := newRig(t, d.config)
			url := d.start(t) + "/page"
			r.publish(url, body, nil, testKey(9))
			res := r.mustGet(url, body, SourcePeers)
			if res.Status != 200 || res.Provenance.Level != trust.Notary {
				t.Errorf("status %d, level %s", res.Status, res.Provenance.Level)
			}
		})
		t.Run(d.name+" and nobody has it", func(t *testing.T) {
			r := newRig(t, d.config)
			res, err := r.get(d.start(t) + "/page")
			switch {
			case d.status != 0:
				if err != nil || res.Status != d.status || res.Provenance.CopyError == nil {
					t.Errorf("a gateway's error must pass when there is no copy: %v, %v", res.Response, err)
				}
			case d.answersLate:
				if err != nil || string(res.body) != "late" {
					t.Errorf("a slow origin must not be given up when there is no copy: %v", err)
				}
			case !errors.Is(err, ErrNoSource):
				t.Errorf("error %v, want ErrNoSource", err)
			}
		})
	}
}

func TestRow7_AnswersAreNotOutages(t *testing.T) {
	body := pattern(5000)
	for _, status := range []int{400, 401, 403, 404, 410, 429, 451, 500, 501, 206, 304, 301, 302, 307} {
		s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://other.test/")
			w.WriteHeader(status)
		})
		r := newRig(t)
		r.publish(s.URL+"/p", body, nil, testKey(9))
		res, err := r.get(s.URL + "/p")
		if err != nil || res.Status != status || res.Provenance.Source != SourceOrigin {
			t.Errorf("status %d: %v", status, err)
		}
		r.settle()
		if r.locator.asked() != 0 || len(r.cfg.Cache.Get(mustURL(t, s.URL+"/p"))) != 0 {
			t.Errorf("status %d was looked up or kept", status)
		}
	}
}

func TestRow7_BadCertificateNeverFallsBack(t *testing.T) {
	s := newTLSSite(t)
	r := newRig(t)
	r.publish(s.URL+"/p", pattern(5000), nil, testKey(9))
	_, err := r.get(s.URL + "/p")
	if !errors.Is(err, origin.ErrTLS) || errors.Is(err, ErrNoSource) {
		t.Fatalf("error %v, want origin.ErrTLS", err)
	}
	if r.locator.asked() != 0 {
		t.Error("the locator was asked")
	}
}

func TestN6_SlowOriginRacesACopy(t *testing.T) {
	release := make(chan struct{})
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) { <-release })
	defer close(release)
	r := newRig(t, hasty)
	body := pattern(3000)
	r.publish(s.URL+"/p", body, nil, testKey(9))
	r.mustGet(s.URL+"/p", body, SourcePeers)
}

func TestUntrustedCopiesAreRefused(t *testing.T) {
	r := newRig(t)
	url := deadURL(t) + "/p"
	body := pattern(3000)
	r.publish(url, body, nil, testKey(5))
	_, err := r.get(url)
	var low *UntrustedError
	if !errors.As(err, &low) || len(low.Found) != 1 || low.Need != trust.Notary || low.Origin == nil {
		t.Fatalf("error %v, want an UntrustedError", err)
	}
	anything := trust.Unverified
	r.mustGet(url, body, SourcePeers, func(q *Request) { q.Trust = &anything })
	r.settle()
	if _, err := r.get(url); !errors.Is(err, ErrUntrusted) {
		t.Errorf("an unverified copy became believable by lying in the cache: %v", err)
	}
	select {
	case a := <-r.locator.announced:
		t.Errorf("an unverified copy was announced: %v", a)
	default:
	}
}

func TestOwnAnnouncementsProveNothing(t *testing.T) {
	// A copy from peers is announced under the own key; found again at the locator it
	// must not have become something this machine saw.
	r := newRig(t, func(c *Config) { c.Trust.Own = map[resource.WitnessKey]bool{witnessOf(testKey(1)): true} })
	url := deadURL(t) + "/p"
	r.publish(url, pattern(3000), nil, testKey(1))
	if _, err := r.get(url); !errors.Is(err, ErrNoSource) {
		t.Errorf("error %v, want ErrNoSource", err)
	}
	other := r.publish(url, pattern(3000), nil, testKey(9))
	if res := r.mustGet(url, pattern(3000), SourcePeers); res.Provenance.Level != trust.Notary || res.Provenance.Object != other.Object {
		t.Errorf("level %s", res.Provenance.Level)
	}
}

func TestNotModifiedDatesTheCopyAnew(t *testing.T) {
	var hours atomic.Int64
	start := time.Now().Truncate(time.Second)
	body := []byte("page")
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		if r.Header.Get("If-None-Match") == `"v1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Write(body)
	})
	r := newRig(t, func(c *Config) {
		c.Now = func() time.Time { return start.Add(time.Duration(hours.Load()) * time.Hour) }
	})
	url := s.URL + "/p"
	seen := func() time.Time { return r.cfg.Cache.Get(mustURL(t, url))[0].ObservedAt() }
	r.mustGet(url, body, SourceOrigin)
	r.settle()
	first := seen()
	hours.Add(1)
	if res, err := r.get(url, field("If-None-Match", `"v1"`)); err != nil || res.Status != 304 {
		t.Fatal(res.Response, err)
	}
	r.settle()
	if got := seen(); got.Sub(first) != time.Hour {
		t.Errorf("the copy is dated %s, want an hour after %s", got, first)
	}
}

func TestRow2_ForgedObjectIsNotDelivered(t *testing.T) {
	// Everybody claims, nobody whom the user trusts has seen it.
	r := newRig(t)
	url := deadURL(t) + "/p"
	for k := byte(20); k < 30; k++ {
		r.publish(url, pattern(1000), nil, testKey(k))
	}
	if _, err := r.get(url); !errors.Is(err, ErrUntrusted) {
		t.Fatalf("error %v, want ErrUntrusted", err)
	}
}

func TestNoOrigin(t *testing.T) {
	s := newSite(t, sendText([]byte("live")))
	r := newRig(t)
	only := func(q *Request) { q.NoOrigin = true }
	if _, err := r.get(s.URL+"/p", only); !errors.Is(err, ErrNoSource) {
		t.Errorf("error %v, want ErrNoSource", err)
	}
	body := pattern(10)
	r.publish(s.URL+"/p", body, nil, testKey(9))
	r.mustGet(s.URL+"/p", body, SourcePeers, only)
	if s.count() != 0 {
		t.Error("the origin was asked")
	}
	if _, err := r.get(deadURL(t)+"/p", func(q *Request) { q.NoPeers = true }); !errors.Is(err, ErrNoSource) {
		t.Errorf("error %v, want ErrNoSource", err)
	}
}

func TestNoSourceSaysWhatWasTried(t *testing.T) {
	r := newRig(t)
	r.locator.err = errUnreachable
	_, err := r.get(deadURL(t) + "/p")
	var none *NoSourceError
	if !errors.As(err, &none) || len(none.Tried) != 3 {
		t.Fatalf("error %v", err)
	}
	for i, where := range []string{"origin", "cache", "locator"} {
		if none.Tried[i].Where != where || none.Tried[i].Err == nil {
			t.Errorf("attempt %d is %+v, want %s", i, none.Tried[i], where)
		}
	}
}

func TestOutagesMakeImpatient(t *testing.T) {
	var o outages
	now := time.Unix(1e9, 0)
	if o.patience("a", now, time.Second) != time.Second {
		t.Error("an unknown origin gets its full time")
	}
	since := o.down("a", now)
	if again := o.down("a", now.Add(time.Hour)); !again.Equal(since) {
		t.Error("the start of an outage moved")
	}
	if o.patience("a", now.Add(time.Hour), time.Second) != time.Second/impatience || o.patience("a", now.Add(2*time.Hour), time.Second) != time.Second {
		t.Error("patience")
	}
	o.up("a")
	if o.patience("a", now.Add(time.Hour), time.Second) != time.Second {
		t.Error("an origin that answered gets its full time")
	}
	for i := range 2 * maxOutages {
		o.down(time.Duration(i).String(), now.Add(time.Duration(i)))
	}
	if len(o.m) > maxOutages {
		t.Errorf("%d outages remembered", len(o.m))
	}
}
