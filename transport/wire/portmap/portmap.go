// Package portmap owns the port mappings that a home router is asked for, by
// UPnP IGD and NAT-PMP, in the background: whichever answers first. What it
// learns is reported; nothing waits for it. It knows nothing of wires, and leaves the
// protocols to libraries.
package portmap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Router is a NAT that maps ports on request.
type Router interface {
	// Name says what it is, for people: "UPnP", "NAT-PMP".
	Name() string
	// External returns its outside address.
	External(ctx context.Context) (netip.Addr, error)
	// Map asks for the outside port external of the protocol ("udp" or "tcp") for
	// lease, and returns what was granted; a lease of 0 lasts for ever.
	Map(ctx context.Context, protocol string, internal, external uint16, lease time.Duration) (port uint16, granted time.Duration, err error)
	// Unmap takes a mapping back.
	Unmap(ctx context.Context, protocol string, internal, external uint16) error
}

// Finder looks for a router of one kind.
type Finder func(ctx context.Context) (Router, error)

// ErrNoRouter reports that no router mapped the port.
var ErrNoRouter = errors.New("portmap: no router maps ports")

// Mapping is what a router granted.
type Mapping struct {
	Router string
	Addr   netip.AddrPort // outside address and UDP port
	TCP    bool           // the same port is mapped for TCP too
	Lease  time.Duration  // 0: for ever
}

// Config is what a Mapper is made of.
type Config struct {
	Port    uint16        // UDP and TCP port of this machine, wished for outside too
	Finders []Finder      // nil means UPnP and NAT-PMP
	Lease   time.Duration // 0 means an hour
	// Report hears each result, from the mapper's goroutine: a Mapping, or the
	// error. May be nil.
	Report func(Mapping, error)
	Log    *slog.Logger                         // nil discards
	After  func(time.Duration) <-chan time.Time // nil means time.After
}

const (
	searchTime = 10 * time.Second // for finding a router and mapping
	leaveTime  = 3 * time.Second  // for taking mappings back
	retryFirst = time.Minute      // after a failure, doubled up to retryLast
	retryLast  = 30 * time.Minute
)

// Mapper keeps a port mapped until it is closed.
type Mapper struct {
	conf   Config
	cancel context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	mapping Mapping
	err     error
}

