// Package wire owns the one UDP socket of a node: the token gate in front of
// everything, encrypted sessions behind it, address discovery and hole
// punching. It carries packets between two peers that know each other by key; what the
// packets say (KCP, Roulette) is not its business.
//
//	 off  0     1            5                    21
//	Ask   C1 | nonce 8     | zeros up to 64 bytes
//	Token C2 | nonce 8     | token 16 | your address 16 + port 2
//	Init  C3 | conv 4      | token 16           | Noise IK message 1 (payload: first packets)
//	Reply C4 | conv 4      | Noise IK message 2 (payload: NAT 1 | grant 20)
//	Data  C5 | conv 4      | counter 4 | AEAD( channel 1 | packet )
//	Query  C6 | nonce 8    | token 16 | length 2 | question | zeros up to 1,400 bytes
//	Answer C7 | nonce 8    | token 16 | your address 18 | part 1 | parts 1 | answer
//
// Rules, in the order in which a datagram meets them:
//
//   - Nothing is allocated and never more bytes go out than came in before the
//     sender has shown a token for its own address: HMAC(secret, address, port,
//     epoch), good for one to two epochs of two minutes (security rows 16 to 18).
//   - A session is found by (address, conv). Only an Init with a valid token
//     makes one, within caps in total and per network group.
//   - Everything after the token is authenticated to the key the dialler was
//     told (Noise IK, a library's), so a forged, replayed or foreign datagram
//     changes nothing (row 19). Packets may be lost, doubled and reordered: the
//     counter is the nonce, a window refuses what was seen.
//   - A session ends with BYE, by idleness, or when its owner closes it.
//
// Why not kcp-go's own listener: it answers one spoofed 28-byte datagram with
// 64,000 times as many bytes, makes a session for any packet, never expires
// one, and lets one forged datagram close a live one.
package wire
