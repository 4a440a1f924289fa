package swarm

import (
	"nt/plugins/roulette"
	"nt/transport/wire"
)

// vouch fills in what opens gates: our grant for who may introduce us, and for the receiver
// of introductions the introduced peers' tokens, made from the grants they gave us.
func (s *swarm) vouch(to *link, m roulette.Message) {
	switch m := m.(type) {
	case *roulette.Join:
		m.Grant = s.node.wire.Grant().AppendBinary(nil)
	case *roulette.Hello:
		m.Grant = s.node.wire.Grant().AppendBinary(nil)
	case *roulette.Welcome:
		s.tokens(to, m.Peers)
	case *roulette.Data:
		s.tokens(to, m.Peers)
	case *roulette.Recommend:
		s.tokens(to, m.Peers)
	}
}

func (s *swarm) tokens(to *link, peers []roulette.Introduction) {
	for i := range peers {
		if g, ok := s.grants[peers[i].Peer.Addr]; ok {
			t := g.Token(to.peer.Addr)
			peers[i].Token = t[:]
		}
	}
}

// granted keeps the grant that came with a greeting. A grant out of date only costs the
// introduced a round trip.
func (s *swarm) granted(from *link, m roulette.Message) {
	var b []byte
	switch m := m.(type) {
	case *roulette.Join:
		b = m.Grant
	case *roulette.Hello:
		b = m.Grant
	}
	if g, ok := wire.ParseGrant(b); ok {
		s.grants[from.peer.Addr] = g
	}
}

// tokenOf returns an introduction's token, zero if there is none.
func tokenOf(in roulette.Introduction) (t wire.Token) {
	if len(in.Token) == len(t) {
		copy(t[:], in.Token)
	}
	return t
}
