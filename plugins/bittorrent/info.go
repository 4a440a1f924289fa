package bittorrent

import (
	"crypto/sha1"
	"fmt"
	"hash"
	"io"

	"nt/chunker"
)

// Specification constants: changing one changes every infohash.
const (
	// minPieceLength is the shortest piece, in bytes: the size that served
	// small objects best. It is a multiple of their chunk size.
	minPieceLength = 4 << 10
	// maxPieces is how many pieces an object may have before the piece length doubles.
	maxPieces = 4096
)

// blockSize is how much is asked for at a time in general, in bytes: what every
// BitTorrent client accepts.
const blockSize = 16 << 10

// infohash names a swarm: the SHA-1 of the info dictionary.
type infohash [sha1.Size]byte

// String returns the infohash in lower-case hexadecimal.
func (ih infohash) String() string { return fmt.Sprintf("%x", ih[:]) }

// pieceLength returns the piece length of an object of that size, in bytes: 4 KiB
// while that gives at most 4,096 pieces, doubling. It is a multiple of the chunk
// size, so that a chunk is never in two pieces.
func pieceLength(size int64) int64 {
	pl := int64(minPieceLength)
	for size > pl*maxPieces {
		pl *= 2
	}
	return pl
}

// numPieces returns how many pieces an object of that size has.
func numPieces(size int64) int {
	pl := pieceLength(size)
	return int((size + pl - 1) / pl)
}

// requestSize returns how much of an object is asked for at a time: whole
// chunks, so that one peer answers for each.
func requestSize(h chunker.Header) int64 {
	return min(max(blockSize, int64(h.ChunkSize())), pieceLength(h.Size))
}

// hint is what a reader must be told to join an object's swarm.
type hint struct {
	id       chunker.ObjectID
	header   chunker.Header
	pieces   []byte // SHA-1 of each piece, one after the other
	infohash infohash
}

func newHint(id chunker.ObjectID, h chunker.Header, pieces []byte) *hint {
	nt := &hint{id: id, header: h, pieces: pieces}
	nt.infohash = sha1.Sum(nt.info())
	return nt
}

// info returns the info dictionary (BEP 3): one file, named by its ObjectID. It is
// private (BEP 27), so that no client tells strangers about the object: by DHT,
// peer exchange or local discovery.
func (nt *hint) info() []byte {
	b := fmt.Appendf(nil, "d6:lengthi%de4:name%d:%s12:piece lengthi%de6:pieces%d:",
		nt.header.Size, 2*chunker.HashSize, nt.id, pieceLength(nt.header.Size), len(nt.pieces))
	b = append(b, nt.pieces...)
	return append(b, "7:privatei1ee"...)
}

// Torrent returns a .torrent file, by which ordinary clients join the swarm of
// an object: made of a holder's hint (see the package comment; proofs are not
// needed) and the URL of a BitTorrent tracker. The header is checked against id,
// the pieces' hashes are the holder's word.
func Torrent(r io.Reader, id chunker.ObjectID, announce string) ([]byte, error) {
	var b [chunker.HeaderSize]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return nil, fmt.Errorf("reading the hint: %w", err)
	}
	h, err := chunker.ParseHeaderFor(id, b[:])
	if err != nil {
		return nil, err
	}
	pieces := make([]byte, numPieces(h.Size)*len(infohash{}))
	if _, err := io.ReadFull(r, pieces); err != nil {
		return nil, fmt.Errorf("reading the hint: %w", err)
	}
	file := fmt.Appendf(nil, "d8:announce%d:%s4:info", len(announce), announce)
	file = append(file, newHint(id, h, pieces).info()...)
	return append(file, 'e'), nil
}

// pieceHasher computes the pieces' hashes of an object whose chunks are given in order.
type pieceHasher struct {
	length int64 // of a piece, in bytes
	filled int64 // bytes of the piece at hand
	sha1   hash.Hash
	pieces []byte
}

func newPieceHasher(size int64) *pieceHasher {
	return &pieceHasher{length: pieceLength(size), sha1: sha1.New(), pieces: make([]byte, 0, numPieces(size)*sha1.Size)}
}

// chunk takes the next chunk, which is never in two pieces.
func (p *pieceHasher) chunk(data []byte) {
	p.sha1.Write(data)
	if p.filled += int64(len(data)); p.filled >= p.length {
		p.cut()
	}
}

func (p *pieceHasher) cut() {
	p.pieces = p.sha1.Sum(p.pieces)
	p.sha1.Reset()
	p.filled = 0
}

// sum returns the hashes of all pieces.
func (p *pieceHasher) sum() []byte {
	if p.filled > 0 {
		p.cut()
	}
	return p.pieces
}
