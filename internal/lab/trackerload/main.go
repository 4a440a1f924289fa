// Command trackerload asks a tracker at a fixed rate, whether it answers or not,
// and prints what came back: an open loop, so that a tracker which falls behind is seen
// to. Run it as a process of its own, on a core of its own:
//
//	taskset -c 0 nt tracker --listen 127.0.0.1:7070 --allow-private
//	taskset -c 1 trackerload -addr 127.0.0.1:7070 -mode bep15 -rate 200000 -time 5s
//
// Peers are fixed pairs of a source address (127.x.1.1, one /24 each), a port and
// a URL; URLs are drawn by Zipf's law, and one of them is hot. Modes: bep15 and http-bep
// announce torrents, lookup and announce use API v1.
package main

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"time"
)

// config is the command line.
type config struct {
	addr, mode string
	rate       float64 // requests a second
	length     time.Duration
	sources    int
	peers      int
	urls       int
	hot        float64 // share of peers at the hot URL
	unique     bool
	want       int
	seed       uint64
	workers    int    // connections of the HTTP modes
	listen     uint16 // where all peers of mode announce are
	whitelist  string // write the infohashes here and stop
}

func main() {
	var c config
	flag.StringVar(&c.addr, "addr", "127.0.0.1:7070", "the tracker, HOST:PORT")
	flag.StringVar(&c.mode, "mode", "bep15", "bep15, http-bep, lookup or announce")
	flag.Float64Var(&c.rate, "rate", 100_000, "requests a second")
	flag.DurationVar(&c.length, "time", 5*time.Second, "how long")
	flag.IntVar(&c.sources, "sources", 64, "source addresses")
	flag.IntVar(&c.peers, "peers", 20_000, "peers")
	flag.IntVar(&c.urls, "urls", 10_000, "URLs or torrents")
	flag.Float64Var(&c.hot, "hot", 0.3, "share of the peers at the hot URL")
	flag.BoolVar(&c.unique, "unique", false, "every peer has a URL of its own: a flood")
	flag.IntVar(&c.want, "want", 50, "peers asked for")
	flag.Uint64Var(&c.seed, "seed", 1, "of the draw")
	flag.IntVar(&c.workers, "workers", 64, "connections of the HTTP modes")
	flag.StringVar(&c.whitelist, "write-whitelist", "", "write the infohashes to FILE, for opentracker -w, and stop")
	flag.Parse()
	if err := run(c); err != nil {
		fmt.Fprintln(os.Stderr, "trackerload:", err)
		os.Exit(1)
	}
}

func run(c config) error {
	if c.unique {
		c.urls = c.peers
	}
	p := newPlan(c)
	if c.whitelist != "" {
		return writeWhitelist(c.whitelist, p)
	}
	var r *result
	var err error
	switch c.mode {
	case "bep15":
		r, err = runUDP(c, p)
	case "http-bep", "lookup", "announce":
		r, err = runHTTP(c, p)
	default:
		err = fmt.Errorf("there is no mode %q", c.mode)
	}
	if err != nil {
		return err
	}
	fmt.Println(r.line(c))
	return nil
}

func writeWhitelist(file string, p *plan) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	for _, h := range p.hashes {
		fmt.Fprintln(f, hex.EncodeToString(h[:20]))
	}
	return f.Close()
}
