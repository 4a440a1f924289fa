package client

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"nt/internal/resource"
	"nt/tracker"
	"nt/transport"
)

// Limits on what a tracker may make us wait for and read.
const (
	DefaultTimeout   = 10 * time.Second
	DefaultTries     = 3
	MaxResponseBytes = 8 << 20
	infoHolds        = 10 * time.Minute
)

// ErrPinnedKey reports a tracker that is not the notary its address names.
var ErrPinnedKey = errors.New("client: the tracker has another notary key than the one pinned")

// Config says which tracker to talk to, and as whom.
type Config struct {
	// Addr is HOST:PORT or http(s)://HOST[:PORT], optionally with #KEY, the
	// tracker's notary key in hexadecimal, and with TOKEN@ before the host for a private tracker.
	Addr string
	// Key signs announcements; nil for a client that only looks up.
	Key ed25519.PrivateKey
	// Port and Transports are where and how the own node serves; Port 0 for a
	// node that does not.
	Port       uint16
	Transports []string
	// Dial opens connections; nil uses a plain net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Ask sends a question by UDP, from the socket that peers will be met with, and returns the answer;
	// nil asks over HTTP only.
	Ask func(ctx context.Context, to netip.AddrPort, question []byte) ([]byte, error)
	// Near asks for peers of the own network group first.
	Near bool
	// Everything asks for every statement, not only for one of each version: for who believes others than
	// the tracker's own notary.
	Everything bool
	Timeout    time.Duration // of one try; 0 is DefaultTimeout
	Tries      int           // 0 is DefaultTries
	Now        func() time.Time
}

// Client talks to one tracker. It is safe for concurrent use.
type Client struct {
	cfg  Config
	base *url.URL
	pin  *resource.WitnessKey
	http *http.Client

	mu     sync.Mutex
	info   tracker.Info
	infoAt time.Time
	udp    netip.AddrPort // once it was looked up
	deafAt time.Time      // when UDP did not come through; zero if it does
}

