// Package ops owns what the operator of a tracker sees: metrics in Prometheus'
// text form, a status page, and profiles. It reads counters and decides nothing.
//
// The exposition is written by hand: it is some fifty lines for counters and gauges that exist
// already, and the client library would add 2.3 MB to the binary.
package ops

import (
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"sync"
	"time"

	"nt/tracker"
	"nt/tracker/bep"
)

// Config says where the figures come from. Fields that are nil are left out.
type Config struct {
	Tracker  func(now time.Time) tracker.Stats
	Pace     *tracker.Pace
	Largest  func(n int) []tracker.SwarmSize
	Torrents func(now time.Time) tracker.StoreStats
	BEP      *bep.Counters
	Top      func(n int) []tracker.SwarmSize // torrents
	Sessions func() Sessions
	Memory   int64 // the cap, in bytes
	Started  time.Time
	Profiles bool // serve /debug/pprof/ to loopback
}

// Sessions is what the UDP rendezvous did.
type Sessions struct {
	Open                int
	Fetching            int    // peers and objects that they say they are after
	In, Out             uint64 // datagrams
	Refused, Introduces uint64
}

// Pages answers for the operator.
type Pages struct {
	cfg Config

	mu     sync.Mutex
	before sample // what rates are reckoned from
	last   sample
	top    [2][]tracker.SwarmSize
}

// New returns the pages for cfg.
func New(cfg Config) *Pages { return &Pages{cfg: cfg} }

// All returns the pages by path: /metrics for everybody, since it holds no more
// than /v1/stats, the others for who comes from this machine.
func (p *Pages) All() map[string]tracker.Page {
	pages := map[string]tracker.Page{"/metrics": p.metrics, "/status": local(p.status)}
	if !p.cfg.Profiles {
		return pages
	}
	pages["/debug/pprof/profile"] = local(handler(http.HandlerFunc(pprof.Profile)))
	pages["/debug/pprof/trace"] = local(handler(http.HandlerFunc(pprof.Trace)))
	for _, name := range []string{"heap", "allocs", "goroutine", "mutex", "block"} {
		pages["/debug/pprof/"+name] = local(handler(pprof.Handler(name)))
	}
	return pages
}

func handler(h http.Handler) tracker.Page {
	return func(w http.ResponseWriter, r *http.Request, _ time.Time, _ netip.Addr) { h.ServeHTTP(w, r) }
}

// local answers only who comes from this machine and names it by its address: a
// page of the web that makes a name of its own point here reads nothing.
func local(page tracker.Page) tracker.Page {
	return func(w http.ResponseWriter, r *http.Request, now time.Time, from netip.Addr) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		ip, err := netip.ParseAddr(host)
		if !from.IsLoopback() || host != "localhost" && (err != nil || !ip.IsLoopback()) {
			http.Error(w, "only from the tracker's own machine, by its loopback address", http.StatusForbidden)
			return
		}
		page(w, r, now, from)
	}
}
