// Package plugins owns the list of what this build can be extended with: one
// value per seam, read in a minute. It decides nothing else, and nothing
// registers itself behind its back.
package plugins

import (
	"nt/plugins/bittorrent"
	"nt/plugins/http"
	"nt/plugins/roulette/swarm"
	"nt/transport"
)

// Transports returns the transports of this build, in the order in which they
// are tried when one cannot make progress.
func Transports() *transport.Registry {
	var r transport.Registry
	r.Register(swarm.Name, swarm.Open)
	r.Register(http.Name, http.Open)
	r.Register(bittorrent.Name, bittorrent.Open)
	return &r
}
