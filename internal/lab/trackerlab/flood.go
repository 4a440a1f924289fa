package main

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// floodPlan says how much falls on the tracker.
type floodPlan struct {
	fakes, torrents int
	honest, batch   int
	memory          string
}

func floodFlags(f *flag.FlagSet) func(*lab) error {
	var p floodPlan
	f.IntVar(&p.fakes, "fakes", 5_000_000, "flood: fake URLs")
	f.IntVar(&p.torrents, "torrents", 5_000_000, "flood: fake torrents")
	f.IntVar(&p.honest, "honest", 100, "flood: honest URLs before, and as many after")
	f.IntVar(&p.batch, "batch", 200, "flood: URLs in a message")
	f.StringVar(&p.memory, "memory", "256M", "flood: the tracker's cap")
	return func(l *lab) error { _, err := flood(l, p); return err }
}

// flooded is what came of it.
type flooded struct {
	peak                  int64 // VmHWM, kB
	taken, evicted        int64 // fake URLs
	torrents, gone        int64
	honest, lost, checked int
	silent                int
}

// floodSources are addresses of one /16, each in a /24 of its own.
const floodSources = 250

func fakeSource(n int) netip.Addr { return netip.AddrFrom4([4]byte{127, 66, byte(n), 1}) }

// honestSource is in a /16 of its own, but not in that of the fakes.
func honestSource(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, byte(100 + n%150), byte(n / 150), 1})
}

// honestURL is above every fake.
func honestURL(n int) uint64 { return 1<<40 + uint64(n) }

// flood announces honest URLs and torrents, then fakes, honest ones again, and asks for the honest ones all the while.
func flood(l *lab, p floodPlan) (flooded, error) {
	var out flooded
	t, err := l.tracker("flood", "127.0.0.1:0", nil, "--memory", p.memory)
	if err != nil {
		return out, err
	}
	crowd := &honestCrowd{to: t.addr}
	if err := crowd.join(p.honest); err != nil {
		return out, fmt.Errorf("before the flood: %w", err)
	}
	start := time.Now()
	stop, watched := make(chan struct{}), make(chan struct{})
	go func() { defer close(watched); l.watchFlood(t, crowd, stop) }()
	err = floodURLs(t.addr, p)
	urls := time.Since(start)
	if err == nil {
		err = floodTorrents(t.addr, p.torrents)
	}
	close(stop)
	<-watched
	took := time.Since(start)
	if err == nil {
		err = crowd.join(p.honest)
	}
	if err != nil {
		return out, err
	}
	crowd.ask(len(crowd.peers))
	m, err := t.metrics()
	if err != nil {
		return out, err
	}
	out = flooded{peak: t.status("VmHWM"), taken: int64(m["items_total"]), evicted: int64(m["evicted_total"]), torrents: int64(m["torrents"]),
		gone: int64(m["torrents_evicted_total"]), honest: len(crowd.peers), lost: crowd.lost, silent: crowd.silent, checked: crowd.asked}
	l.printf("%d fake URLs of one /16 through the API in %.0f s, %d fake torrents by UDP in %.0f s; cap %s", p.fakes, urls.Seconds(), p.torrents, (took - urls).Seconds(), p.memory)
	l.printf("resident at most %d MiB (VmHWM); URLs: %d announcements taken, %d held, %d evicted; torrents: %d held, %d evicted", out.peak>>10,
		out.taken, int64(m["keys"]), out.evicted, out.torrents, out.gone)
	l.printf("%d honest URLs and torrents, half of them announced before and half after: asked for %d times, %d times not found, %d times no answer in time", out.honest, out.checked, out.lost, out.silent)
	return out, nil
}

// watchFlood asks for honest URLs while the flood lasts, and tells how far it is.
func (l *lab) watchFlood(t *proc, crowd *honestCrowd, stop chan struct{}) {
	renewed := time.Now()
	for n := 1; ; n++ {
		select {
		case <-stop:
			return
		case <-time.After(2 * time.Second):
		}
		crowd.ask(10)
		if time.Since(renewed) > 12*time.Minute { // as peers do
			crowd.renew()
			renewed = time.Now()
		}
		if m, err := t.metrics(); err == nil && n%30 == 0 {
			l.printf("... %.0f URLs taken, %.0f held; %.0f torrents held; resident %d MiB; honest: asked %d, lost %d, no answer %d", m["items_total"], m["keys"], m["torrents"],
				t.status("VmRSS")>>10, crowd.asked, crowd.lost, crowd.silent)
		}
	}
}

// honestCrowd announces one URL and one torrent each, and checks that they are found.
type honestCrowd struct {
	to          string
	peers       []*announcer
	turn        int // whose is asked for next
	asked, lost int // lost: the answer says that nobody has it
	silent      int // no answer in time, as from any tracker that is asked for too much
}

func (c *honestCrowd) join(n int) error {
	for range n {
		i := len(c.peers)
		a := newAnnouncer(1<<40+uint64(i), honestSource(i))
		if taken, err := a.announce(c.to, honestURL(i)); err != nil || taken != 1 {
			return fmt.Errorf("honest URL %d: %d taken, %w", i, taken, err)
		}
		u, err := dialBEP(a.from, c.to)
		if err != nil {
			return err
		}
		ok, err := u.announce(honestURL(i), crowdPort)
		u.conn.Close()
		if err != nil || !ok {
			return fmt.Errorf("honest torrent %d is refused: %w", i, err)
		}
		c.peers = append(c.peers, a)
	}
	return nil
}

