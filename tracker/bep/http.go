package bep

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"nt/tracker"
)

// maxQuery bounds the query of a request, before it is looked at.
const maxQuery = 2048

// ServeAnnounce answers GET /announce of somebody at the address from (BEP 3, 7, 23).
// Peer lists are compact and of the asker's address family. A refusal is a bencoded failure with status 200, as clients expect.
func (s *Server) ServeAnnounce(w http.ResponseWriter, r *http.Request, now time.Time, from netip.Addr) {
	req, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		s.count.Malformed.Add(1)
		reply(w, appendFailure(nil, refusal(err.Error())))
		return
	}
	list := make([]byte, 0, MaxWant4*6)
	counts, list, why := s.announce(now, from, req, list)
	if why != "" {
		reply(w, appendFailure(nil, why))
		return
	}
	s.count.AnnouncesHTTP.Add(1)
	reply(w, s.appendAnswer(nil, from, counts, list))
}

func (s *Server) appendAnswer(b []byte, from netip.Addr, counts tracker.TorrentCounts, list []byte) []byte {
	b = appendInt(append(b, "d8:complete"...), int64(counts.Seeds))
	b = appendInt(append(b, "10:incomplete"...), int64(counts.Leeches))
	interval := int64(s.jittered())
	b = appendInt(append(b, "8:interval"...), interval)
	b = appendInt(append(b, "12:min interval"...), interval/2)
	if from.Is4() {
		b = appendString(append(b, "5:peers"...), list)
	} else {
		b = append(b, "5:peers0:"...)
		b = appendString(append(b, "6:peers6"...), list)
	}
	return append(b, 'e')
}

// ServeScrape answers GET /scrape (BEP 48); a scrape of everything is refused.
func (s *Server) ServeScrape(w http.ResponseWriter, r *http.Request, now time.Time) {
	hashes, token, err := parseScrape(r.URL.RawQuery)
	if err == nil && !s.admitted(token) {
		s.count.Token.Add(1)
		reply(w, appendFailure(nil, "this tracker is private"))
		return
	}
	if err != nil {
		s.count.Malformed.Add(1)
		reply(w, appendFailure(nil, refusal(err.Error())))
		return
	}
	s.count.ScrapesHTTP.Add(1)
	b := []byte("d5:filesd")
	for _, h := range hashes {
		c := s.cfg.Swarms.Scrape(now, h)
		b = appendString(b, h[:])
		b = appendInt(append(b, "d8:complete"...), int64(c.Seeds))
		b = appendInt(append(b, "10:downloaded"...), int64(c.Completed))
		b = appendInt(append(b, "10:incomplete"...), int64(c.Leeches))
		b = append(b, 'e')
	}
	reply(w, append(b, "ee"...))
}

func reply(w http.ResponseWriter, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/plain")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body) // the asker may be gone
}

// eachParam calls f with every pair of a query. It does without url.ParseQuery, which
// makes a map and would take any number of them.
func eachParam(query string, f func(name, value string) error) error {
	if len(query) > maxQuery {
		return errors.New("the query is too long")
	}
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(pair, "=")
		value, err := url.QueryUnescape(value)
		if err != nil {
			return errors.New("the query is not well escaped")
		}
		if err := f(name, value); err != nil {
			return err
		}
	}
	return nil
}

func parseQuery(query string) (request, error) {
	r := request{want: -1}
	seen := false
	err := eachParam(query, func(name, value string) (err error) {
		switch name {
		case "info_hash":
			if len(value) != hashSize || seen {
				return errors.New("info_hash must be 20 bytes, once")
			}
			seen = true
			copy(r.hash[:], value)
		case "port":
			n, err := strconv.ParseUint(value, 10, 16)
			r.port = uint16(n)
			return named(name, err)
		case "left":
			r.left, err = strconv.ParseUint(value, 10, 64)
			return named(name, err)
		case "numwant":
			n, err := strconv.ParseInt(value, 10, 32)
			r.want = int(n)
			return named(name, err)
		case "token":
			r.token = value
		case "event":
			r.event, err = eventOf(value)
			return err
		}
		return nil
	})
	if err == nil && !seen {
		err = errors.New("info_hash is missing")
	}
	return r, err
}

func named(name string, err error) error {
	if err != nil {
		return errors.New(name + " is no such number")
	}
	return nil
}

func eventOf(s string) (uint32, error) {
	switch s {
	case "", "empty":
		return 0, nil
	case "completed":
		return 1, nil
	case "started":
		return 2, nil
	case "stopped":
		return 3, nil
	}
	return 0, errors.New("event is none of BEP 3")
}

func parseScrape(query string) (hashes []tracker.InfoHash, token string, err error) {
	err = eachParam(query, func(name, value string) error {
		if name == "token" {
			token = value
		}
		if name != "info_hash" {
			return nil
		}
		if len(value) != hashSize || len(hashes) == MaxScrapeHTTP {
			return errors.New("info_hash must be 20 bytes, at most " + strconv.Itoa(MaxScrapeHTTP) + " of them")
		}
		hashes = append(hashes, tracker.InfoHash([]byte(value)))
		return nil
	})
	if err == nil && len(hashes) == 0 {
		err = errors.New("info_hash is missing: a full scrape is not served")
	}
	return hashes, token, err
}
