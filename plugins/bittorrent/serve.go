package bittorrent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"nt/chunker"
	"nt/transport"
)

// writeBlock is how many bytes of a hint are written and timed at once.
const writeBlock = 32 << 10

// serveHint answers a peer that wants to join an object's swarm.
func (t *Transport) serveHint(w http.ResponseWriter, r *http.Request) {
	id, err := chunker.ParseObjectID(r.PathValue("id"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	from := -1
	if q := r.URL.Query(); q.Has(proofsKey) {
		var ok bool
		if from, ok = parseMeta(q.Get(proofsKey)); !ok {
			http.Error(w, "proofs must be the number of a MetaChunk", http.StatusBadRequest)
			return
		}
	}
	leave, ok := t.gate.Enter(r.RemoteAddr)
	if !ok {
		askAgain(w, "too many requests")
		return
	}
	defer leave()
	obj, err := t.env.Source.Open(id)
	if err != nil {
		t.refuse(w, id, err)
		return
	}
	defer obj.Close()
	nt, err := t.hintOf(r.Context(), id)
	if err != nil {
		t.refuse(w, id, err)
		return
	}
	t.reply(w, r, obj, nt, from)
}

// hintOf returns the hint of an object: of a Fetch that runs, or computed.
func (t *Transport) hintOf(ctx context.Context, id chunker.ObjectID) (*hint, error) {
	if nt, ok := t.rooms.hintOf(id); ok {
		return nt, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, t.opts.HintWait, errBusy)
	defer cancel()
	return t.hints.get(ctx, id)
}

func askAgain(w http.ResponseWriter, why string) {
	w.Header().Set("Retry-After", "1")
	http.Error(w, why, http.StatusServiceUnavailable)
}

func (t *Transport) refuse(w http.ResponseWriter, id chunker.ObjectID, err error) {
	switch {
	case errors.Is(err, transport.ErrNotFound), errors.Is(err, errNotWhole):
		http.Error(w, "the whole object is not here", http.StatusNotFound)
	case errors.Is(err, errBusy), errors.Is(err, errClosed), errors.Is(err, context.Canceled):
		askAgain(w, "the hint is being computed")
	default:
		t.log.Warn("cannot read an object to compute its hint", "object", id, "err", err)
		http.Error(w, "the object cannot be read", http.StatusInternalServerError)
	}
}

// reply writes the hint and the proofs from MetaChunk from on, as far as they are
// known; from -1 on: none.
func (t *Transport) reply(w http.ResponseWriter, r *http.Request, obj transport.Object, nt *hint, from int) {
	head := w.Header()
	head.Set("ETag", nt.infohash.etag())
	head.Set("Cache-Control", "no-store")
	if knows(r, nt.infohash) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h := nt.header
	proofs := knownProofs(obj, h, from)
	head.Set("Content-Type", mediaType)
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Content-Length", strconv.FormatInt(docSize(h, proofs), 10))
	if !proofs.empty() {
		head.Set(headerProofs, proofs.String())
	}
	if r.Method == http.MethodHead {
		return
	}
	if err := t.transmit(w, obj, nt, proofs); err != nil {
		t.log.Debug("hint cut", "peer", r.RemoteAddr, "err", err)
		panic(http.ErrAbortHandler) // N13: the right bytes, or connection closed
	}
}

// knownProofs returns the unbroken run of proofs that are there from first on.
func knownProofs(obj transport.Object, h chunker.Header, first int) span {
	if first < 0 {
		return span{}
	}
	end := first
	for end < h.NumMetaChunks() {
		if _, err := obj.MetaProof(end); err != nil {
			break
		}
		end++
	}
	return span{first, end}
}

// transmit writes the body with a deadline per block. Close cuts it off.
func (t *Transport) transmit(w http.ResponseWriter, obj transport.Object, nt *hint, proofs span) error {
	h := nt.header
	rc := http.NewResponseController(w)
	stop := context.AfterFunc(t.ctx, func() { rc.SetWriteDeadline(time.Unix(1, 0)) }) // fails only for a connection that is gone
	defer stop()
	out := bufio.NewWriterSize(&timedWriter{w: w, rc: rc, timeout: t.opts.WriteTimeout}, writeBlock)
	buf := append(h.AppendBinary(nil), nt.pieces...)
	if _, err := out.Write(buf); err != nil {
		return err
	}
	for m := proofs.first; m < proofs.end; m++ {
		p, err := obj.MetaProof(m)
		if err != nil {
			return fmt.Errorf("proof of MetaChunk %d: %w", m, err)
		}
		if buf = p.AppendBinary(buf[:0]); len(buf) != h.MetaProofSize(m) {
			return fmt.Errorf("proof of MetaChunk %d has %d bytes, want %d", m, len(buf), h.MetaProofSize(m))
		}
		if _, err := out.Write(buf); err != nil {
			return err
		}
	}
	if err := errors.Join(out.Flush(), rc.Flush()); err != nil {
		return err
	}
	return rc.SetWriteDeadline(time.Time{}) // the connection goes on to its next request
}

// timedWriter gives each block its own deadline, so that a reader who does not
// read holds its place for that long only.
type timedWriter struct {
	w       io.Writer
	rc      *http.ResponseController
	timeout time.Duration
}

func (t *timedWriter) Write(b []byte) (int, error) {
	if err := t.rc.SetWriteDeadline(time.Now().Add(t.timeout)); err != nil {
		return 0, err
	}
	return t.w.Write(b)
}
