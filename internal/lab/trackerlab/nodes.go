package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// nodesPlan is a day of three trackers that share a Redis.
type nodesPlan struct {
	urls     int
	interval time.Duration
	csv      string
}

func nodesFlags(f *flag.FlagSet) func(*lab) error {
	var p nodesPlan
	f.IntVar(&p.urls, "urls", 100, "nodes: URLs, each with a holder of its own")
	f.DurationVar(&p.interval, "hold", 20*time.Second, "nodes: how long announcements hold")
	f.StringVar(&p.csv, "csv", "", "nodes: write the table to FILE, too")
	return func(l *lab) error { _, err := nodes(l, p); return err }
}

// sampled is every URL asked for at every node once.
type sampled struct {
	second                                 float64
	event                                  string
	nodes                                  int
	answers, found, missing, refuse, wrong int
}

// cluster is the nodes there are.
type cluster struct {
	lab   *lab
	plan  nodesPlan
	redis string
	began time.Time

	mu    sync.Mutex
	nodes []*proc
	made  int
	event string

	samples []sampled
}

// nodes kills a node, adds one, lets one leave, and restarts Redis, and asks all the while for everything everywhere.
func nodes(l *lab, p nodesPlan) ([]sampled, error) {
	redis, err := l.redis()
	if err != nil {
		return nil, err
	}
	c := &cluster{lab: l, plan: p, redis: redis.addr}
	for range 3 {
		if err := c.add(); err != nil {
			return nil, err
		}
	}
	peers := newCrowd(p.urls, c.addrs)
	defer peers.close()
	ask := newAnnouncer(1<<50, crowdSource(0))
	if err := eventually(30*time.Second, func() bool { s := c.sample(ask); return s.found == s.answers }); err != nil {
		return nil, errors.New("three nodes do not find everything")
	}
	c.began = time.Now()
	hold := p.interval
	for _, step := range []struct {
		event string
		do    func() error
		until time.Duration
	}{
		{"three nodes", func() error { return nil }, hold / 2},
		{"one is killed", func() error { c.take().kill(); return nil }, 3 * hold / 2},
		{"one is added", c.add, hold},
		{"Redis is killed", func() error { redis.kill(); return nil }, hold / 2},
		{"Redis is started again, empty", func() error { return l.startRedis(redis) }, hold},
		{"one leaves", func() error { c.take().stop(); return nil }, hold},
	} {
		c.event = step.event
		failed := make(chan error, 1)
		go func() { failed <- step.do() }() // answers count while it happens
		for end := time.Now().Add(step.until); time.Now().Before(end); {
			next := time.Now().Add(500 * time.Millisecond)
			c.samples = append(c.samples, c.sample(ask))
			c.event = ""
			time.Sleep(time.Until(next))
		}
		if err := <-failed; err != nil {
			return nil, fmt.Errorf("%s: %w", step.event, err)
		}
	}
	return c.samples, c.write()
}

// add starts one more node.
func (c *cluster) add() error {
	c.mu.Lock()
	n := c.made
	c.made++
	c.mu.Unlock()
	t, err := c.lab.tracker(fmt.Sprint("node", n), "127.0.0.1:0", nil, "--store", "redis://"+c.redis, "--interval", c.plan.interval.String(), "--rate", "100000")
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes = append(c.nodes, t)
	return nil
}

// take takes the first node off the list of those that are asked.
func (c *cluster) take() *proc {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.nodes[0]
	c.nodes = c.nodes[1:]
	return t
}

// addrs are the nodes as peer n has them configured: all, beginning with another one each.
func (c *cluster) addrs(n int) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for i := range c.nodes {
		out = append(out, c.nodes[(n+i)%len(c.nodes)].addr)
	}
	return out
}

// sample asks every node for every URL.
func (c *cluster) sample(a *announcer) sampled {
	c.mu.Lock()
	live := slices.Clone(c.nodes)
	c.mu.Unlock()
	s := sampled{second: time.Since(c.began).Seconds(), event: c.event, nodes: len(live)}
	for _, node := range live {
		for n := range c.plan.urls {
			r, err := a.holders(node.addr, uint64(n))
			s.answers++
			switch {
			case err != nil:
				s.refuse++
			case len(r.Peers) == 0:
				s.missing++
			case len(r.Peers) == 1 && isPeer(n, r.Peers[0]):
				s.found++
			default:
				s.wrong++
			}
		}
	}
	return s
}

// write prints the table.
func (c *cluster) write() error {
	var b strings.Builder
	b.WriteString("second,event,nodes,answers,found,missing,refused,wrong\n")
	for _, s := range c.samples {
		fmt.Fprintf(&b, "%.1f,%s,%d,%d,%d,%d,%d,%d\n", s.second, strings.ReplaceAll(s.event, ",", ";"), s.nodes, s.answers, s.found, s.missing, s.refuse, s.wrong)
	}
	io.WriteString(c.lab.out, b.String())
	if c.plan.csv == "" {
		return nil
	}
	return os.WriteFile(c.plan.csv, []byte(b.String()), 0o644)
}

// redis starts a redis-server without a disk on a free port.
func (l *lab) redis() (*proc, error) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proc{addr: free.Addr().String()}
	free.Close()
	return p, l.startRedis(p)
}

// startRedis starts it anew on its old port.
func (l *lab) startRedis(p *proc) error {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return errors.New("this needs redis-server")
	}
	_, port, _ := net.SplitHostPort(p.addr)
	started, err := l.start(l.command("redis", nil, path, "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no"))
	if err != nil {
		return err
	}
	p.cmd, p.done = started.cmd, started.done
	return eventually(10*time.Second, func() bool {
		c, err := net.Dial("tcp", p.addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}
