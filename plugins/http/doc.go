// Package http owns the transport "http": peers serve chunks and proofs over
// plain HTTP from their verified store, and a reader asks the peers of the list
// one after another (N11), going on with the next where one breaks off.
//
// It knows no URL of a web page, no locator and no store: objects by their
// ObjectID, peers by their address. It trusts neither: bytes count once the
// Sink has proved them.
//
//	GET /nt/v1/objects/{ObjectID}?chunks=A-B     (or A-: as far as you can; absent: 0-)
//
//	200  Content-Type: application/vnd.nt.chunks
//	     NT-Chunks: A-C        what is sent: the unbroken run from A the holder has, C <= B
//	     Content-Length: ...   follows from the header and the run; both sides compute it
//	     body   | header, 77 bytes | proof of MetaChunk m | its chunks in the run | proof of m+1 | ...
//	416  NT-Have: base64(...)  A is not here; these (at most 8) intervals at or after A are
//	404  the object is not here      503  too many uploads at the moment
//
// The empty object's reply is its header alone, without NT-Chunks. No length on
// the wire is ever believed: every one follows from the header, whose SHA-256
// is the ObjectID. A holder that finds its own chunk damaged cuts the
// connection (N13: bytes, or connection closed).
package http
