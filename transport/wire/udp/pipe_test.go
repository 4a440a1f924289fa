package udp_test

import (
	"testing"

	"nt/transport/wire"
	"nt/transport/wire/udp"
	"nt/transport/wire/wiretest"
)

func TestConformance(t *testing.T) {
	wiretest.Run(t, wiretest.Wire{
		MaxMessage: udp.MaxMessage,
		Pair: func(t *testing.T, onA, onB func([]byte)) (wiretest.Pipe, wiretest.Pipe) {
			a, b := wiretest.Pair(t, func(s *wire.Session, dialled bool) *udp.Pipe {
				if dialled {
					return udp.New(s, onA)
				}
				return udp.New(s, onB)
			})
			return a, b
		},
	})
}
