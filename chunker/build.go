package chunker

import (
	"errors"
	"fmt"
	"io"
)

// ErrSize reports that a reader held fewer or more bytes than it was said to.
var ErrSize = errors.New("chunker: the content has another size than announced")

const (
	// blockSize is how much is read and handed to the two hashers at a time: a
	// multiple of every chunk size, and few enough that two blocks stay in cache.
	blockSize = 4 * MaxChunkSize
	// besideSize is the size from which a goroutine for the whole-object hash pays.
	besideSize = 16 << 10
	// leavesAhead is for how many leaves room is made before a byte was read: the
	// announced size is not believed further.
	leavesAhead = SmallObjectChunks
)

// Build cuts exactly size bytes of r and returns the complete tree; its header
// carries the ObjectID. It wraps ErrSize when r ends early or has more. Memory:
// 34 bytes a chunk and two blocks, or just the object if it is smaller.
//
// The whole-object hash runs beside the leaf hashes in a goroutine of its own
// unless the object is small: both read every byte, and one after the other
// would halve the speed.
func Build(r io.Reader, size int64) (*Tree, error) {
	if size < 0 || size > MaxObjectSize {
		return nil, fmt.Errorf("%w: %d bytes cannot be an object", ErrSize, size)
	}
	h := Header{Size: size}
	leaves := make([]Hash, 0, min(h.NumChunks(), leavesAhead))
	leaf := newLeafHasher()
	var err error
	h.SHA256, err = hashBlocks(r, size, func(block []byte) {
		for len(block) > 0 {
			n := min(h.ChunkSize(), len(block))
			leaves = append(leaves, leaf.sum(block[:n]))
			block = block[n:]
		}
	})
	if err != nil {
		return nil, err
	}
	return treeFromLeaves(h, leaves), nil
}

// VerifyWhole reads r to its end and checks that it is the whole object, by the
// plain SHA-256 in the header (F24). It wraps ErrSize or ErrBadHeader: content
// that was checked chunk by chunk can only differ if whoever made the header
// wrote a hash into it that is not the content's.
func (h Header) VerifyWhole(r io.Reader) error {
	got, err := hashBlocks(r, h.Size, func([]byte) {})
	if err == nil && got != h.SHA256 {
		return fmt.Errorf("%w: the content's SHA-256 is %s, not %s", ErrBadHeader, got, h.SHA256)
	}
	return err
}

// hashBlocks reads exactly size bytes, shows them to see block by block (all
// but the last are blockSize long), and returns their SHA-256.
func hashBlocks(r io.Reader, size int64, see func(block []byte)) (Hash, error) {
	whole := newWholeHash(size)
	for left := size; left > 0; {
		block := whole.buffer()[:min(left, blockSize)]
		if _, err := io.ReadFull(r, block); err != nil {
			whole.sum()
			if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
				return Hash{}, fmt.Errorf("%w: it ended before %d bytes", ErrSize, size)
			}
			return Hash{}, fmt.Errorf("reading the content: %w", err)
		}
		left -= int64(len(block))
		whole.write(block)
		see(block)
	}
	sum := whole.sum()
	switch _, err := io.ReadFull(r, make([]byte, 1)); {
	case err == nil:
		return Hash{}, fmt.Errorf("%w: it goes on after %d bytes", ErrSize, size)
	case err != io.EOF:
		return Hash{}, fmt.Errorf("reading the content: %w", err)
	}
	return sum, nil
}
