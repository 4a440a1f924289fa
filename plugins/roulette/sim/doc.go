// Package sim runs many real roulette cores in virtual time over emulated
// links: the laboratory of the pure protocol, used by tests and experiments.
// One goroutine, one heap of events; the same Config gives the same trace.
//
//	core -> uplink (rate, 64 KB drop-tail) -> one-way delay -> downlink (same) -> core
//
// Every datagram is marshalled, counted with Overhead bytes for UDP/IP and the wire
// below the core, and parsed again. It knows nothing of sockets, sessions and stores.
package sim
