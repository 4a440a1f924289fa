package portmap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"
)

// fake is a router that keeps a table.
type fake struct {
	name     string
	external string
	lease    time.Duration // granted; 0 means what was asked
	other    uint16        // outside port of TCP, if not the one asked for

	mu    sync.Mutex
	fails bool
	log   []string
	table map[string]uint16
}

func (f *fake) Name() string { return f.name }
func (f *fake) External(context.Context) (netip.Addr, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fails {
		return netip.Addr{}, errors.New("no answer")
	}
	return netip.ParseAddr(f.external)
}

func (f *fake) Map(_ context.Context, proto string, internal, external uint16, lease time.Duration) (uint16, time.Duration, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lease != 0 {
		lease = f.lease
	}
	if proto == "tcp" && f.other != 0 {
		external = f.other
	}
	f.log = append(f.log, fmt.Sprintf("map %s %d to %d", proto, external, internal))
	if f.table == nil {
		f.table = map[string]uint16{}
	}
	f.table[proto] = external
	return external, lease, nil
}

func (f *fake) Unmap(_ context.Context, proto string, _, external uint16) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, fmt.Sprintf("unmap %s %d", proto, external))
	delete(f.table, proto)
	return nil
}

func (f *fake) find(context.Context) (Router, error) { return f, nil }

// rig is a mapper whose waits the test ends.
type rig struct {
	*Mapper
	waits   chan time.Duration
	proceed chan time.Time
	reports chan error
}

func start(t *testing.T, finders ...Finder) *rig {
	t.Helper()
	r := &rig{waits: make(chan time.Duration, 10), proceed: make(chan time.Time), reports: make(chan error, 10)}
	r.Mapper = Start(Config{Port: 4001, Finders: finders, Lease: time.Hour,
		Report: func(_ Mapping, err error) { r.reports <- err },
		After:  func(d time.Duration) <-chan time.Time { r.waits <- d; return r.proceed }})
	t.Cleanup(func() { r.Close() })
	return r
}

func nobody(context.Context) (Router, error) { return nil, errors.New("nobody answers") }

func TestMapRenewTakeBack(t *testing.T) {
	f := &fake{name: "fake", external: "203.0.113.1", lease: 10 * time.Minute}
	r := start(t, nobody, f.find)
	if err := <-r.reports; err != nil {
		t.Fatal(err)
	}
	got, err := r.Mapping()
	if err != nil || got.Addr != netip.MustParseAddrPort("203.0.113.1:4001") || !got.TCP || got.Router != "fake" {
		t.Fatalf("%+v, %v", got, err)
	}
	for range 3 {
		if d := <-r.waits; d != 5*time.Minute {
			t.Errorf("a lease of 10 minutes is renewed after %v", d)
		}
		r.proceed <- time.Time{}
	}
	<-r.waits
	r.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	want := slices.Repeat([]string{"map udp 4001 to 4001", "map tcp 4001 to 4001"}, 4)
	if want = append(want, "unmap udp 4001", "unmap tcp 4001"); !slices.Equal(f.log, want) {
		t.Errorf("asked %q, want %q", f.log, want)
	}
	if len(r.reports) != 0 {
		t.Error("a renewal without change was reported")
	}
}

func TestRouterThatStopsAnsweringIsLookedForAgain(t *testing.T) {
	f := &fake{name: "fake", external: "203.0.113.1"}
	r := start(t, f.find)
	<-r.reports
	if d := <-r.waits; d != 30*time.Minute {
		t.Errorf("renewed after %v", d)
	}
	f.mu.Lock()
	f.fails = true
	f.mu.Unlock()
	r.proceed <- time.Time{} // the renewal fails, and so does the search after it
	if err := <-r.reports; !errors.Is(err, ErrNoRouter) {
		t.Errorf("reported %v", err)
	}
	for _, want := range []time.Duration{retryFirst, 2 * retryFirst} {
		if d := <-r.waits; d != want {
			t.Errorf("tried again after %v, want %v", d, want)
		}
		r.proceed <- time.Time{}
		<-r.reports
	}
	f.mu.Lock()
	f.fails = false
	f.mu.Unlock()
	<-r.waits
	r.proceed <- time.Time{}
	if err := <-r.reports; err != nil {
		t.Error(err)
	}
}

func TestRefusedRouters(t *testing.T) {
	r := start(t, (&fake{name: "inner", external: "192.168.1.1"}).find, nobody)
	if err := <-r.reports; !errors.Is(err, ErrNoRouter) {
		t.Errorf("behind two NATs: %v", err)
	}
	if _, err := r.Mapping(); err == nil {
		t.Error("there is a mapping")
	}
}

func TestAnotherPortForTCPIsGivenBack(t *testing.T) {
	f := &fake{name: "fake", external: "203.0.113.1", other: 9}
	r := start(t, f.find)
	<-r.reports
	if got, _ := r.Mapping(); got.TCP {
		t.Error("TCP counts as mapped under another number")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, kept := f.table["tcp"]; kept {
		t.Error("the useless mapping stays")
	}
}

func TestCloseDoesNotWaitForAFinder(t *testing.T) {
	asked := make(chan struct{})
	r := start(t, func(ctx context.Context) (Router, error) { close(asked); <-ctx.Done(); return nil, ctx.Err() })
	<-asked
	r.Close()
}

func TestUseful(t *testing.T) {
	for addr, want := range map[string]bool{"127.0.0.1:1": false, "[::1]:1": false, "0.0.0.0:1": true, "[::]:1": true, "192.168.1.2:1": true} {
		a := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr))
		if Useful(a, false) != want || Useful(a, true) {
			t.Errorf("%s: %v", addr, Useful(a, false))
		}
	}
}

func FuzzRoutes(f *testing.F) {
	f.Add([]byte("Iface\tDestination\tGateway\neth0\t00000000\t0101A8C0\t0003\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if gw, err := parseRoutes(b); err == nil && !gw.Is4() {
			t.Errorf("%v", gw)
		}
	})
}

func TestRoutes(t *testing.T) {
	const table = "Iface\tDestination\tGateway \tFlags\neth0\t0001A8C0\t00000000\t0001\neth0\t00000000\tFE01A8C0\t0003\n"
	if gw, err := parseRoutes([]byte(table)); err != nil || gw.String() != "192.168.1.254" {
		t.Errorf("%v, %v", gw, err)
	}
	if _, err := parseRoutes(nil); err == nil {
		t.Error("an empty table has a default route")
	}
}
