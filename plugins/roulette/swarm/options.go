package swarm

import (
	"fmt"
	"time"

	"nt/chunker"
	"nt/plugins/roulette"
	"nt/transport/wire"
)

// Name is the transport's name in configuration and announcements.
const Name = "roulette"

// Options is the table [transport.roulette]: how the node runs, and every number of the
// protocol (roulette.Params), of which the profile sets those that are not there.
type Options struct {
	roulette.Params
	// Wire is what messages run on: "kcp" (reliable) or "udp" (as the 2006 paper, F8).
	Wire string `toml:"wire"`
	// Profile is "tuned" or "classic" (the paper's numbers, for comparison).
	Profile string `toml:"profile"`
	// Uplink is the rate at which this node may send, in bytes per second; 0 measures it.
	Uplink int `toml:"uplink"`
	// MaxSessions bounds the sessions of all objects together.
	MaxSessions int `toml:"max_sessions"`
	// Stall ends a fetch that got no new chunk for so long; another transport may go on.
	Stall time.Duration `toml:"stall"`
	// AskWait is the first wait between two questions for more peers; it doubles.
	AskWait time.Duration `toml:"ask_wait"`
	// DialTimeout bounds reaching one peer, introductions included.
	DialTimeout time.Duration `toml:"dial_timeout"`
	// Tap sees every message that a core is about to be given (heard) or has sent, with its
	// length. It is called on the node's goroutine; for the lab. May be nil.
	Tap func(c *roulette.Core, m roulette.Message, size int, heard bool) `toml:"-"`
}

func (o *Options) tap(c *roulette.Core, m roulette.Message, size int, heard bool) {
	if o.Tap != nil {
		o.Tap(c, m, size, heard)
	}
}

// DefaultOptions returns what an absent table means.
func DefaultOptions() Options {
	return Options{Params: roulette.Tuned(), Wire: "kcp", Profile: "tuned", MaxSessions: 512, Stall: 12 * time.Second, AskWait: 250 * time.Millisecond, DialTimeout: 4 * time.Second}
}

// wireOverhead is what each wire adds to a message, in bytes: IP and UDP headers (28), the seal, and KCP's
// header and length as they mostly are (5).
func (o Options) wireOverhead() int {
	if o.Wire == "kcp" {
		return 28 + wire.Overhead + 5
	}
	return 28 + wire.Overhead
}

// maxRun is how many blocks one message carries at most: a whole chunk where messages
// may be longer than datagrams.
func (o Options) maxRun() int {
	if o.Wire == "kcp" && o.Profile != "classic" {
		return chunker.MaxChunkSize / roulette.BlockSize
	}
	return 1
}

// load reads a table: first for its profile, then for what it changes of the profile's numbers.
func load(decode func(v any) error) (Options, error) {
	o := DefaultOptions()
	if decode == nil {
		return o, nil
	}
	if err := decode(&o); err != nil {
		return o, err
	}
	if o.Profile == "classic" {
		o.Params = roulette.Classic()
		if err := decode(&o); err != nil {
			return o, err
		}
	}
	o.Params.KnownRate = o.Uplink
	return o, o.check()
}

func (o Options) check() error {
	switch {
	case o.Wire != "kcp" && o.Wire != "udp":
		return fmt.Errorf("wire %q is not kcp or udp", o.Wire)
	case o.Profile != "tuned" && o.Profile != "classic":
		return fmt.Errorf("profile %q is not tuned or classic", o.Profile)
	case o.Uplink < 0:
		return fmt.Errorf("uplink %d is negative", o.Uplink)
	case o.MaxSessions < 1 || o.MaxSessions > 1<<16:
		return fmt.Errorf("max_sessions %d is not between 1 and 65536", o.MaxSessions)
	case o.Stall <= 0 || o.DialTimeout <= 0 || o.AskWait <= 0:
		return fmt.Errorf("stall, ask_wait and dial_timeout must be longer than nothing")
	}
	return o.Params.Check()
}
