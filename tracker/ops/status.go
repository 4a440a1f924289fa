package ops

import (
	_ "embed"
	"html/template"
	"net/http"
	"net/netip"
	"time"

	"nt/tracker"
)

const (
	topSwarms = 20
	// refresh is how old the figures of the page may be: listing the largest
	// swarms walks the stores.
	refresh = 5 * time.Second
)

// sample is what rates are reckoned from.
type sample struct {
	at                         time.Time
	announces, lookups, bepAsk int64
}

// view is what the page shows.
type view struct {
	Stats                   tracker.Stats
	Torrents                *tracker.StoreStats
	Announces, Lookups, BEP float64 // a second
	Over                    time.Duration
	Interval                time.Duration
	Resident, Memory        int64 // MiB
	Hot, HotTorrents        []tracker.SwarmSize
	Sessions                int
	Uptime                  time.Duration
}

func (p *Pages) status(w http.ResponseWriter, _ *http.Request, now time.Time, _ netip.Addr) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	page().Execute(w, p.look(now)) // the asker may be gone
}

func (p *Pages) look(now time.Time) view {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.cfg.Tracker(now)
	if now.Sub(p.last.at) >= refresh || p.last.at.IsZero() {
		p.before, p.last = p.last, p.sample(now, s)
		p.top[0] = p.cfg.Largest(topSwarms)
		if p.cfg.Top != nil {
			p.top[1] = p.cfg.Top(topSwarms)
		}
	}
	v := view{Stats: s, Interval: p.cfg.Pace.Interval().Round(time.Second), Resident: resident() >> 20, Memory: p.cfg.Memory >> 20,
		Hot: p.top[0], HotTorrents: p.top[1], Uptime: time.Duration(s.Uptime) * time.Second}
	if p.before.at.IsZero() {
		p.before.at = p.cfg.Started
	}
	v.Over = p.last.at.Sub(p.before.at).Round(time.Second)
	rate := func(a, b int64) float64 { return float64(b-a) / max(p.last.at.Sub(p.before.at).Seconds(), 1) }
	v.Announces, v.Lookups = rate(p.before.announces, p.last.announces), rate(p.before.lookups, p.last.lookups)
	v.BEP = rate(p.before.bepAsk, p.last.bepAsk)
	if p.cfg.Torrents != nil {
		t := p.cfg.Torrents(now)
		v.Torrents = &t
	}
	if p.cfg.Sessions != nil {
		v.Sessions = p.cfg.Sessions().Open
	}
	return v
}

func (p *Pages) sample(now time.Time, s tracker.Stats) sample {
	out := sample{at: now, announces: s.Items, lookups: s.KeysAsked}
	if c := p.cfg.BEP; c != nil {
		out.bepAsk = c.AnnouncesUDP.Load() + c.AnnouncesHTTP.Load()
	}
	return out
}

// page returns the status page: no script, nothing from elsewhere.
func page() *template.Template {
	return template.Must(template.New("status").Funcs(template.FuncMap{
		"mib":  func(n int64) int64 { return n >> 20 },
		"most": func(hot []tracker.SwarmSize) int { return max(1, append(hot, tracker.SwarmSize{})[0].Holders) }, // they come sorted
	}).Parse(statusPage))
}

//go:embed status.html
var statusPage string
