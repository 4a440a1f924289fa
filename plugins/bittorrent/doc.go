// Package bittorrent owns the transport "bittorrent", the baseline: the
// anacrolix/torrent client between nodes of one swarm, with its peers from our
// locators, its storage behind our verified door, and everything else of it
// switched off. An ordinary BitTorrent client can join (see Torrent).
//
// It knows no URL of a web page, no locator and no store. It trusts no peer and
// not the BitTorrent client either: bytes count once the Sink has proved them.
//
// The info dictionary is a function of the content alone (info.go), but only
// of the whole content. Who has just the ObjectID asks a holder for the hint,
// over HTTP on the same TCP port:
//
//	GET /nt/v1/hints/bittorrent/{ObjectID}?proofs=M       (proofs absent: none)
//
//	200  Content-Type: application/vnd.nt.bittorrent-hint
//	     ETag: "infohash"      If-None-Match saves the body of a hint that is known
//	     NT-Proofs: M-E        the proofs that follow; absent: none
//	     Content-Length: ...   follows from the header and NT-Proofs; both sides compute it
//	     body   | header, 77 bytes | SHA-1 of each piece | proof of MetaChunk M | ... | proof of E-1 |
//	304  the infohash is one of If-None-Match
//	404  the whole object is not here, nor is the hint     503  ask again: it is being computed
//
// Asking also makes the holder ready for the swarm: it accepts BitTorrent
// handshakes for objects whose hint was asked for lately, and for no other.
// BitTorrent comes to the node's TCP port and is told from HTTP by its first bytes.
//
// The header is proved by the ObjectID and the proofs by the header. The pieces'
// SHA-1 hashes are an untrusted hint: the worst that wrong ones can do is to
// name a swarm in which only the liar is. So a Fetch joins the swarms of several
// hints at once if it was told several, all filling one Sink, and whoever sends
// a chunk that the Sink refuses is named and left. SHA-1 decides nothing here.
package bittorrent
