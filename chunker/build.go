package chunker

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// ErrSize reports that a reader held fewer or more bytes than it was said to.
var ErrSize = errors.New("chunker: the content has another size than announced")

// blockSize is how much is read and handed to the two hashers at a time: a
// multiple of every chunk size, and few enough that two blocks stay in cache.
const blockSize = 4 * MaxChunkSize

// Build cuts exactly size bytes of r and returns the complete tree; its header
// carries the ObjectID. It wraps ErrSize when r ends early or has more. Memory:
// 34 bytes a chunk and two blocks.
//
// The whole-object hash runs beside the leaf hashes in a goroutine of its own:
// both read every byte, and one after the other would halve the speed.
func Build(r io.Reader, size int64) (*Tree, error) {
	if size < 0 || size > MaxObjectSize {
		return nil, fmt.Errorf("%w: %d bytes cannot be an object", ErrSize, size)
	}
	h := Header{Size: size}
	leaves := make([]Hash, 0, h.NumChunks())
	whole := startWholeHash()
	leaf := sha256.New()
	for left := size; left > 0; {
		block := whole.buffer()[:min(left, blockSize)]
		if _, err := io.ReadFull(r, block); err != nil {
			whole.sum()
			if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
				return nil, fmt.Errorf("%w: it ended before %d bytes", ErrSize, size)
			}
			return nil, fmt.Errorf("reading the content: %w", err)
		}
		left -= int64(len(block))
		whole.write(block)
		for b := block; len(b) > 0; {
			n := min(h.ChunkSize(), len(b))
			leaves = append(leaves, leafHash(leaf, b[:n]))
			b = b[n:]
		}
	}
	h.SHA256 = whole.sum()
	if n, err := r.Read(make([]byte, 1)); n > 0 {
		return nil, fmt.Errorf("%w: it goes on after %d bytes", ErrSize, size)
	} else if err != nil && err != io.EOF {
		return nil, fmt.Errorf("reading the content: %w", err)
	}
	return treeFromLeaves(h, leaves), nil
}

// wholeHash hashes blocks in order in its own goroutine, two buffers in turn.
type wholeHash struct {
	free chan []byte
	work chan []byte
	done chan Hash
}

func startWholeHash() *wholeHash {
	w := &wholeHash{free: make(chan []byte, 2), work: make(chan []byte, 2), done: make(chan Hash, 1)}
	w.free <- nil // made on first use: a small object needs only one
	w.free <- nil
	go func() {
		h := sha256.New()
		for b := range w.work {
			h.Write(b)
			w.free <- b[:cap(b)]
		}
		var out Hash
		h.Sum(out[:0])
		w.done <- out
	}()
	return w
}

func (w *wholeHash) buffer() []byte {
	if b := <-w.free; b != nil {
		return b
	}
	return make([]byte, blockSize)
}

func (w *wholeHash) write(b []byte) { w.work <- b }

func (w *wholeHash) sum() Hash {
	close(w.work)
	return <-w.done
}
