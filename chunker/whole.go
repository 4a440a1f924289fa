package chunker

import (
	"crypto/sha256"
	"hash"
)

// wholeHash hashes blocks in order. For all but small objects it does so in a
// goroutine of its own, with two buffers in turn.
type wholeHash struct {
	hash  hash.Hash
	block int // length of a buffer, bytes
	// nil for a small object:
	free chan []byte
	work chan []byte
	done chan struct{}
}

func newWholeHash(size int64) *wholeHash {
	w := &wholeHash{hash: sha256.New(), block: int(min(size, blockSize))}
	if size < besideSize {
		return w
	}
	w.free, w.work, w.done = make(chan []byte, 2), make(chan []byte, 2), make(chan struct{})
	w.free <- nil // made on first use: an object of one block needs only one
	w.free <- nil
	go func() {
		defer close(w.done)
		for b := range w.work {
			w.hash.Write(b)
			w.free <- b[:cap(b)]
		}
	}()
	return w
}

// buffer returns a buffer that nobody reads any more.
func (w *wholeHash) buffer() []byte {
	if w.free != nil {
		if b := <-w.free; b != nil {
			return b
		}
	}
	return make([]byte, w.block)
}

// write takes the next block; it is read until buffer returns it.
func (w *wholeHash) write(b []byte) {
	if w.work == nil {
		w.hash.Write(b)
		return
	}
	w.work <- b
}

// sum ends the goroutine and returns the hash.
func (w *wholeHash) sum() (out Hash) {
	if w.work != nil {
		close(w.work)
		<-w.done
	}
	w.hash.Sum(out[:0])
	return out
}
