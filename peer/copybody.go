package peer

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"

	"nt/chunker/store"
	"nt/transport"
)

const (
	// A gzip body may grow to this many times its size, and this many bytes more,
	// when it is decoded for a reader who cannot (security row 41).
	maxDecodeRatio = 100
	maxDecodeExtra = 1 << 20
)

// errBomb reports a copy that grows suspiciously when decoded.
var errBomb = errors.New("the copy decodes to more than it plausibly holds")

// open returns a reader of the copy from off on. It does not close the copy.
func (c *found) open(ctx context.Context, off int64) *copyReader {
	ctx, cancel := context.WithCancelCause(ctx)
	r := &copyReader{c: c, ctx: ctx, cancel: cancel, off: off}
	r.watch(c.fetch)
	r.r = store.NewReader(ctx, c.obj, off)
	return r
}

// copyReader reads a copy in order; bytes that turn out damaged on disk are
// fetched from peers again, once.
type copyReader struct {
	c        *found
	ctx      context.Context
	cancel   context.CancelCauseFunc
	off      int64
	r        *store.Reader
	unwatch  func() bool
	repaired *fetch
}

// watch ends the reader's waiting when the fetch it waits for has failed.
func (r *copyReader) watch(f *fetch) {
	if f != nil {
		r.unwatch = context.AfterFunc(f.failed, func() { r.cancel(context.Cause(f.failed)) })
	}
}

func (r *copyReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && err != io.EOF && n == 0 && r.repair(err) {
		n, err = r.r.Read(p)
	}
	r.off += int64(n)
	return n, err
}

// repair asks peers for an object whose bytes were damaged or have gone.
func (r *copyReader) repair(err error) bool {
	c := r.c
	damaged := errors.Is(err, store.ErrCorrupt) || errors.Is(err, transport.ErrNotFound)
	if !damaged || c.fetch != nil || r.repaired != nil || c.p.own || c.p.req.NoPeers || c.n.cfg.Locator == nil {
		return false
	}
	f, ferr := c.n.refetch(r.ctx, c)
	if ferr != nil {
		return false
	}
	r.repaired = f
	r.watch(f)
	return true
}

func (r *copyReader) Close() error {
	if r.unwatch != nil {
		r.unwatch()
	}
	if r.repaired != nil {
		r.repaired.leave()
	}
	r.cancel(nil)
	return r.r.Close()
}

// copyBody is the body of a response from a copy.
type copyBody struct {
	r    *copyReader
	c    *found
	left int64
	live *Live
}

func (b *copyBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	own := b.c.fetch.split(b.r.off-int64(n), int64(n))
	b.live.add(SourceOrigin, int(own))
	b.live.add(b.c.source, n-int(own))
	if err != nil && b.left > 0 {
		return n, fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err)
	}
	return n, nil
}

func (b *copyBody) Close() error {
	err := b.r.Close()
	b.c.close()
	return err
}

// gunzipBody decodes a copy for a reader who does not take gzip.
type gunzipBody struct {
	src  io.ReadCloser
	gz   *gzip.Reader // made at the first Read, which may have to wait for peers
	left int64
}

func newGunzipBody(src io.ReadCloser, size int64) *gunzipBody {
	return &gunzipBody{src: src, left: size*maxDecodeRatio + maxDecodeExtra}
}

func (b *gunzipBody) Read(p []byte) (n int, err error) {
	if b.gz == nil {
		if b.gz, err = gzip.NewReader(b.src); err != nil {
			return 0, fmt.Errorf("%w: decoding the copy: %w", io.ErrUnexpectedEOF, err)
		}
	}
	n, err = b.gz.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, errBomb)
	}
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%w: decoding the copy: %w", io.ErrUnexpectedEOF, err)
	}
	return n, err
}

func (b *gunzipBody) Close() error { return b.src.Close() }
