// Package disk keeps objects in a directory that several processes may share.
// It owns the layout, the locks, the byte budget and what survives a crash.
//
//	DIR/                      0700
//	  lock                    held while objects are made, opened, committed or evicted
//	  objects/ab/ID/          ab: the first two digits of ID; a shared lock on it
//	                          means that somebody reads or fills the object
//	    header                chunker.Header; its mtime is when the object was last used
//	    data                  sparse; chunk i at its offset, written after it was proved
//	    proofs                record m: the MetaProof of MetaChunk m, all records equally long
//	    done                  empty; every chunk and proof was there and on the disk
//	  tmp/spool-*/            a spool, under an exclusive lock of its writer;
//	                          Commit renames it into objects
//	  tmp/trash-*/            evicted, about to be deleted
//
// There is no journal of which chunks are there. A partial object is hashed when
// it is opened, chunk by chunk; a finished one counts as whole, and like any
// other is hashed on every read. So a kill at any moment loses at most work, a
// torn write is a chunk that is not there, and two processes may fill one object
// at once: they write the same proved bytes to the same places.
//
// Why proofs are whole records and not the tree's levels: a record is one write
// and is proved by the header alone, so damage to it costs one MetaChunk and not
// a subtree. It takes at most twice the room, under 0.2 % of a large object. Why
// done has no temporary file: it is empty, creating it is atomic. Only a complete
// object is synced (data, proofs, header, then done): what a partial one loses with
// the power is found missing, and a sync for every object begun would cost more than it saves.
//
// The locks are flock(2), which the kernel drops with the process. Elsewhere
// (Windows) the package compiles, but locks nothing and is not tested.
package disk
