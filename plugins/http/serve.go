package http

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	nethttp "net/http"
	"strconv"
	"time"

	"golang.org/x/time/rate"

	"nt/chunker"
	"nt/transport"
)

// writeBlock is how many bytes are written, paced and timed at once.
const writeBlock = 32 << 10

// serve answers one peer's request (N8, N13, N15).
func (t *Transport) serve(w nethttp.ResponseWriter, r *nethttp.Request) {
	id, err := chunker.ParseObjectID(r.PathValue("id"))
	if err != nil {
		nethttp.Error(w, err.Error(), nethttp.StatusBadRequest)
		return
	}
	asked, err := askedSpan(r)
	if err != nil {
		nethttp.Error(w, err.Error(), nethttp.StatusBadRequest)
		return
	}
	leave, ok := t.gate.Enter(r.RemoteAddr)
	if !ok || t.ctx.Err() != nil {
		if ok {
			leave()
		}
		w.Header().Set("Retry-After", "1")
		nethttp.Error(w, "too many uploads", nethttp.StatusServiceUnavailable)
		return
	}
	defer leave()
	obj, err := t.source.Open(id)
	if err != nil {
		t.refuse(w, id, err)
		return
	}
	defer obj.Close()
	h, ok := obj.Header()
	if !ok {
		nethttp.Error(w, "no such object here", nethttp.StatusNotFound)
		return
	}
	t.reply(w, r, upload{obj: obj, header: h}, asked)
}

func askedSpan(r *nethttp.Request) (span, error) {
	q := r.URL.Query()
	if !q.Has(chunksKey) {
		return span{0, maxChunks}, nil
	}
	return parseSpan(q.Get(chunksKey))
}

func (t *Transport) refuse(w nethttp.ResponseWriter, id chunker.ObjectID, err error) {
	if errors.Is(err, transport.ErrNotFound) {
		nethttp.Error(w, "no such object here", nethttp.StatusNotFound)
		return
	}
	t.log.Warn("cannot open an object to serve it", "object", id, "err", err)
	nethttp.Error(w, "the object cannot be read", nethttp.StatusInternalServerError)
}

// reply writes the run of chunks that is held from the first one asked for on,
// or what is held instead.
func (t *Transport) reply(w nethttp.ResponseWriter, r *nethttp.Request, u upload, asked span) {
	have := u.obj.Have()
	run := heldRun(have, asked)
	if run.empty() && u.header.NumChunks() > 0 {
		w.Header().Set(headerHave, encodeHave(have, asked))
		nethttp.Error(w, "these chunks are not here", nethttp.StatusRequestedRangeNotSatisfiable)
		return
	}
	head := w.Header()
	head.Set("Content-Type", mediaType)
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Cache-Control", "no-store")
	head.Set("Content-Length", strconv.FormatInt(replySize(u.header, run), 10))
	if !run.empty() {
		head.Set(headerChunks, run.String())
	}
	if r.Method == nethttp.MethodHead {
		return
	}
	if err := t.transmit(w, r, u, run); err != nil {
		t.log.Debug("upload cut", "peer", r.RemoteAddr, "err", err)
		panic(nethttp.ErrAbortHandler) // N13: the right bytes, or connection closed
	}
}

// transmit sends the body, paced and with a deadline per block. Close cuts it off.
func (t *Transport) transmit(w nethttp.ResponseWriter, r *nethttp.Request, u upload, run span) error {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	rc := nethttp.NewResponseController(w)
	stop := context.AfterFunc(t.ctx, func() {
		cancel(errClosed)
		rc.SetWriteDeadline(time.Unix(1, 0)) // fails only for a connection that is gone
	})
	defer stop()
	out := &pacedWriter{ctx: ctx, w: w, rc: rc, limit: t.upload, timeout: t.opts.WriteTimeout}
	block := bufio.NewWriterSize(out, writeBlock)
	if err := u.send(block, run); err != nil {
		return err
	}
	if err := block.Flush(); err != nil {
		return err
	}
	if err := rc.Flush(); err != nil { // what the server itself holds back, while the deadline stands
		return err
	}
	return rc.SetWriteDeadline(time.Time{}) // the connection goes on to its next request
}

// upload is one object being served.
type upload struct {
	obj    transport.Object
	header chunker.Header
}

// send writes the reply's body for the chunks of run.
func (u upload) send(w io.Writer, run span) error {
	buf := u.header.AppendBinary(make([]byte, 0, u.header.ChunkSize()))
	if _, err := w.Write(buf); err != nil {
		return err
	}
	for i := run.first; i < run.end; i++ {
		if i == run.first || i%chunker.ChunksPerMeta == 0 {
			if err := u.sendProof(w, chunker.MetaOf(i)); err != nil {
				return err
			}
		}
		data, err := u.obj.ReadChunk(i, buf)
		if err != nil {
			return fmt.Errorf("reading chunk %d: %w", i, err)
		}
		if len(data) != u.header.ChunkLen(i) {
			return fmt.Errorf("chunk %d has %d bytes, want %d", i, len(data), u.header.ChunkLen(i))
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
		buf = data
	}
	return nil
}

func (u upload) sendProof(w io.Writer, m int) error {
	p, err := u.obj.MetaProof(m)
	if err != nil {
		return fmt.Errorf("proof of MetaChunk %d: %w", m, err)
	}
	b := p.AppendBinary(make([]byte, 0, u.header.MetaProofSize(m)))
	if len(b) != u.header.MetaProofSize(m) {
		return fmt.Errorf("proof of MetaChunk %d has %d bytes, want %d", m, len(b), u.header.MetaProofSize(m))
	}
	_, err = w.Write(b)
	return err
}

// pacedWriter writes at the upload rate and gives each block its own deadline,
// so that a reader who does not read holds its slot for that long only.
type pacedWriter struct {
	ctx     context.Context
	w       io.Writer
	rc      *nethttp.ResponseController
	limit   *rate.Limiter
	timeout time.Duration
}

func (p *pacedWriter) Write(b []byte) (n int, err error) {
	for len(b) > 0 && err == nil {
		var m int
		m, err = p.writeBlock(b[:min(len(b), writeBlock)])
		n, b = n+m, b[m:]
	}
	return n, err
}

func (p *pacedWriter) writeBlock(b []byte) (int, error) {
	if err := pace(p.ctx, p.limit, len(b)); err != nil {
		return 0, err
	}
	if err := p.rc.SetWriteDeadline(time.Now().Add(p.timeout)); err != nil {
		return 0, err
	}
	return p.w.Write(b)
}
