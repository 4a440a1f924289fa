package peer

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
)

// fillReader is one reader's view of a fill. It is for one goroutine, but
// Close may be called from another.
type fillReader struct {
	f    *fill
	ctx  context.Context
	live *Live
	// Trailer is filled when Read returns io.EOF.
	trailer http.Header
	follow  io.ReadCloser // reads the spool; nil without one
	// Guarded by f.mu:
	off    int64
	closed bool
}

func (r *fillReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := r.read(p)
	f := r.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if n > 0 {
		f.count(r.live, r.off, int64(n))
		r.off += int64(n)
		f.changed()
	}
	if err == io.EOF {
		maps.Copy(r.trailer, f.trailer)
	}
	return n, err
}

// read copies from the tail, or says how much may be read from the spool.
func (r *fillReader) read(p []byte) (int, error) {
	f := r.f
	for {
		f.mu.Lock()
		wake, err := f.wake, f.err
		inSpool := f.spooled - r.off
		n := 0
		if inSpool <= 0 && r.off < f.avail {
			n = copy(p, f.tail[int64(len(f.tail))-(f.avail-r.off):])
		}
		closed := r.closed
		f.mu.Unlock()
		switch {
		case closed:
			return 0, fmt.Errorf("reading a closed body: %w", context.Canceled)
		case n > 0:
			return n, nil
		case inSpool > 0:
			return r.fromSpool(p[:min(int64(len(p)), inSpool)])
		case err != nil:
			return 0, err
		}
		select {
		case <-wake:
		case <-r.ctx.Done():
			return 0, context.Cause(r.ctx)
		}
	}
}

func (r *fillReader) fromSpool(p []byte) (int, error) {
	n, err := r.follow.Read(p)
	if err != nil && n == 0 {
		if err == io.EOF { // it holds p at least, so this is a fault
			err = io.ErrUnexpectedEOF
		}
		return 0, fmt.Errorf("reading back what was stored: %w", err)
	}
	return n, nil
}

// Close leaves the fill, which then ends unless somebody else reads it or it is
// nearly done.
func (r *fillReader) Close() error {
	f := r.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	delete(f.readers, r)
	f.unread()
	f.changed()
	if r.follow != nil {
		return r.follow.Close()
	}
	return nil
}