// New returns a Client. It does not connect yet.
func New(cfg Config) (*Client, error) {
	base, pin, err := parseAddr(cfg.Addr)
	if err != nil {
		return nil, err
	}
	if cfg.Dial == nil {
		cfg.Dial = new(net.Dialer).DialContext
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.Tries <= 0 {
		cfg.Tries = DefaultTries
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Client{cfg: cfg, base: base, pin: pin, http: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{ // no Proxy: a tracker is never asked through the node's own proxy
			DialContext:            cfg.Dial,
			ForceAttemptHTTP2:      true,
			MaxIdleConns:           4,
			MaxConnsPerHost:        8,
			IdleConnTimeout:        50 * time.Second, // below the server's
			TLSHandshakeTimeout:    cfg.Timeout,
			MaxResponseHeaderBytes: 16 << 10,
		},
	}}, nil
}

// parseAddr reads ADDR[#KEY].
func parseAddr(addr string) (*url.URL, *resource.WitnessKey, error) {
	rest, key, pinned := strings.Cut(addr, "#")
	var pin *resource.WitnessKey
	if pinned {
		pin = new(resource.WitnessKey)
		if err := pin.UnmarshalText([]byte(key)); err != nil {
			return nil, nil, fmt.Errorf("tracker address %q: %w", addr, err)
		}
	}
	if !strings.Contains(rest, "://") {
		rest = "http://" + rest
	}
	u, err := url.Parse(rest)
	if err != nil {
		return nil, nil, fmt.Errorf("tracker address %q: %w", addr, errors.Unwrap(err))
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || invalidUser(u.User) || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, nil, fmt.Errorf("tracker address %q: want HOST:PORT or http(s)://HOST[:PORT], optionally #KEY", addr)
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host, User: u.User}, pin, nil
}

// invalidUser refuses what is no token: it must fit a header field.
func invalidUser(u *url.Userinfo) bool {
	_, password := u.Password()
	return password || strings.ContainsFunc(u.Username(), func(r rune) bool { return r <= ' ' || r > '~' })
}

// Name returns the tracker's address without the key, for people and logs.
func (c *Client) Name() string { return c.base.Host }

// Address returns HOST:PORT, which is that of UDP sessions, too.
func (c *Client) Address() (host, port string) {
	if port = c.base.Port(); port == "" {
		port = map[string]string{"http": "80", "https": "443"}[c.base.Scheme]
	}
	return c.base.Hostname(), port
}

// Pinned returns the notary key that the address names, if it does.
func (c *Client) Pinned() (resource.WitnessKey, bool) {
	if c.pin == nil {
		return resource.WitnessKey{}, false
	}
	return *c.pin, true
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Info asks what the tracker is. It wraps ErrPinnedKey if a pinned key does not
// fit. Whether an unpinned key is trusted is for the caller to decide.
func (c *Client) Info(ctx context.Context) (tracker.Info, error) {
	var info tracker.Info
	if err := c.get(ctx, "/v1/info", &info); err != nil {
		return info, err
	}
	if info.Version != 1 {
		return info, fmt.Errorf("tracker %s speaks version %d of the API, not 1", c.Name(), info.Version)
	}
	if c.pin != nil && (info.Notary == nil || *info.Notary != *c.pin) {
		return info, fmt.Errorf("tracker %s: %w", c.Name(), ErrPinnedKey)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.info, c.infoAt = info, c.cfg.Now()
	return info, nil
}

// Notary returns the tracker's notary key, or nil if it is none. It asks at
// most once in ten minutes.
func (c *Client) Notary(ctx context.Context) (*resource.WitnessKey, error) {
	info, err := c.known(ctx)
	return info.Notary, err
}

// known is Info, or what it said lately.
func (c *Client) known(ctx context.Context) (tracker.Info, error) {
	c.mu.Lock()
	info, fresh := c.info, !c.infoAt.IsZero() && c.cfg.Now().Sub(c.infoAt) < infoHolds
	c.mu.Unlock()
	if fresh {
		return info, nil
	}
	return c.Info(ctx)
}

// Stats returns the tracker's statistics.
func (c *Client) Stats(ctx context.Context) (tracker.Stats, error) {
	var s tracker.Stats
	return s, c.get(ctx, "/v1/stats", &s)
}

// Lookup asks for up to want holders of every key and returns a result per key,
// in order. Peers and statements that do not hold are left out.
func (c *Client) Lookup(ctx context.Context, keys []resource.Key, want int) ([]tracker.Result, error) {
	var out []tracker.Result
	for len(keys) > 0 {
		n := min(len(keys), tracker.MaxKeys)
		resp, err := c.lookup(ctx, keys[:n], want)
		if err != nil {
			return nil, err
		}
		out = append(out, resp.Results...)
		keys = keys[n:]
	}
	return out, nil
}

// lookup asks for as many keys as one message may have.
func (c *Client) lookup(ctx context.Context, keys []resource.Key, want int) (tracker.LookupResponse, error) {
	req := tracker.LookupRequest{Keys: keys, Want: min(want, tracker.MaxWant), Port: c.cfg.Port, Near: c.cfg.Near}
	var resp tracker.LookupResponse
	if err := c.post(ctx, "/v1/lookup", fixed(req), false, &resp); err != nil {
		return resp, err
	}
	return resp, c.checkResults(keys, resp.Results)
}

// Report says that a peer which this tracker named failed (N12), and returns
// whether that counted: only once per network group.
func (c *Client) Report(ctx context.Context, ticket, reason string) (bool, error) {
	var resp tracker.ReportResponse
	err := c.post(ctx, "/v1/report", fixed(tracker.ReportRequest{Ticket: ticket, Reason: reason}), false, &resp)
	return resp.Counted, err
}

// Leave takes back everything this node announced.
func (c *Client) Leave(ctx context.Context) error {
	id, err := c.id()
	if err != nil {
		return err
	}
	body := func() any { return tracker.LeaveRequest{Peer: id, Time: c.cfg.Now().Unix()} }
	return c.post(ctx, "/v1/leave", body, true, new(tracker.LeaveResponse))
}

func (c *Client) id() (transport.PeerID, error) {
	if len(c.cfg.Key) != ed25519.PrivateKeySize {
		return transport.PeerID{}, errors.New("this tracker client has no key to announce with")
	}
	return transport.PeerID(c.cfg.Key.Public().(ed25519.PublicKey)), nil
}

func fixed(v any) func() any { return func() any { return v } }
