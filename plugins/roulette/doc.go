// Package roulette owns the protocol of the Flashback paper as a pure state
// machine, one Core per swarm (one object), in two profiles: classic, with the
// paper's numbers, and tuned, which stands near the physical limit.
//
// It opens no socket, reads no clock, starts no goroutine and draws no chance but from
// Config.Rand: messages, peers and time go in, typed Actions come out, and NextDeadline says
// when time alone changes something. A driver is thin:
//
//	session hears a message  -> Parse -> Core.Receive(now, neighbour, message)
//	timer at NextDeadline    -> Core.Advance(now)
//	locator names peers      -> Core.Join (seeds, and readers beside them) or Core.AddPeers
//	peer opens a session     -> Core.Accept
//	packets to us are lost   -> Core.Missed
//	session breaks           -> Core.Lost
//	after each of them       -> Core.Actions: Connect, Send (fill in payload and tokens,
//	                            Append, write), Stored, Drop, Ban, WantPeers, Complete, Fail
//
// What a neighbour goes through on the receive side, per neighbour (F34):
//
//	          wanted (F29)                 offer, or any answer
//	INIT ------------------> FIRST HANDSHAKE -----------------> SECOND HANDSHAKE <----.
//	 ^  ^                     |   |     ^                        |      ^             |
//	 |  `--- NO_FILE, --------'   |     |   offer exhausted      |ask   |all came,    |
//	 |       nothing offered      |     `----(classic)---------- | -----+timeout      |
//	 |                            | Resends silences             v      |             |
//	 |                            v                           WAIT FOR DATA ----------'
//	 `--------------------------dead <------ Resends silences ---'
//
// In tuned the first handshake is HELLO, which already asks; a REQUEST is a second handshake
// that does not wait and usually rides on DATA going the other way; and
// the burst is one window shared by all neighbours.
//
// Content travels in blocks of BlockSize: a chunk of a small object is one block, a
// larger chunk is asked for as a whole or by a run of its blocks, each DATA carries one
// block, and every window is counted in blocks, never in chunks.
package roulette
