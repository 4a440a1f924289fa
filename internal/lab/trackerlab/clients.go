package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"crypto/ed25519"

	"nt/internal/resource"
	"nt/tracker"
	"nt/tracker/client"
	"nt/transport"
)

// crowd is peers that announce one URL each, as often as they are told, with nt's own client.
type crowd struct {
	ctx   context.Context
	stop  context.CancelFunc
	work  sync.WaitGroup
	addrs func(n int) []string // trackers that peer n may ask, the first first

	mu    sync.Mutex
	taken map[int64]int // announcements taken, by second
}

func newCrowd(n int, addrs func(n int) []string) *crowd {
	c := &crowd{addrs: addrs, taken: map[int64]int{}}
	c.ctx, c.stop = context.WithCancel(context.Background())
	for i := range n {
		c.work.Go(func() { c.live(i) })
	}
	return c
}

func (c *crowd) close() {
	c.stop()
	c.work.Wait()
}

// crowdSource is where peer n of the crowd is.
func crowdSource(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, byte(10 + n%200), byte(n / 200), 1})
}

func crowdKey(n int) ed25519.PrivateKey { return newAnnouncer(uint64(n), netip.Addr{}).key }

// crowdPort is where all peers of the experiments listen, each at its own address: the tracker
// names nobody who does not.
var crowdPort uint16

// listenForAll takes connections for every address of 127.0.0.0/8 and closes them.
func listenForAll() (net.Listener, error) {
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		return nil, err
	}
	crowdPort = uint16(l.Addr().(*net.TCPAddr).Port)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	return l, nil
}

// statement is what peer n says of URL n.
func statement(n int) resource.Statement {
	st := resource.Statement{Key: keyOf(uint64(n)), Size: 1000, Status: 200, ObservedAt: time.Now().Unix(), Header: http.Header{"Content-Type": {"text/html"}}}
	st.Object[0] = byte(n)
	return st.Sign(crowdKey(n))
}

// isPeer reports whether an answer names peer n as it announced itself.
func isPeer(n int, p tracker.PeerEntry) bool {
	return p.ID == transport.PeerID(crowdKey(n).Public().(ed25519.PublicKey)) && p.Addr == netip.AddrPortFrom(crowdSource(n), crowdPort).String() && p.Object[0] == byte(n)
}

// live announces again and again as peers do: at about half of what it was told, and
// with growing pauses when nobody answers.
func (c *crowd) live(n int) {
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: crowdSource(n).AsSlice()}}
	rnd := rand.New(rand.NewPCG(uint64(n), 1))
	st := statement(n)
	wait := time.Duration(rnd.Float64() * float64(time.Second))
	for failures := 0; ; {
		select {
		case <-time.After(wait):
		case <-c.ctx.Done():
			return
		}
		ttl, err := c.announce(n, d, st)
		if err != nil {
			failures++
			wait = time.Duration((0.5 + 0.5*rnd.Float64()) * float64(min(time.Second<<min(failures-1, 9), 5*time.Minute)))
			continue
		}
		failures = 0
		c.mu.Lock()
		c.taken[time.Now().Unix()]++
		c.mu.Unlock()
		wait = time.Duration(float64(ttl) * (0.4 + 0.2*rnd.Float64()))
	}
}

func (c *crowd) announce(n int, d *net.Dialer, st resource.Statement) (time.Duration, error) {
	err := fmt.Errorf("there is no tracker")
	for _, addr := range c.addrs(n) {
		var cl *client.Client
		cl, err = client.New(client.Config{Addr: addr, Key: crowdKey(n), Port: crowdPort, Transports: []string{"http"}, Dial: d.DialContext, Tries: 1})
		if err != nil {
			return 0, err
		}
		var got client.Announced
		got, err = cl.Announce(c.ctx, []tracker.Item{{Statement: st}})
		cl.Close()
		if err == nil && len(got.Refused) > 0 {
			err = fmt.Errorf("refused: %v", got.Refused)
		}
		if err == nil {
			return got.TTL, nil
		}
	}
	return 0, err
}

// peak returns the mean and the highest number of announcements taken in a window of so
// many seconds.
func (c *crowd) peak(from, to, window int64) (mean float64, most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	total, windows := 0, 0
	for s := from; s+window <= to; s += window {
		n := 0
		for i := range window {
			n += c.taken[s+i]
		}
		total, most, windows = total+n, max(most, n), windows+1
	}
	return float64(total) / float64(max(windows, 1)), most
}
