package wire

import (
	"net/netip"

	"nt/transport"
)

func (n *Node) lookup(k sessionKey) *Session {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sessions[k]
}

// Session returns the latest session with a peer that has shown its address and
// key in it, or nil.
func (n *Node) Session(peer transport.PeerID) *Session {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.peers[peer]
}

// confirmed puts an open session in front of the peer's others; not for one that
// was only accepted, whose Init somebody on the path may have replayed.
func (n *Node) confirmed(s *Session) {
	n.mu.Lock()
	if n.sessions[s.key] == s {
		n.ungrant(s.handle)
		s.handle = 0
		s.older = n.peers[s.peer]
		n.peers[s.peer] = s
	}
	n.mu.Unlock()
}

// forget removes an ended session.
func (n *Node) forget(s *Session) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.sessions[s.key] != s {
		return
	}
	delete(n.sessions, s.key)
	n.undial(s)
	if s.accepted {
		n.releaseGroup(s.key.addr.Addr())
		n.ungrant(s.handle)
	}
	n.unlink(s)
}

// undial takes a session off the list of dials; the caller holds mu.
func (n *Node) undial(s *Session) {
	if s.accepted {
		return
	}
	for nonce, d := range n.dials {
		if d == s {
			delete(n.dials, nonce)
		}
	}
}

// unlink takes s out of its peer's list; the caller holds mu.
func (n *Node) unlink(s *Session) {
	head := n.peers[s.peer]
	switch {
	case head == s && s.older != nil:
		n.peers[s.peer] = s.older
	case head == s:
		delete(n.peers, s.peer)
	default:
		for p := head; p != nil; p = p.older {
			if p.older == s {
				p.older = s.older
				break
			}
		}
	}
	s.older = nil
}

// crowded reports whether too many sessions opened on a grant wait for their diallers' first packet.
func (n *Node) crowded(handle uint32) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return handle != 0 && n.granted[handle] >= maxGranted
}

// admit takes a place for a session from an address, if there is one, and notes the grant it came on.
func (n *Node) admit(addr netip.Addr, handle uint32) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	g := transport.NetworkGroup(addr)
	if n.closed || n.conf.Accept == nil || len(n.sessions) >= n.conf.MaxSessions || n.groups[g] >= n.conf.MaxPerGroup {
		return false
	}
	n.groups[g]++
	if handle != 0 {
		n.granted[handle]++
	}
	return true
}

// ungrant gives the place on a grant back; the caller holds mu.
func (n *Node) ungrant(handle uint32) {
	if handle == 0 {
		return
	}
	if n.granted[handle]--; n.granted[handle] <= 0 {
		delete(n.granted, handle)
	}
}

func (n *Node) releaseGroup(a netip.Addr) {
	g := transport.NetworkGroup(a)
	if n.groups[g]--; n.groups[g] <= 0 {
		delete(n.groups, g)
	}
}
