package ops

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"nt/tracker"
)

// metric writes one family in Prometheus' text form, version 0.0.4.
func metric(w io.Writer, kind, name, help string, values ...string) {
	fmt.Fprintf(w, "# HELP nt_tracker_%s %s\n# TYPE nt_tracker_%s %s\n", name, help, name, kind)
	for _, v := range values {
		fmt.Fprintf(w, "nt_tracker_%s%s\n", name, v)
	}
}

func plain[N int | int64 | uint64](n N) string { return " " + strconv.FormatInt(int64(n), 10) }

func labelled(label, value string, n int64) string {
	return fmt.Sprintf("{%s=%s} %d", label, strconv.Quote(value), n)
}

func (p *Pages) metrics(w http.ResponseWriter, _ *http.Request, now time.Time, _ netip.Addr) {
	var b strings.Builder
	s := p.cfg.Tracker(now)
	metric(&b, "gauge", "keys", "URL keys held.", plain(s.Keys))
	metric(&b, "gauge", "holders", "Announcements that hold.", plain(s.Peers))
	metric(&b, "gauge", "statements", "Statements held.", plain(s.Statements))
	metric(&b, "gauge", "store_bytes", "Estimated memory of the URL store.", plain(s.Bytes))
	metric(&b, "gauge", "store_limit_bytes", "Cap of the URL store.", plain(s.Limit))
	metric(&b, "counter", "evicted_total", "Keys given up for lack of memory.", plain(s.Evicted))
	metric(&b, "counter", "messages_total", "Messages of API v1, and lookups by one datagram (join).", labelled("type", "announce", s.Announces), labelled("type", "lookup", s.Lookups-s.Joins),
		labelled("type", "join", s.Joins), labelled("type", "report", s.Reports), labelled("type", "leave", s.Leaves))
	metric(&b, "counter", "items_total", "Announcements taken.", plain(s.Items))
	metric(&b, "counter", "refused_total", "Messages and items of API v1 refused.", reasons(s.Refused)...)
	metric(&b, "counter", "probes_total", "Announced endpoints asked whether they answer.", labelled("answer", "yes", s.Probes-s.Silent), labelled("answer", "no", s.Silent))
	metric(&b, "gauge", "interval_stretch", "By how much announcers are slowed down; 1 is not.", fmt.Sprintf(" %g", p.cfg.Pace.Stretch()))
	metric(&b, "gauge", "resident_bytes", "Resident memory of the process.", plain(resident()))
	metric(&b, "gauge", "memory_limit_bytes", "Cap of the process.", plain(p.cfg.Memory))
	metric(&b, "gauge", "uptime_seconds", "Since the start.", plain(s.Uptime))
	p.torrentMetrics(&b, now)
	p.wireMetrics(&b)
	h := w.Header()
	h.Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	io.WriteString(w, b.String()) // the asker may be gone
}

func reasons(refused map[tracker.Reason]int64) (out []string) {
	for _, r := range slices.Sorted(maps.Keys(refused)) {
		out = append(out, labelled("reason", string(r), refused[r]))
	}
	return out
}

func (p *Pages) torrentMetrics(b io.Writer, now time.Time) {
	if p.cfg.BEP == nil {
		return
	}
	c, s := p.cfg.BEP, p.cfg.Torrents(now)
	metric(b, "gauge", "torrents", "Torrents held.", plain(s.Keys))
	metric(b, "gauge", "torrent_peers", "Peers of torrents held.", plain(s.Peers))
	metric(b, "gauge", "torrent_bytes", "Estimated memory of the torrents.", plain(s.Bytes))
	metric(b, "gauge", "torrent_limit_bytes", "Cap of the torrents.", plain(s.Limit))
	metric(b, "counter", "torrents_evicted_total", "Torrents given up for lack of memory.", plain(s.Evicted))
	metric(b, "counter", "bep_messages_total", "Requests of BitTorrent clients answered.", labelled("type", "connect", c.Connects.Load()),
		labelled("type", "announce_udp", c.AnnouncesUDP.Load()), labelled("type", "announce_http", c.AnnouncesHTTP.Load()),
		labelled("type", "scrape_udp", c.ScrapesUDP.Load()), labelled("type", "scrape_http", c.ScrapesHTTP.Load()))
	metric(b, "counter", "bep_refused_total", "Requests of BitTorrent clients refused.", labelled("reason", "malformed", c.Malformed.Load()),
		labelled("reason", "bad_connection_id", c.BadConnection.Load()), labelled("reason", "not_listed", c.Unlisted.Load()),
		labelled("reason", "group_quota", c.Quota.Load()), labelled("reason", "full", c.Full.Load()),
		labelled("reason", "address_not_public", c.Address.Load()), labelled("reason", "bad_token", c.Token.Load()))
}

func (p *Pages) wireMetrics(b io.Writer) {
	if p.cfg.Sessions == nil {
		return
	}
	s := p.cfg.Sessions()
	metric(b, "gauge", "udp_sessions", "UDP sessions open.", plain(s.Open))
	metric(b, "gauge", "fetching", "Peers fetching an object at the moment, counted for each object.", plain(s.Fetching))
	metric(b, "counter", "udp_datagrams_total", "Datagrams of the rendezvous.", fmt.Sprintf(`{direction="in"} %d`, s.In), fmt.Sprintf(`{direction="out"} %d`, s.Out))
	metric(b, "counter", "udp_refused_total", "Datagrams of the rendezvous refused.", plain(s.Refused))
	metric(b, "counter", "introductions_total", "Introductions given.", plain(s.Introduces))
}
