// Package chunker owns content identity: how an object is cut into chunks, the
// hash tree over them, the FileMetaData (FMD) that names the object, and the
// proofs that let a reader check one chunk, or one MetaChunk, on its own.
//
// It knows nothing of disks, networks, URLs or clocks: bytes in, hashes out.
//
//	object bytes   |chunk 0|chunk 1| ... |chunk 15|chunk 16| ... |last|
//	leaf hashes      L0      L1           L15       L16             Ln-1     L = SHA-256(0x00 || chunk)
//	MetaChunk hash  `-------- M0 ---------´`------- M1 ------ ...           level 4 of the tree
//	root                     ... N = SHA-256(0x01 || left || right) ...     RFC 6962 shape
//	header         version | size | chunk size | root | SHA-256 of the whole object
//	ObjectID       SHA-256(header)
//
// Why per-chunk hashes and not the one hash per 16 chunks of the 2006 paper
// (F23): with random neighbours 30 % poisoners make that layout fetch hundreds
// of times the object; a chunk that is proved before it is stored or forwarded
// costs the poisoner one chunk and its place.
package chunker
