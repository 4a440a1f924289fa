// Package bep owns the tracker's BitTorrent front doors: UDP (BEP 15) and HTTP (BEP
// 3, 7, 23, 48), for announcements and scrapes of torrents. It knows the
// TorrentStore seam and nothing of URLs, statements or sockets.
//
// UDP, integers big-endian:
//
//	connect   in  0x41727101980 (8) | action 0 (4) | transaction (4)          16 bytes
//	          out action 0 | transaction | connection id (8)                   16 bytes
//	announce  in  connection id | action 1 | transaction | infohash (20) | peer id (20) | downloaded (8) | left (8) |
//	              uploaded (8) | event (4) | IP (4, not used) | key (4) | peers wanted (4) | port (2)   98 bytes
//	          out action 1 | transaction | interval (4) | leechers (4) | seeders (4) | 6 or 18 bytes a peer
//	scrape    in  connection id | action 2 | transaction | infohashes
//	          out action 2 | transaction | seeders, completed, leechers (4 each) an infohash
//	error     out action 3 | transaction | text
//
// Before a connection id has come back from an address nothing is kept for it
// and no more bytes go to it than came (security row 16). A connection id never
// begins with a byte of 0x80 or more: those belong to other protocols on the same socket.
package bep
