// Package memory owns the tracker's swarm store in memory: sharded, compact,
// expired by timing wheels, sampled without walking a swarm, and bounded in
// bytes (security row 9). It knows the Store seam and nothing of HTTP, tickets or
// who may ask.
//
//	shard = one lock, a keyed hash of the key chooses it
//	  swarms  slab of keys    -> rows of holders, versions of the content, statements
//	  peers   slab of peers   -> address and transports, once per shard
//	  holders slab of (key, peer) without pointers, 36 bytes
//	  wheels  one of holders by expiry, one of keys by the age of their statements
package memory
