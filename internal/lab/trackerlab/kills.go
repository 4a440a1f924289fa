package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"time"
)

// killsPlan says how often the tracker dies under whom.
type killsPlan struct {
	kills, clients, downloads int
	interval                  time.Duration
	size, rate                int // of the page: bytes, and bytes a second
}

func killsFlags(f *flag.FlagSet) func(*lab) error {
	var p killsPlan
	f.IntVar(&p.kills, "kills", 50, "kills: how often")
	f.IntVar(&p.clients, "clients", 200, "kills: peers that announce a URL each")
	f.IntVar(&p.downloads, "downloads", 4, "kills: nt fetch at a time")
	f.DurationVar(&p.interval, "interval", 6*time.Second, "kills: how long announcements hold")
	f.IntVar(&p.size, "size", 3_000_000, "kills: bytes that are downloaded")
	f.IntVar(&p.rate, "limit-rate", 150_000, "kills: bytes a second of a download")
	return func(l *lab) error { _, err := kills(l, p); return err }
}

// killed is what came of it.
type killed struct {
	missing  int // URLs without holder one interval after a restart, all restarts together
	slowest  time.Duration
	mean     float64 // announcements a window
	peak     int
	finished int // downloads
	through  int // of them with a kill in between
	idle     int // that never began, for want of the tracker
	failed   []string
}

// kills ends the tracker again and again as kill -9 does, and starts it again on the same port.
func kills(l *lab, p killsPlan) (killed, error) {
	var out killed
	t, err := l.tracker("kills", "127.0.0.1:0", nil, "--interval", p.interval.String(), "--rate", "100000")
	if err != nil {
		return out, err
	}
	addr := t.addr
	c := newCrowd(p.clients, func(int) []string { return []string{addr} })
	defer c.close()
	ask := newAnnouncer(1<<50, crowdSource(0))
	lookup := func() int { return missing(ask, addr, p.clients) }
	if err := eventually(30*time.Second, func() bool { return lookup() == 0 }); err != nil {
		return out, fmt.Errorf("before the first kill: %w", err)
	}
	d, err := l.downloads(addr, p)
	if err != nil {
		return out, err
	}
	time.Sleep(p.interval)
	from := time.Now().Unix() + 1
	for n := range p.kills {
		t.kill()
		d.died(n == p.kills-1)
		time.Sleep(100*time.Millisecond + rand.N(p.interval/6))
		born := time.Now()
		if t, err = l.tracker("kills", addr, nil, "--interval", p.interval.String(), "--rate", "100000"); err != nil {
			return out, fmt.Errorf("restart %d: %w", n, err)
		}
		if err := out.await(p, born, lookup); err != nil {
			return out, fmt.Errorf("after restart %d: %w", n, err)
		}
		time.Sleep(max(0, p.interval-time.Since(born)) + rand.N(p.interval/3))
	}
	window := int64(max(2, p.interval.Seconds()/3))
	out.mean, out.peak = c.peak(from, time.Now().Unix(), window)
	out.finished, out.through, out.idle, out.failed = d.end()
	l.printf("%d kills of a tracker under %d clients, announcements holding %v", p.kills, p.clients, p.interval)
	l.printf("URLs without holder one interval after a restart: %d of %d; all were back after at most %.1f s (%.2f intervals)", out.missing, p.kills*p.clients,
		out.slowest.Seconds(), out.slowest.Seconds()/p.interval.Seconds())
	l.printf("announcements in %d s: mean %.1f, peak %d (%.2f)", window, out.mean, out.peak, float64(out.peak)/out.mean)
	l.printf("downloads of %d bytes from two peers, the origin being dead: %d done, %d of them with a kill in between, %d failed; %d never began because the tracker was down when they asked", p.size, out.finished, out.through, len(out.failed), out.idle)
	for _, f := range out.failed {
		l.printf("failed: %s", f)
	}
	return out, nil
}

// patience is how many intervals all URLs may take to come back before the experiment fails.
const patience = 10

// await waits until everybody has announced again to a tracker born at that time.
func (k *killed) await(p killsPlan, born time.Time, lookup func() int) error {
	left, late := p.clients, false
	for left > 0 {
		time.Sleep(p.interval / 20)
		left = lookup()
		if since := time.Since(born); !late && since >= p.interval {
			late = true
			k.missing += left
		} else if since > patience*p.interval {
			return fmt.Errorf("%d URLs do not come back", left)
		}
	}
	k.slowest = max(k.slowest, time.Since(born))
	return nil
}

// missing counts the URLs of a crowd that nobody is known to hold.
func missing(a *announcer, of string, n int) (lost int) {
	for i := range n {
		r, err := a.holders(of, uint64(i))
		if err != nil || len(r.Peers) != 1 || !isPeer(i, r.Peers[0]) {
			lost++
		}
	}
	return lost
}

var errNever = errors.New("it does not happen")

func eventually(patience time.Duration, done func() bool) error {
	for end := time.Now().Add(patience); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			return errNever
		}
	}
	return nil
}
