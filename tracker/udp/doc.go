// Package udp owns the tracker's UDP socket: it reads and writes datagrams many
// at a time and gives each to the protocol it belongs to by its first byte. It
// knows nothing of what they say.
//
//	0xC0..0xCF  the wire of nt, for whoever reads Socket.Wire
//	else        the answerer that Serve was given (BEP 15)
package udp
