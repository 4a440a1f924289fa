package store

import (
	"context"
	"errors"
	"fmt"
	"io"

	"nt/chunker"
)

// Reader streams an object in order from any offset, and waits for chunks that
// are not there yet. Every byte it delivers was checked on that read. It is for
// one goroutine. It does not close the object.
//
// After an error that wraps ErrCorrupt the Reader stands before the damaged
// chunk, which the store has dropped: reading on waits until it was fetched again.
type Reader struct {
	ctx    context.Context
	obj    Object
	read   func(i int, buf []byte) ([]byte, error) // one chunk or a few
	header chunker.Header
	begun  bool // header is valid
	off    int64
	start  int64 // where buf stands in the object
	buf    []byte
	closed bool
}

// NewReader returns a reader of obj from offset on, which must not be negative.
// Reading ends with the cause of ctx when that ends. An object whose header is
// not known yet is waited for.
func NewReader(ctx context.Context, obj Object, offset int64) *Reader {
	r := &Reader{ctx: ctx, obj: obj, read: obj.ReadChunk, off: max(offset, 0)}
	if runs, ok := obj.(RunReader); ok {
		r.read = runs.ReadRun
	}
	return r
}

// Read waits until there is at least one byte and returns at most what was
// read ahead of its chunks, 64 KiB.
func (r *Reader) Read(p []byte) (int, error) {
	b, err := r.next()
	if err != nil || len(p) == 0 {
		return 0, err
	}
	n := copy(p, b)
	r.off += int64(n)
	return n, nil
}

// WriteTo writes everything from here to the end.
func (r *Reader) WriteTo(w io.Writer) (n int64, err error) {
	for {
		b, err := r.next()
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		m, err := w.Write(b)
		n, r.off = n+int64(m), r.off+int64(m)
		if err != nil {
			return n, err
		}
	}
}

// next returns the rest of the chunk at the offset.
func (r *Reader) next() ([]byte, error) {
	if r.closed {
		return nil, ErrClosed
	}
	if err := r.awaitHeader(); err != nil {
		return nil, err
	}
	if r.off >= r.header.Size {
		return nil, io.EOF
	}
	if r.off < r.start || r.off >= r.start+int64(len(r.buf)) {
		if err := r.load(int(r.off / int64(r.header.ChunkSize()))); err != nil {
			return nil, err
		}
	}
	return r.buf[r.off-r.start:], nil
}

func (r *Reader) load(i int) error {
	r.buf = r.buf[:0]
	if err := r.obj.Wait(r.ctx, i); err != nil {
		return fmt.Errorf("waiting for chunk %d of %s: %w", i, r.obj.ID(), err)
	}
	buf, err := r.read(i, r.buf)
	if err != nil {
		return err
	}
	r.buf, r.start = buf, r.header.ChunkOffset(i)
	return nil
}

func (r *Reader) awaitHeader() error {
	for !r.begun {
		changed := r.obj.Changed()
		if r.header, r.begun = r.obj.Header(); r.begun {
			break
		}
		select {
		case <-changed:
		case <-r.ctx.Done():
			return fmt.Errorf("waiting for the header of %s: %w", r.obj.ID(), context.Cause(r.ctx))
		}
	}
	return nil
}

// Seek moves the offset; io.SeekEnd waits for the header.
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += r.off
	case io.SeekEnd:
		if err := r.awaitHeader(); err != nil {
			return r.off, err
		}
		offset += r.header.Size
	default:
		return r.off, fmt.Errorf("seeking from %d: unknown origin", whence)
	}
	if offset < 0 {
		return r.off, errors.New("seeking before the start of the object")
	}
	r.off = offset
	return offset, nil
}

// Close ends the reader; the object stays open.
func (r *Reader) Close() error {
	r.closed = true
	r.buf = nil
	return nil
}