// Useful reports whether asking a router makes sense for a socket bound to addr:
// not on loopback, and not for a node that is meant for a closed network.
func Useful(addr net.Addr, allowPrivate bool) bool {
	host, _, err := net.SplitHostPort(addr.String())
	if err != nil || allowPrivate {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err != nil || !ip.IsLoopback()
}

// Start maps the port in the background.
func Start(conf Config) *Mapper {
	if conf.Finders == nil {
		conf.Finders = []Finder{FindUPnP, FindNATPMP}
	}
	if conf.Lease == 0 {
		conf.Lease = time.Hour
	}
	if conf.Report == nil {
		conf.Report = func(Mapping, error) {}
	}
	if conf.Log == nil {
		conf.Log = slog.New(slog.DiscardHandler)
	}
	if conf.After == nil {
		conf.After = time.After
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &Mapper{conf: conf, cancel: cancel, done: make(chan struct{}), err: errors.New("portmap: still asking")}
	go m.run(ctx)
	return m
}

// Mapping returns the mapping that holds now, or why there is none.
func (m *Mapper) Mapping() (Mapping, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mapping, m.err
}

// Close takes the mapping back and ends the mapper.
func (m *Mapper) Close() error {
	m.cancel()
	<-m.done
	return nil
}

// run maps, renews and at the end takes back.
func (m *Mapper) run(ctx context.Context) {
	defer close(m.done)
	retry := retryFirst
	for ctx.Err() == nil {
		router, got, err := m.find(ctx)
		m.report(got, err)
		if err == nil {
			retry = retryFirst
			m.hold(ctx, router, got)
			continue
		}
		select {
		case <-ctx.Done():
		case <-m.conf.After(retry):
			retry = min(2*retry, retryLast)
		}
	}
}

// find races the finders and maps with the first router that does so.
func (m *Mapper) find(ctx context.Context) (Router, Mapping, error) {
	ctx, cancel := context.WithTimeout(ctx, searchTime)
	defer cancel()
	type found struct {
		router Router
		err    error
	}
	results := make(chan found, len(m.conf.Finders))
	for _, f := range m.conf.Finders {
		go func() {
			r, err := f(ctx)
			results <- found{r, err}
		}()
	}
	var errs []error
	for range m.conf.Finders {
		var f found
		select {
		case f = <-results:
		case <-ctx.Done():
			return nil, Mapping{}, errors.Join(append(errs, ErrNoRouter, ctx.Err())...)
		}
		if f.err != nil {
			errs = append(errs, f.err)
			continue
		}
		got, err := m.ask(ctx, f.router, m.conf.Port)
		if err == nil {
			return f.router, got, nil
		}
		errs = append(errs, err)
	}
	return nil, Mapping{}, errors.Join(append([]error{ErrNoRouter}, errs...)...)
}

// ask maps UDP, and TCP under the same number if that is free.
func (m *Mapper) ask(ctx context.Context, r Router, wish uint16) (Mapping, error) {
	ip, err := r.External(ctx)
	if err != nil {
		return Mapping{}, fmt.Errorf("%s: outside address: %w", r.Name(), err)
	}
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return Mapping{}, fmt.Errorf("%s: the router is behind another NAT: its outside address is %v", r.Name(), ip)
	}
	port, lease, err := r.Map(ctx, "udp", m.conf.Port, wish, m.conf.Lease)
	if err != nil {
		return Mapping{}, fmt.Errorf("%s: mapping UDP port %d: %w", r.Name(), wish, err)
	}
	got := Mapping{Router: r.Name(), Addr: netip.AddrPortFrom(ip, port), Lease: lease}
	switch other, _, err := r.Map(ctx, "tcp", m.conf.Port, port, m.conf.Lease); {
	case err == nil && other == port:
		got.TCP = true
	case err == nil: // another number is of no use: UDP and TCP share one
		r.Unmap(ctx, "tcp", m.conf.Port, other)
	}
	return got, nil
}

// hold renews the mapping until ctx ends, then takes it back; it returns earlier
// if the router no longer answers.
func (m *Mapper) hold(ctx context.Context, r Router, got Mapping) {
	for {
		wait := m.conf.Lease / 2
		if got.Lease > 0 {
			wait = min(wait, got.Lease/2)
		}
		select {
		case <-ctx.Done():
			m.leave(r, got)
			return
		case <-m.conf.After(wait):
		}
		again, cancel := context.WithTimeout(ctx, searchTime)
		now, err := m.ask(again, r, got.Addr.Port())
		cancel()
		if ctx.Err() != nil {
			m.leave(r, got)
			return
		}
		if err != nil {
			m.conf.Log.Info("the router no longer renews the port mapping", "router", r.Name(), "error", err)
			return
		}
		if now.Addr != got.Addr {
			m.report(now, nil)
		}
		got = now
	}
}

func (m *Mapper) leave(r Router, got Mapping) {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
	defer cancel()
	if err := r.Unmap(ctx, "udp", m.conf.Port, got.Addr.Port()); err != nil {
		m.conf.Log.Debug("taking back the port mapping", "router", r.Name(), "error", err)
	}
	if got.TCP {
		r.Unmap(ctx, "tcp", m.conf.Port, got.Addr.Port())
	}
}

func (m *Mapper) report(got Mapping, err error) {
	m.mu.Lock()
	m.mapping, m.err = got, err
	m.mu.Unlock()
	if err != nil {
		m.conf.Log.Info("no router mapped the port", "port", m.conf.Port, "error", err)
	} else {
		m.conf.Log.Info("the router mapped the port", "router", got.Router, "address", got.Addr, "tcp", got.TCP, "lease", got.Lease)
	}
	m.conf.Report(got, err)
}