func (c *honestCrowd) renew() {
	for i, a := range c.peers {
		a.announce(c.to, honestURL(i))
		if u, err := dialBEP(a.from, c.to); err == nil {
			u.announce(honestURL(i), crowdPort)
			u.conn.Close()
		}
	}
}

// ask looks n honest URLs and torrents up, the next ones.
func (c *honestCrowd) ask(n int) {
	for range n {
		i := c.turn % len(c.peers)
		a := c.peers[i]
		c.turn++
		c.asked += 2
		r, err := a.holders(c.to, honestURL(i))
		c.count(len(r.Peers) > 0, err)
		u, err := dialBEP(a.from, c.to)
		if err != nil {
			c.count(false, err)
			continue
		}
		n, err := u.leechers(honestURL(i))
		c.count(n > 0, err)
		u.conn.Close()
	}
}

func (c *honestCrowd) count(found bool, err error) {
	switch {
	case err != nil:
		c.silent++
	case !found:
		c.lost++
	}
}

// floodURLs announces fakes as fast as the tracker takes them, signed, in batches.
func floodURLs(to string, p floodPlan) error {
	var next atomic.Int64
	errs := make([]error, floodSources)
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	for s := range errs {
		wg.Go(func() {
			a := newAnnouncer(uint64(s), fakeSource(s))
			for {
				first := next.Add(int64(p.batch)) - int64(p.batch)
				if first >= int64(p.fakes) {
					return
				}
				urls := make([]uint64, min(int64(p.batch), int64(p.fakes)-first))
				for i := range urls {
					urls[i] = uint64(first) + uint64(i)
				}
				if errs[s] = insist(a, to, urls, slots); errs[s] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// insist announces until the rate limit lets it pass, and again when the tracker is busy, does not hear the
// endpoint or breaks off: on a machine with much else to do all of that happens.
func insist(a *announcer, to string, urls []uint64, slots chan struct{}) error {
	for failed := 0; ; time.Sleep(time.Second) {
		slots <- struct{}{}
		_, err := a.announce(to, urls...)
		<-slots
		var refused *refusedError
		if err == nil || failed == maxInsist {
			return err
		}
		if !errors.As(err, &refused) || refused.status != 429 {
			failed++
		}
	}
}

// maxInsist is how often in a row an announcement may fail.
const maxInsist = 20

// bep is a client of BEP 15 at one address.
type bep struct {
	conn net.Conn
	id   [8]byte
}

func dialBEP(from netip.Addr, to string) (*bep, error) {
	d := &net.Dialer{LocalAddr: &net.UDPAddr{IP: from.AsSlice()}}
	c, err := d.Dial("udp", to)
	if err != nil {
		return nil, err
	}
	u := &bep{conn: c}
	answer, err := u.ask([]byte("\x00\x00\x04\x17\x27\x10\x19\x80\x00\x00\x00\x00tran"), 16)
	if err != nil {
		c.Close()
		return nil, err
	}
	copy(u.id[:], answer[8:])
	return u, nil
}

// ask sends a request until it is answered with at least so many bytes.
func (u *bep) ask(in []byte, least int) ([]byte, error) {
	buf := make([]byte, 2048)
	for range 10 {
		u.conn.Write(in)
		u.conn.SetReadDeadline(time.Now().Add(time.Second))
		if n, err := u.conn.Read(buf); err == nil && n >= least {
			return buf[:n], nil
		}
	}
	return nil, errors.New("no answer by UDP")
}

func (u *bep) request(url uint64, port uint16) []byte {
	b := make([]byte, 98)
	copy(b, u.id[:])
	b[11], b[71] = 1, 1 // announce, left
	key := keyOf(url)
	copy(b[16:36], key[:])
	binary.BigEndian.PutUint16(b[96:], port)
	return b
}

func (u *bep) announce(url uint64, port uint16) (ok bool, err error) {
	answer, err := u.ask(u.request(url, port), 8)
	return err == nil && answer[3] == 1, err
}

func (u *bep) leechers(url uint64) (uint32, error) {
	key := keyOf(url)
	in := append(append(u.id[:8:8], "\x00\x00\x00\x02tran"...), key[:20]...)
	answer, err := u.ask(in, 20)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint32(answer[16:]), nil
}

// floodTorrents announces fakes by UDP, up to 64 under way at each source.
func floodTorrents(to string, fakes int) error {
	errs := make([]error, 2)
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			for s := w; s < floodSources; s += len(errs) {
				u, err := dialBEP(fakeSource(s), to)
				if err != nil {
					errs[w] = err
					return
				}
				u.pour(fakes*s/floodSources, fakes*(s+1)/floodSources)
				u.conn.Close()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (u *bep) pour(first, end int) {
	buf := make([]byte, 2048)
	for n := first; n < end; {
		sent := 0
		for ; sent < 64 && n < end; sent++ {
			u.conn.Write(u.request(uint64(n), uint16(1024+n%60_000)))
			n++
		}
		u.conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		for range sent {
			if _, err := u.conn.Read(buf); err != nil {
				break // some were lost, as on a real line
			}
		}
	}
}
