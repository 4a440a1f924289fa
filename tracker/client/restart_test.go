package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"nt/internal/resource"
	"nt/tracker"
	"nt/tracker/memory"
	"nt/tracker/storetest"
)

// house is the place where a tracker lives, dies and is born again. Connections
// are pipes, so that the test runs in virtual time.
type house struct {
	secret tracker.Secret
	saved  bytes.Buffer // statements, as of the last save

	mu      sync.Mutex
	door    *pipeListener // nil while nobody lives there
	server  *tracker.Server
	store   *memory.Store
	arrived map[int64]int // announcements taken, by minute
}

// pipeListener accepts pipes that look like connections from public addresses.
type pipeListener struct {
	conns chan net.Conn
	dead  chan struct{}
	mu    sync.Mutex
	open  []net.Conn
}

type pipeConn struct {
	net.Conn
	from netip.AddrPort
}

// RemoteAddr implements net.Conn.
func (c pipeConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.from) }

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.dead:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 7070} }

// start brings up a tracker that knows what its predecessor had saved.
func (h *house) start(t *testing.T) {
	store := memory.New(memory.Config{})
	if h.saved.Len() > 0 {
		if _, err := store.ReadStatements(time.Now(), bytes.NewReader(h.saved.Bytes())); err != nil {
			t.Fatal(err)
		}
	}
	logic, err := tracker.New(tracker.Config{Store: counting{store, h}, AllowPrivate: true, Secret: h.secret})
	if err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.store = store
	h.door = &pipeListener{conns: make(chan net.Conn), dead: make(chan struct{})}
	h.server = tracker.NewServer(tracker.NewAPI(logic, tracker.APIConfig{}), 0)
	go h.server.Serve(h.door)
}

// counting notes when announcements are taken.
type counting struct {
	*memory.Store
	h *house
}

// Announce implements tracker.Store.
func (c counting) Announce(now time.Time, ttl time.Duration, p tracker.Announcer, items []resource.Statement) ([]error, error) {
	c.h.mu.Lock()
	c.h.arrived[now.Unix()/60]++
	c.h.mu.Unlock()
	return c.Store.Announce(now, ttl, p, items)
}

// kill ends the tracker as kill -9 does: connections break, memory is gone.
func (h *house) kill() {
	h.mu.Lock()
	door, server := h.door, h.server
	h.door = nil
	h.mu.Unlock()
	close(door.dead)
	server.Close()
	door.mu.Lock()
	for _, c := range door.open {
		c.Close()
	}
	door.mu.Unlock()
}

func (h *house) dial(from netip.AddrPort) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		h.mu.Lock()
		door := h.door
		h.mu.Unlock()
		if door == nil {
			return nil, errors.New("connection refused")
		}
		near, far := net.Pipe()
		door.mu.Lock()
		door.open = append(door.open, far)
		door.mu.Unlock()
		select {
		case door.conns <- pipeConn{far, from}:
			return near, nil
		case <-door.dead:
			return nil, errors.New("connection reset")
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// live announces one key again and again as peers do: at about half of what it
// was told, and with growing pauses when nobody answers.
func (h *house) live(ctx context.Context, t *testing.T, n int) {
	p := storetest.NewPeer(n, fmt.Sprintf("%d.%d.1.1:7000", 11+n%100, n))
	c, err := New(Config{Addr: "tracker:7070", Key: p.Key, Port: 7000, Transports: []string{"http"}, Dial: h.dial(p.Addr)})
	if err != nil {
		t.Error(err)
		return
	}
	defer c.http.CloseIdleConnections()
	rnd := rand.New(rand.NewPCG(uint64(n), 1))
	wait := time.Duration(rnd.Float64() * float64(15*time.Minute))
	for failures := 0; ; {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		got, err := c.Announce(ctx, []tracker.Item{{Statement: p.State(fmt.Sprint("page", n), "object", time.Now())}})
		if err != nil {
			failures++
			wait = time.Duration((0.5 + 0.5*rnd.Float64()) * float64(min(time.Second<<min(failures-1, 9), 5*time.Minute)))
			continue
		}
		failures = 0
		wait = time.Duration(float64(got.TTL) * (0.4 + 0.2*rnd.Float64()))
	}
}

func (h *house) missing(peers int) (holders, statements int) {
	h.mu.Lock()
	store := h.store
	h.mu.Unlock()
	for n := range peers {
		sw, err := store.Lookup(time.Now(), storetest.Key(fmt.Sprint("page", n)), 1, rand.New(rand.NewPCG(1, 1)))
		if err != nil || len(sw.Holders) == 0 {
			holders++
		}
		if err != nil || len(sw.Statements) == 0 {
			statements++
		}
	}
	return holders, statements
}

// TestRow14_KilledTrackersComeBackWithoutAStampede kills the tracker again and again under a
// crowd, in virtual time: with NT_LONG 50 times under 200 clients, else 10 times under 50.
func TestRow14_KilledTrackersComeBackWithoutAStampede(t *testing.T) {
	kills, clients := 10, 50
	if os.Getenv("NT_LONG") != "" {
		kills, clients = 50, 200
	}
	synctest.Test(t, func(t *testing.T) {
		h := &house{secret: tracker.Secret{1}, arrived: map[int64]int{}}
		h.start(t)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for n := range clients {
			wg.Go(func() { h.live(ctx, t, n) })
		}
		const interval = 18 * time.Minute // 0.6 of the TTL, the longest a peer waits
		time.Sleep(2 * interval)
		rnd := rand.New(rand.NewPCG(3, 3))
		from := time.Now().Unix() / 60
		for kill := range kills {
			h.saved.Reset()
			if err := h.store.WriteStatements(&h.saved); err != nil {
				t.Fatal(err)
			}
			h.kill()
			time.Sleep(time.Duration(1+rnd.IntN(30)) * time.Second)
			h.start(t)
			if _, lost := h.missing(clients); lost != 0 {
				t.Errorf("after restart %d the statements of %d keys are gone", kill, lost)
			}
			time.Sleep(interval + time.Minute)
			if lost, _ := h.missing(clients); lost != 0 {
				t.Errorf("an interval after restart %d: %d of %d keys have no holder", kill, lost, clients)
			}
			time.Sleep(time.Duration(rnd.IntN(600)) * time.Second)
		}
		h.checkPeak(t, from, time.Now().Unix()/60)
		cancel()
		h.kill()
		wg.Wait()
	})
}

// checkPeak compares the busiest five minutes with the mean: in less, chance rules.
func (h *house) checkPeak(t *testing.T, from, to int64) {
	const window = 5
	h.mu.Lock()
	defer h.mu.Unlock()
	total, peak, windows := 0, 0, 0
	for m := from; m+window <= to; m += window {
		n := 0
		for i := range int64(window) {
			n += h.arrived[m+i]
		}
		total, peak, windows = total+n, max(peak, n), windows+1
	}
	mean := float64(total) / float64(windows)
	t.Logf("%d announcements in %d windows of %d minutes: mean %.1f, peak %d (%.2f)", total, windows, window, mean, peak, float64(peak)/mean)
	if float64(peak) > 2*mean {
		t.Errorf("the peak of %d is over twice the mean of %.1f", peak, mean)
	}
}
