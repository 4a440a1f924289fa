package origin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// Defaults and limits of the client.
const (
	// DefaultConnectTimeout bounds dialling and the TLS handshake, each.
	DefaultConnectTimeout = 10 * time.Second
	// MaxResponseHeader bounds what an origin may send before its body, in bytes.
	MaxResponseHeader = 256 << 10

	idleTimeout  = 60 * time.Second
	maxIdle      = 64
	maxIdleHost  = 6 // what browsers keep to one host
	expectWait   = time.Second
	readBuffer   = 32 << 10
	upgradeField = "Upgrade"
)

// Config is what a Client is made of.
type Config struct {
	// DialContext opens connections; nil is a plain net.Dialer. The safe
	// dialer goes here (security row 24).
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	// Forbidden reports whether an error of DialContext is a rule of this node and
	// not the network's; nil means none is.
	Forbidden func(error) bool
	// TLS is the base configuration (test roots, client certificates); may be nil.
	TLS *tls.Config
	// ConnectTimeout bounds dialling and the TLS handshake, each; 0 is the default.
	ConnectTimeout time.Duration
}

// Client asks origins. It is safe for concurrent use.
type Client struct {
	cfg       Config
	transport *http.Transport
}

// New returns a client; it connects nowhere yet.
func New(cfg Config) *Client {
	if cfg.DialContext == nil {
		cfg.DialContext = (&net.Dialer{}).DialContext
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = DefaultConnectTimeout
	}
	c := &Client{cfg: cfg}
	c.transport = &http.Transport{
		Proxy:                  nil,
		DialContext:            c.dial,
		DialTLSContext:         c.dialTLS,
		TLSClientConfig:        cfg.TLS,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // the bytes the origin sends are the bytes that are named
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdleHost,
		IdleConnTimeout:        idleTimeout,
		ExpectContinueTimeout:  expectWait,
		MaxResponseHeaderBytes: MaxResponseHeader,
		ReadBufferSize:         readBuffer,
	}
	return c
}

// Do sends one request and returns the response as the origin gave it, of any
// status, body unread, without the fields of the connection. An error is an *Error, or the context's own when that
// ended first. Cancelling ctx after Do has returned ends the body.
func (c *Client) Do(ctx context.Context, req *http.Request) (*http.Response, error) {
	resp, err := c.transport.RoundTrip(Outgoing(ctx, req))
	if err == nil {
		if resp.StatusCode != http.StatusSwitchingProtocols {
			StripHopByHop(resp.Header)
		}
		return resp, nil
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return nil, &Error{Verdict: Classify(0, err), Reason: reason(err), Err: err}
}

// Close drops idle connections.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

func (c *Client) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.ConnectTimeout)
	defer cancel()
	conn, err := c.cfg.DialContext(ctx, network, addr)
	if err != nil && c.cfg.Forbidden != nil && c.cfg.Forbidden(err) {
		return nil, fmt.Errorf("%w: %w", ErrForbidden, err)
	}
	return conn, err
}

// dialTLS does the handshake itself, because only here a handshake's own faults
// can be told from the network's without guessing from error texts.
func (c *Client) dialTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	raw, err := c.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	cfg := &tls.Config{}
	if c.cfg.TLS != nil {
		cfg = c.cfg.TLS.Clone()
	}
	cfg.NextProtos = []string{"h2", "http/1.1"}
	if cfg.ServerName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			raw.Close()
			return nil, err
		}
		cfg.ServerName = strings.TrimSuffix(host, ".")
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.ConnectTimeout)
	defer cancel()
	conn := tls.Client(raw, cfg)
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		if fromNetwork(err) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", ErrTLS, err)
	}
	return conn, nil
}

// IsTLS reports whether err says that the origin could not prove who it is.
func IsTLS(err error) bool { return errors.Is(err, ErrTLS) }
