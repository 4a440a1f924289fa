package http

import (
	"fmt"
	"time"
)

// Options is the table [transport.http] of the configuration file.
type Options struct {
	// MaxUploads is how many requests are served at a time; the next one gets 503.
	MaxUploads int `toml:"max_uploads"`
	// MaxUploadsPerAddress bounds them per IPv4 address or IPv6 /64 (security row 42).
	MaxUploadsPerAddress int `toml:"max_uploads_per_address"`
	// UploadRate is the highest rate of all uploads together, bytes per second; 0 is unlimited.
	UploadRate int64 `toml:"upload_rate"`
	// WriteTimeout is how long a reader may take for each 32 KiB, before it is cut off (row 42).
	WriteTimeout time.Duration `toml:"write_timeout"`

	// FirstByteTimeout is how long a peer may take from dialling to the end of the reply's headers.
	FirstByteTimeout time.Duration `toml:"first_byte_timeout"`
	// StallTimeout is how long a peer may send nothing in the middle of a reply (row 21).
	StallTimeout time.Duration `toml:"stall_timeout"`
	// MinRate is the lowest rate at which a peer is kept, bytes per second over a
	// StallTimeout spent waiting for it; 0 keeps every peer that never stalls.
	MinRate int64 `toml:"min_rate"`
	// MaxPeers is how many peers of one list are asked.
	MaxPeers int `toml:"max_peers"`
	// MaxRounds is how many lists in a row may bring nothing before the fetch gives up.
	MaxRounds int `toml:"max_rounds"`
	// RetryWait is the pause before the next list; it doubles with each list that brought nothing.
	RetryWait time.Duration `toml:"retry_wait"`
}

// DefaultOptions returns what holds where the configuration says nothing.
func DefaultOptions() Options {
	return Options{
		MaxUploads:           64,
		MaxUploadsPerAddress: 16,
		WriteTimeout:         15 * time.Second,
		FirstByteTimeout:     5 * time.Second,
		StallTimeout:         8 * time.Second,
		MinRate:              4 << 10,
		MaxPeers:             64,
		MaxRounds:            3,
		RetryWait:            300 * time.Millisecond,
	}
}

// check refuses values that would switch a limit off by accident.
func (o Options) check() error {
	for _, v := range []struct {
		key  string
		bad  bool
		want string
	}{
		{"max_uploads", o.MaxUploads < 1, "at least 1"},
		{"max_uploads_per_address", o.MaxUploadsPerAddress < 1, "at least 1"},
		{"upload_rate", o.UploadRate < 0, "bytes per second, or 0"},
		{"write_timeout", o.WriteTimeout <= 0, "a positive duration"},
		{"first_byte_timeout", o.FirstByteTimeout <= 0, "a positive duration"},
		{"stall_timeout", o.StallTimeout <= 0, "a positive duration"},
		{"min_rate", o.MinRate < 0, "bytes per second, or 0"},
		{"max_peers", o.MaxPeers < 1, "at least 1"},
		{"max_rounds", o.MaxRounds < 1, "at least 1"},
		{"retry_wait", o.RetryWait <= 0, "a positive duration"},
	} {
		if v.bad {
			return fmt.Errorf("transport.http.%s must be %s", v.key, v.want)
		}
	}
	return nil
}
