// Package cache owns what a node remembers of the responses it holds copies of:
// URL and variant -> status, kept header fields, object, who saw it and when.
// The bytes themselves are the store's.
//
//	DIR/responses/ab/abcdef...-VARIANT.json    one file per entry: KEY, then the Content-Encoding
//
// The directory is the index, every file is written whole and renamed into
// place, and every file is checked like a stranger's message when it is read,
// so that several processes may share a directory and a damaged file costs one
// entry. It knows no store, no network and no clock.
package cache
