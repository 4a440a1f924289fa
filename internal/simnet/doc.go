// Package simnet owns an emulated network of hosts behind slow links: rates,
// delays, queues, loss, duplication, reordering and NATs, with in-memory
// net.PacketConn, net.Conn and net.Listener on top. It knows nothing of what is
// sent over it, and nothing of this project.
//
// It runs inside a testing/synctest bubble, where time is exact, and in real
// time, where events are accounted for at the moment they were due, so that
// being late never adds up (Lateness says by how much it was late at worst).
//
//	socket -> NAT out -> uplink (rate, drop-tail queue) -> path (delay, loss, copies, reordering)
//	       -> downlink (rate, drop-tail queue) -> NAT in -> socket
//
// A link is a FIFO: a packet leaves when the last byte before it has left. Streams do
// not crowd their own uplink: a host lets each send a segment in turn, as a fair queue
// does, so that what waits does not hold up the others. One
// goroutine owns the events; a packet costs two of them. Every byte is counted
// with its header: 28 bytes of IPv4 and UDP, 40 of IPv4 and TCP.
//
// Streams share the queues with datagrams. They are TCP with the recovery made
// simple, in favour of whoever uses them: segments of 1460 bytes, an initial window of ten,
// slow start and additive increase up to Config.Window, halved at most once a round trip
// when a segment is lost; the sender learns of a loss one round trip after it, as if by
// duplicate acknowledgements, and pure acknowledgements are never lost. Every second segment
// is acknowledged, and every one that ends a burst. Connecting takes one round trip, a lost
// SYN another second.
//
// All chance comes from Config.Seed. Used from a single goroutine, two runs with one seed
// are the same to the nanosecond; with several, goroutine order decides
// what is sent first in the same instant.
package simnet
