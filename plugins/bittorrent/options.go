package bittorrent

import (
	"fmt"
	"time"
)

// Options is the table [transport.bittorrent] of the configuration file.
type Options struct {
	// MaxPeers is how many connections one object may have (N15).
	MaxPeers int `toml:"max_peers"`
	// MaxIncoming is how many incoming connections and requests for hints there
	// may be over all objects.
	MaxIncoming int `toml:"max_incoming"`
	// MaxIncomingPerAddress bounds them per IPv4 address or IPv6 /64 (security row 42).
	MaxIncomingPerAddress int `toml:"max_incoming_per_address"`
	// MaxSeeds is how many objects are seeded at a time.
	MaxSeeds int `toml:"max_seeds"`
	// MaxHints is how many objects' hints are remembered, 20 bytes a piece, and
	// with it for how many objects a handshake is answered.
	MaxHints int `toml:"max_hints"`
	// UploadRate is the highest rate of all uploads together, bytes per second; 0 is unlimited.
	UploadRate int64 `toml:"upload_rate"`
	// IdleTimeout is how long an object is kept ready after its last connection.
	IdleTimeout time.Duration `toml:"idle_timeout"`
	// HintWait is how long a request for a hint waits while it is computed; then
	// it is answered 503 and the computation goes on.
	HintWait time.Duration `toml:"hint_wait"`
	// WriteTimeout is how long a reader may take for each 32 KiB of a hint (row 42).
	WriteTimeout time.Duration `toml:"write_timeout"`

	// FirstByteTimeout is how long a peer may take from dialling to the headers of its hint.
	FirstByteTimeout time.Duration `toml:"first_byte_timeout"`
	// HandshakeTimeout is how long a BitTorrent handshake may take, both ways.
	HandshakeTimeout time.Duration `toml:"handshake_timeout"`
	// StallTimeout is how long a peer may owe us blocks and send less than MinRate (row 21).
	StallTimeout time.Duration `toml:"stall_timeout"`
	// MinRate is the lowest rate at which such a peer is kept, bytes per second; 0
	// keeps every peer that sends anything.
	MinRate int64 `toml:"min_rate"`
	// PeersInterval is how often the list of peers is asked for while there is
	// progress. BitTorrent's client forgets a peer it could not reach, so peers
	// have to be named again and again.
	PeersInterval time.Duration `toml:"peers_interval"`
	// MaxHintsPerFetch is how many differing hints a Fetch follows at a time: one is right.
	MaxHintsPerFetch int `toml:"max_hints_per_fetch"`
	// MaxRounds is how many lists in a row may bring nobody before the fetch gives up.
	MaxRounds int `toml:"max_rounds"`
	// RetryWait is the pause before the next list when nobody is there; it doubles.
	RetryWait time.Duration `toml:"retry_wait"`
	// NoProgressTimeout is how long connected peers may bring nothing before the fetch gives up.
	NoProgressTimeout time.Duration `toml:"no_progress_timeout"`
}

// DefaultOptions returns what holds where the configuration says nothing.
func DefaultOptions() Options {
	return Options{
		MaxPeers:              64,
		MaxIncoming:           256,
		MaxIncomingPerAddress: 32,
		MaxSeeds:              32,
		MaxHints:              256,
		IdleTimeout:           2 * time.Minute,
		HintWait:              3 * time.Second,
		WriteTimeout:          15 * time.Second,
		FirstByteTimeout:      5 * time.Second,
		HandshakeTimeout:      5 * time.Second,
		StallTimeout:          8 * time.Second,
		MinRate:               4 << 10,
		PeersInterval:         5 * time.Second,
		MaxHintsPerFetch:      4,
		MaxRounds:             2,
		RetryWait:             300 * time.Millisecond,
		NoProgressTimeout:     30 * time.Second,
	}
}

// check refuses values that would switch a limit off by accident.
func (o Options) check() error {
	for _, v := range []struct {
		key  string
		bad  bool
		want string
	}{
		{"max_peers", o.MaxPeers < 1, "at least 1"},
		{"max_incoming", o.MaxIncoming < 1, "at least 1"},
		{"max_incoming_per_address", o.MaxIncomingPerAddress < 1, "at least 1"},
		{"max_seeds", o.MaxSeeds < 1, "at least 1"},
		{"max_hints", o.MaxHints < o.MaxSeeds, "at least max_seeds"},
		{"upload_rate", o.UploadRate < 0, "bytes per second, or 0"},
		{"idle_timeout", o.IdleTimeout <= 0, "a positive duration"},
		{"hint_wait", o.HintWait <= 0, "a positive duration"},
		{"write_timeout", o.WriteTimeout <= 0, "a positive duration"},
		{"first_byte_timeout", o.FirstByteTimeout <= 0, "a positive duration"},
		{"handshake_timeout", o.HandshakeTimeout <= 0, "a positive duration"},
		{"stall_timeout", o.StallTimeout <= 0, "a positive duration"},
		{"min_rate", o.MinRate < 0, "bytes per second, or 0"},
		{"peers_interval", o.PeersInterval <= 0, "a positive duration"},
		{"max_hints_per_fetch", o.MaxHintsPerFetch < 1, "at least 1"},
		{"max_rounds", o.MaxRounds < 1, "at least 1"},
		{"retry_wait", o.RetryWait <= 0, "a positive duration"},
		{"no_progress_timeout", o.NoProgressTimeout <= 0, "a positive duration"},
	} {
		if v.bad {
			return fmt.Errorf("transport.bittorrent.%s must be %s", v.key, v.want)
		}
	}
	return nil
}
