package intercept

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// maxKnown bounds the certificates and the verdicts kept in memory.
	maxKnown = 1024
	// probeTime is how long an origin may take to show what it is.
	probeTime = 5 * time.Second
	// A verdict holds this long; that an origin is down, only briefly.
	verdictLife, downLife = 10 * time.Minute, 10 * time.Second
	// A reader that breaks off without a word this often refuses our certificate.
	silentRefusals = 2
	protoHTTP2     = "h2"
	protoHTTP11    = "http/1.1"
)

// Config is what a Judge is made of.
type Config struct {
	Authority *Authority
	// Dir keeps the list of hosts to leave alone; "" keeps it in memory.
	Dir string
	// Rule is the user's: an error means that host is not to be read; nil allows all.
	Rule func(host string) error
	// Dial opens connections to origins (security row 24). Required.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Roots verify origins; nil is the system's.
	Roots *x509.CertPool
	Now   func() time.Time // nil is time.Now
	Log   *slog.Logger     // may be nil
}

// Judge decides which hosts are read, and has their certificates. It is safe for
// concurrent use.
type Judge struct {
	cfg    Config
	passed *hosts

	mu       sync.Mutex
	answers  map[string]answer
	verdicts map[string]*verdict
	silent   map[string]int // readers that broke off
}

// verdict is what a look at an origin found; read is set when done is closed.
type verdict struct {
	done  chan struct{}
	read  bool
	until time.Time
}

// New returns a Judge; it connects nowhere yet.
func New(cfg Config) *Judge {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Judge{cfg: cfg, passed: openHosts(cfg.Dir, cfg.Authority.Fingerprint()),
		answers: map[string]answer{}, verdicts: map[string]*verdict{}, silent: map[string]int{}}
}

// Intercept returns how to shake hands with a reader in the name of host, or nil when
// the tunnel to host:port is to stay closed to us. It looks at the origin first, which
// may take up to 5 s once in a while.
func (j *Judge) Intercept(ctx context.Context, host string, port uint16) *tls.Config {
	host = strings.ToLower(host)
	now := j.cfg.Now()
	a := j.cfg.Authority
	if len(host) > maxHost || !a.Valid(now) || !a.Covers(host) || j.passed.has(host, now) {
		return nil
	}
	if j.cfg.Rule != nil && j.cfg.Rule(host) != nil {
		return nil
	}
	if !j.readable(ctx, host, port) {
		return nil
	}
	conf, err := j.answer(host, now)
	if err != nil {
		j.cfg.Log.Warn("not intercepted", "host", host, "err", err)
		return nil
	}
	return conf
}

// Refused hears how the handshake with a reader failed. A reader that says that it
// does not take the certificate, or silently goes away twice, pins it, or does not
// know the authority: the host is left alone from now on.
func (j *Judge) Refused(host string, err error) {
	host = strings.ToLower(host)
	if silent := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET); silent {
		j.mu.Lock()
		if len(j.silent) >= maxKnown {
			clear(j.silent)
		}
		j.silent[host]++
		enough := j.silent[host] >= silentRefusals
		j.mu.Unlock()
		if !enough {
			return
		}
	} else if late := net.Error(nil); errors.As(err, &late) && late.Timeout() || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return
	}
	j.leaveAlone(host, "a reader refused our certificate", err)
}

// Taken hears that a reader took our certificate for host.
func (j *Judge) Taken(host string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.silent, strings.ToLower(host))
}

func (j *Judge) leaveAlone(host, why string, err error) {
	j.cfg.Log.Info("not intercepted from now on", "host", host, "why", why, "err", err)
	if err := j.passed.add(host, j.cfg.Now()); err != nil {
		j.cfg.Log.Warn("not remembered across restarts", "host", host, "err", err)
	}
}

// answer is how readers of one host are answered. One configuration for all of them,
// so that they can resume their sessions.
type answer struct {
	conf  *tls.Config
	until time.Time
}

// answer returns the host's configuration, made anew in the last day of its certificate.
func (j *Judge) answer(host string, now time.Time) (*tls.Config, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if a, ok := j.answers[host]; ok && now.Before(a.until) {
		return a.conf, nil
	}
	cert, err := j.cfg.Authority.Leaf(host, now)
	if err != nil {
		return nil, err
	}
	for old := range j.answers {
		if len(j.answers) < maxKnown {
			break
		}
		delete(j.answers, old)
	}
	a := answer{until: cert.Leaf.NotAfter.Add(-24 * time.Hour), conf: &tls.Config{
		Certificates: []tls.Certificate{*cert}, NextProtos: []string{protoHTTP2, protoHTTP11}, MinVersion: tls.VersionTLS12,
	}}
	j.answers[host] = a
	return a.conf, nil
}

// readable looks at the origin, once for all who ask at the same time.
func (j *Judge) readable(ctx context.Context, host string, port uint16) bool {
	addr := net.JoinHostPort(host, strconv.Itoa(int(port)))
	j.mu.Lock()
	v := j.verdicts[addr]
	if v != nil {
		select {
		case <-v.done:
			if j.cfg.Now().After(v.until) {
				v = nil
			}
		default:
		}
	}
	if v == nil {
		for old := range j.verdicts {
			if len(j.verdicts) < maxKnown {
				break
			}
			delete(j.verdicts, old)
		}
		v = &verdict{done: make(chan struct{})}
		j.verdicts[addr] = v
		go j.look(v, host, addr)
	}
	j.mu.Unlock()
	select {
	case <-v.done:
		return v.read
	case <-ctx.Done():
		return false
	}
}

// look shakes hands with the origin. An origin that is down is read: that is when
// copies are wanted.
func (j *Judge) look(v *verdict, host, addr string) {
	ctx, cancel := context.WithTimeout(context.Background(), probeTime)
	defer cancel()
	defer close(v.done)
	v.read, v.until = true, j.cfg.Now().Add(downLife)
	raw, err := j.cfg.Dial(ctx, "tcp", addr)
	if err != nil {
		return
	}
	defer raw.Close()
	wantsCert := false
	conn := tls.Client(raw, &tls.Config{
		ServerName: strings.TrimSuffix(host, "."), RootCAs: j.cfg.Roots, NextProtos: []string{protoHTTP2, protoHTTP11},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			wantsCert = true
			return &tls.Certificate{}, nil
		},
	})
	err = conn.HandshakeContext(ctx)
	switch {
	case wantsCert:
		v.read = false
		j.leaveAlone(host, "it asks readers for certificates", nil)
	case err == nil:
		v.until = j.cfg.Now().Add(verdictLife)
	case !fromNetwork(err): // its reader shall see what is wrong with it
		v.read = false
	}
}

// fromNetwork reports whether an error of a handshake is the connection's and not
// TLS's own.
func fromNetwork(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) { // crypto/tls dresses alerts as OpErrors of their own
		return op.Op != "remote error" && op.Op != "local error"
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, context.DeadlineExceeded)
}
