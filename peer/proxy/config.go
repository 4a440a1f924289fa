package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/textproto"
	"net/url"
	"time"
)

// Config is what a Server is made of. Zero durations and counts stand for the
// defaults named beside them.
type Config struct {
	// Resolver answers GET and HEAD: origin, cache, peers (N6). With nil they go
	// to the origin like every other method.
	Resolver Resolver
	// Dial opens every connection the proxy makes itself: to the origin for other
	// methods, for upgrades and for CONNECT. It decides which addresses may be
	// reached (security row 24). Required.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Forbidden tells Dial's refusals from its failures: the reader gets 403 for
	// them. nil: nothing is.
	Forbidden func(error) bool
	// Addr is the address the listener will have, so that New can refuse an open
	// proxy before anything listens; Serve checks the listener in any case.
	Addr string
	// Auth is "user:password" for Basic authentication, "" for none.
	Auth string
	// Allow are the networks, besides the machine itself, that may use the proxy.
	Allow []netip.Prefix
	// ConnectPorts are the ports CONNECT may reach (security row 25); nil is 443 only.
	ConnectPorts []uint16
	// Intercept, if not nil, may read HTTPS tunnels: the requests in them are answered
	// like any other.
	Intercept Interceptor
	// TLS is the configuration for origins that the proxy asks itself; nil is the default.
	TLS *tls.Config
	// Hot is how many bytes of fresh copies may be kept in memory to be given again; 0
	// is none. What the Resolver returns says what is one, see Reusable.
	Hot int64
	// Admin is the URL of the admin page for the help page, "" for none.
	Admin string
	// MaxConns bounds the readers' connections; 1,000.
	MaxConns int
	// HeadTimeout bounds how long a request's head may take; 10 s.
	HeadTimeout time.Duration
	// IdleTimeout bounds how long a connection may wait for its next request; 2 min.
	IdleTimeout time.Duration
	// StallTimeout bounds how long one end may take no byte, or send none of the
	// body it announced; 5 min, because browsers pause downloads.
	StallTimeout time.Duration
	// TunnelTimeout bounds how long neither end of a tunnel may send; 1 h.
	TunnelTimeout time.Duration
	Log           *slog.Logger // nil: nothing is logged
}

// Resolver answers a reader's GET or HEAD. FromNode makes one.
type Resolver interface {
	// Resolve answers r, which has an absolute http or https URL and the reader's
	// own fields (N19) without the hop-by-hop ones; it does not follow redirects
	// (N20). r's context ends when the reader goes. The response's ContentLength
	// is -1 when it is not known, its Body is closed by the proxy, and the error of
	// a body that was cut is any but io.EOF. A copy carries the fields that say so;
	// the origin's own answer gets none added (N5). inform passes a 1xx answer on
	// to the reader; it may be called until Resolve returns and does nothing later.
	// An error that is a *Refusal says what to tell the reader.
	Resolve(r *http.Request, inform Inform) (*http.Response, error)
}

// Invalidator is what a Resolver may be too: it hears how requests were answered that
// went past it.
type Invalidator interface {
	Invalidate(method string, target *url.URL, status int, h http.Header)
}

// Inform passes an informational (1xx) response on to the reader. An error means
// that there were too many.
type Inform = func(status int, h textproto.MIMEHeader) error

// Refusal is why a reader's request has no answer. It becomes the page and the
// response's status.
type Refusal struct {
	Status int      // 502, 504, or another status from 400 on; 0 is 502
	Title  string   // one line
	Tried  []string // what was tried, in order
	Hint   string   // what the reader may do, "" for nothing
	Err    error    // the cause, for the log

	view string // where a copy can be looked for
}

// Error returns the title and the cause.
func (e *Refusal) Error() string {
	if e.Err == nil {
		return e.Title
	}
	return e.Title + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Refusal) Unwrap() error { return e.Err }

// OpenProxyError refuses to serve on an address other machines can reach without
// saying who may use it (security row 26).
type OpenProxyError struct{ Addr string }

// Error says what is missing.
func (e *OpenProxyError) Error() string {
	return fmt.Sprintf("proxy: %s can be reached by other machines and neither authentication nor an allowed network is set", e.Addr)
}

func (c Config) withDefaults() (Config, error) {
	if c.Dial == nil {
		return c, errors.New("proxy: Config.Dial is required")
	}
	if c.ConnectPorts == nil {
		c.ConnectPorts = []uint16{443}
	}
	if c.MaxConns <= 0 {
		c.MaxConns = 1000
	}
	for d, def := range map[*time.Duration]time.Duration{
		&c.HeadTimeout:   10 * time.Second,
		&c.IdleTimeout:   2 * time.Minute,
		&c.StallTimeout:  5 * time.Minute,
		&c.TunnelTimeout: time.Hour,
	} {
		if *d <= 0 {
			*d = def
		}
	}
	if c.Forbidden == nil {
		c.Forbidden = func(error) bool { return false }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Addr == "" {
		return c, nil
	}
	return c, c.checkBind(c.Addr)
}

// checkBind returns *OpenProxyError for an address beyond loopback with no rule
// of who may use it.
func (c Config) checkBind(addr string) error {
	if c.Auth != "" || len(c.Allow) > 0 {
		return nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("proxy: listen address %q: %w", addr, err)
	}
	if ip, err := netip.ParseAddr(host); host == "localhost" || err == nil && ip.Unmap().IsLoopback() {
		return nil
	}
	return &OpenProxyError{Addr: addr}
}
