package modes

import (
	"math/rand/v2"
	"net/netip"
	"sync/atomic"

	"nt/chunker"
	"nt/tracker"
	"nt/tracker/rendezvous"
	"nt/transport"
)

// knownPeers is the tracker's view of its rendezvous: what peers are after has there the name that the tracker's token gives it.
type knownPeers struct {
	*rendezvous.Server
	token *atomic.Pointer[string]
}

// After implements tracker.Rendezvous.
func (k *knownPeers) After(object chunker.ObjectID, most int, but netip.AddrPort, rnd *rand.Rand) []transport.PeerID {
	return k.Server.After(tracker.TopicOf(*k.token.Load(), object), most, but, rnd)
}
