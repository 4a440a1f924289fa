package bep

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"net/netip"
	"sync/atomic"
	"time"

	"nt/tracker"
)

// Config is what a Server is made of.
type Config struct {
	Swarms tracker.TorrentStore
	// PublicAddr says whether an announcing peer's address may be handed out
	// (security row 11). Required unless AllowPrivate.
	PublicAddr   func(netip.Addr) bool
	AllowPrivate bool
	// Listed says which torrents are taken; nil takes all of them.
	Listed func(tracker.InfoHash) bool
	// Token returns what clients of a private tracker must bring: as the parameter
	// "token" of the query, over UDP in BEP 41's URL data. "" or nil asks for none.
	Token func() string
	// Secret keys connection ids, so that they hold across a restart.
	Secret tracker.Secret
	// Pace says how long to wait between announcements; required.
	Pace *tracker.Pace
}

// Limits of both doors.
const (
	DefaultWant   = 50
	MaxWant4      = 200 // IPv4 peers in an answer: 1,220 bytes
	MaxWant6      = 64  // IPv6 peers in an answer: 1,172 bytes
	MaxScrape     = 74  // infohashes in a datagram
	MaxScrapeHTTP = 16  // infohashes in an HTTP request
)

// Server answers BitTorrent clients. It is safe for concurrent use.
type Server struct {
	cfg   Config
	gate  gate
	draw  atomic.Uint64
	count Counters
}

// New returns a Server over cfg.Swarms.
func New(cfg Config) (*Server, error) {
	if cfg.Swarms == nil || cfg.Pace == nil {
		return nil, errors.New("a BitTorrent tracker needs swarms and a pace")
	}
	if cfg.PublicAddr == nil && !cfg.AllowPrivate {
		return nil, errors.New("a BitTorrent tracker needs a rule for public addresses")
	}
	s := &Server{cfg: cfg}
	mac := hmac.New(sha256.New, cfg.Secret[:])
	mac.Write([]byte("bep15\x00"))
	mac.Sum(s.gate.secret[:0])
	s.draw.Store(binary.BigEndian.Uint64(s.gate.secret[:]))
	return s, nil
}

// Counters says what a Server did. Requests are counted when they are answered,
// refusals by reason.
type Counters struct {
	Connects, AnnouncesUDP, AnnouncesHTTP, ScrapesUDP, ScrapesHTTP atomic.Int64
	Malformed                                                      atomic.Int64 // no message of BEP 15, or a bad HTTP query
	BadConnection                                                  atomic.Int64 // no valid connection id
	Unlisted, Quota, Full, Address, Token                          atomic.Int64
}

// Counters returns the live counters.
func (s *Server) Counters() *Counters { return &s.count }

// request is an announcement as either door reads it.
type request struct {
	hash  tracker.InfoHash
	left  uint64
	event uint32 // of BEP 15: 0 none, 1 completed, 2 started, 3 stopped
	want  int    // negative is not said
	port  uint16
	token string
}

// refusal is why a request was not taken, in words for the client.
type refusal string

// announce decides about a request from an address that has been proved, and
// appends peers to list.
func (s *Server) announce(now time.Time, from netip.Addr, r request, list []byte) (tracker.TorrentCounts, []byte, refusal) {
	none := tracker.TorrentCounts{}
	if !s.admitted(r.token) {
		s.count.Token.Add(1)
		return none, list, "this tracker is private"
	}
	if s.cfg.Listed != nil && !s.cfg.Listed(r.hash) {
		s.count.Unlisted.Add(1)
		return none, list, "torrent not listed here"
	}
	if !s.cfg.AllowPrivate && !s.cfg.PublicAddr(from) {
		s.count.Address.Add(1)
		return none, list, "your address is not public"
	}
	if r.port == 0 {
		s.count.Malformed.Add(1)
		return none, list, "no port"
	}
	counts, list, err := s.cfg.Swarms.Announce(now, tracker.TorrentAnnounce{
		Hash: r.hash, Addr: netip.AddrPortFrom(from, r.port), TTL: holds(s.cfg.Pace.Count(now, 1)), Complete: r.left == 0,
		Completed: r.event == 1, Stopped: r.event == 3, Want: clipWant(r.want, from), Draw: s.random(),
	}, list)
	if err != nil {
		return none, list, s.refused(err)
	}
	return counts, list, ""
}

func (s *Server) admitted(token string) bool {
	if s.cfg.Token == nil {
		return true
	}
	want := s.cfg.Token()
	return want == "" || subtle.ConstantTimeCompare([]byte(token), []byte(want)) == 1
}

func (s *Server) refused(err error) refusal {
	var r *tracker.RefusedError
	if !errors.As(err, &r) {
		return "the tracker failed"
	}
	if r.Reason == tracker.ReasonFull {
		s.count.Full.Add(1)
	} else {
		s.count.Quota.Add(1)
	}
	return refusal(r.Detail)
}

func clipWant(want int, from netip.Addr) int {
	if want < 0 {
		want = DefaultWant
	}
	if from.Is4() {
		return min(want, MaxWant4)
	}
	return min(want, MaxWant6)
}

// holds is how long an announcement counts: a client may be late by half and
// miss one that was lost.
func holds(interval time.Duration) time.Duration { return interval * 2 }

// random returns a number no asker can foresee: SplitMix64 from a secret start.
// What hangs on it is only where in a swarm a list begins.
func (s *Server) random() uint64 {
	x := s.draw.Add(0x9e3779b97f4a7c15)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// jittered returns between half of the interval and all of it, in seconds, so that
// a crowd that came at once does not come back at once (security row 14).
func (s *Server) jittered() uint32 {
	d := uint64(s.cfg.Pace.Interval() / time.Second)
	return uint32(d - d/2 + s.random()%(d/2+1))
}
