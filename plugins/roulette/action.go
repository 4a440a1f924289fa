package roulette

import "nt/transport"

// NeighbourID names a neighbour within one Core; the driver maps it to a session.
type NeighbourID uint32

// Action is something the driver must do; Actions drains them in order.
type Action interface{ isAction() }

// Connect: open a session to a peer; the first Send to it follows. By is who named it, 0 if no neighbour did.
type Connect struct {
	To    NeighbourID
	Intro Introduction
	By    NeighbourID
}

// Send: give Msg to the session now. The core has paced it. Of a Data the driver
// fills Payload with Len bytes from Block*BlockSize of the chunk, and the tokens of
// every introduction.
type Send struct {
	To  NeighbourID
	Msg Message
}

// Stored: the Content has taken a proved chunk.
type Stored struct {
	Chunk int
	From  NeighbourID
}

// Drop: the neighbour is gone; its session may be closed and its NeighbourID
// will not be used again.
type Drop struct {
	To   NeighbourID
	Peer transport.Peer
	Why  error
}

// Ban: the neighbour delivered wrong bytes or broke the protocol; key and
// address must not be let in again. A Drop follows.
type Ban struct {
	To   NeighbourID
	Peer transport.Peer
	Why  error
}

// WantPeers: too few neighbours and nobody to ask; call AddPeers if there are more.
type WantPeers struct{}

// Complete: every chunk is stored. The driver may leave (Core.Leave) or stay.
type Complete struct{}

// Fail: the Content refused for a reason of its own (disk full); nothing more
// will be asked for.
type Fail struct{ Err error }

func (Connect) isAction()   {}
func (Send) isAction()      {}
func (Stored) isAction()    {}
func (Drop) isAction()      {}
func (Ban) isAction()       {}
func (WantPeers) isAction() {}
func (Complete) isAction()  {}
func (Fail) isAction()      {}
