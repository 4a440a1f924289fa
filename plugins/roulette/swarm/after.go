package swarm

import (
	"time"

	"nt/chunker"
	"nt/internal/crowd"
	"nt/transport"
	"nt/transport/wire"
)

// What introducers hear: which objects this node is fetching, so that they name it to who asks for the same (docs/adr/0038). A node
// that serves nobody says nothing: it would be named in vain.

// introducer is a session with a node that introduces peers.
type introducer struct {
	session *wire.Session
	topicOf func(chunker.ObjectID) [32]byte // what it calls an object; nil if it is told of none
}

func (i introducer) tell(object chunker.ObjectID, is bool) {
	if i.topicOf != nil {
		_ = i.session.After(i.topicOf(object), is) // fails where the session ends
	}
}

// introducedBy keeps a session with an introducer, and tells it what is under way.
func (n *Node) introducedBy(id transport.PeerID, i introducer) {
	n.introducers[id] = i
	if n.source == nil {
		return
	}
	for object := range n.fetching {
		i.tell(object, true)
	}
}

// tellAfter tells all introducers that an object is being fetched, or is no more.
func (n *Node) tellAfter(object chunker.ObjectID, is bool) {
	if n.source == nil {
		return
	}
	for _, i := range n.introducers {
		i.tell(object, is)
	}
}

// tellAgain repeats what is being fetched, when it is time.
func (n *Node) tellAgain(now time.Duration) {
	if now-n.toldAfterAt < crowd.SayEvery {
		return
	}
	n.toldAfterAt = now
	for object := range n.fetching {
		n.tellAfter(object, true)
	}
}
