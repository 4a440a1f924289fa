// Package redis owns what makes several trackers one: which of them owns a key,
// the way of a message to the owner, and what they share through Redis or Valkey. It
// knows the Store seam and, for its own part of the keys, the store in memory.
//
//	nt:nodes           sorted set: node's address -> the millisecond (of Redis' clock) until which it lives
//	nt:born            when Redis began to know nodes; while that is young no node is given up
//	nt:secret          32 bytes: tickets, labels and messages between nodes
//	nt:said:KEY        hash: witness/object -> statement, as JSON; "outage" -> the first outage
//
// Holders stay in the memory of the node that owns the key: the node with the highest
// SHA-256(key | address). Redis hears of a statement once, never of a renewal.
package redis
