package bittorrent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"nt/chunker"
	"nt/transport"
)

const (
	// maxHeaderBytes bounds the headers of a reply; those of ours take 300 bytes.
	maxHeaderBytes = 16 << 10
	// connIdle is how long a connection to a peer is kept for its next hint.
	connIdle = 10 * time.Second
	// proofsAhead is after how many proofs the client may ask for more pieces.
	proofsAhead = 64
)

var errFirstByte = errors.New("no answer in time")

// peerFault is a failure that is the peer's: bad if it delivered wrong bytes or
// broke the protocol, else dead.
type peerFault struct {
	bad bool
	err error
}

func (e *peerFault) Error() string { return e.err.Error() }
func (e *peerFault) Unwrap() error { return e.err }

func badPeer(format string, args ...any) error {
	return &peerFault{bad: true, err: fmt.Errorf(format, args...)}
}

func deadPeer(format string, args ...any) error {
	return &peerFault{err: fmt.Errorf(format, args...)}
}

// newClient returns a client that takes a peer's reply as it comes: no
// proxy, no redirect, no decompression (a bomb needs one), HTTP/1.1 only.
func newClient(env transport.Env) *http.Client {
	var h1 http.Protocols
	h1.SetHTTP1(true)
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            env.Dial,
			Protocols:              &h1,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxHeaderBytes,
			MaxIdleConnsPerHost:    1,
			MaxIdleConns:           32,
			IdleConnTimeout:        connIdle,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// visit asks a peer for its hint and joins it. The proofs come along with the
// first hint.
type visit struct {
	f    *fetch
	l    *link
	from int // the first proof asked for; -1: none
	size int // bytes of the body so far
}

// run asks and tells how it ended.
func (v *visit) run(ctx context.Context) {
	if v.f.proving.TryLock() {
		defer v.f.proving.Unlock()
		v.from = v.f.firstProof()
	}
	err := v.ask(ctx)
	v.f.overhead(v.l, v.size)
	var fault *peerFault
	switch {
	case err == nil || ctx.Err() != nil:
	case !errors.As(err, &fault):
		v.f.fail(fmt.Errorf("storing %s: %w", v.f.req.Object, err))
	case fault.bad:
		v.f.blame(v.l, fault.err)
	default:
		if errors.Is(fault, errFirstByte) {
			v.l.inVain(v.f.count())
		}
		v.f.dead(v.l, fault.err)
	}
}

func (v *visit) ask(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil) // closes the connection unless the reply was read to its end
	patience := time.AfterFunc(v.f.t.opts.FirstByteTimeout, func() { cancel(errFirstByte) })
	resp, err := v.f.t.client.Do(v.request(ctx))
	patience.Stop()
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return deadPeer("asking for its hint: %w", err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		stall := time.AfterFunc(v.f.t.opts.StallTimeout, func() { cancel(errStalled) })
		defer stall.Stop()
		return v.take(ctx, resp, stall)
	case http.StatusNotModified:
		if ih, ok := parseETag(resp.Header.Get("ETag")); ok && v.f.joinKnown(v.l, ih) {
			return nil
		}
		return badPeer("it says that a hint is known which is not")
	default:
		return deadPeer("it answered %d to the request for its hint", resp.StatusCode)
	}
}

func (v *visit) request(ctx context.Context) *http.Request {
	u := &url.URL{Scheme: "http", Host: v.l.String(), Path: hintPath + v.f.req.Object.String()}
	head := http.Header{"User-Agent": {"nt"}}
	if v.from >= 0 {
		u.RawQuery = proofsKey + "=" + strconv.Itoa(v.from)
	} else if tags := v.f.etags(); len(tags) > 0 {
		head.Set("If-None-Match", strings.Join(tags, ", "))
	}
	r := &http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: head}
	return r.WithContext(ctx)
}

// take reads the hint. Every part is proved, or of no weight, before the next is read.
func (v *visit) take(ctx context.Context, resp *http.Response, stall *time.Timer) error {
	if got := resp.Header.Get("Content-Type"); got != mediaType {
		return badPeer("it sent %.40q instead of %s", got, mediaType)
	}
	if enc := resp.Header.Get("Content-Encoding"); enc != "" {
		return badPeer("it sent the content encoding %.40q, which nobody asked for", enc)
	}
	body := func(n int) ([]byte, error) {
		b := make([]byte, n)
		got, err := io.ReadFull(resp.Body, b)
		v.size += got
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return nil, deadPeer("its hint broke off: %w", err)
		}
		stall.Reset(v.f.t.opts.StallTimeout)
		return b, pace(ctx, v.f.limit, n)
	}
	b, err := body(chunker.HeaderSize)
	if err != nil {
		return err
	}
	h, err := chunker.ParseHeaderFor(v.f.req.Object, b)
	if err != nil {
		return badPeer("%w", err)
	}
	proofs, err := v.fits(h, resp)
	if err != nil {
		return err
	}
	if err := v.f.req.Sink.Begin(h); err != nil {
		return err
	}
	if h.Size == 0 {
		v.f.rouse()
		return nil
	}
	pieces, err := body(numPieces(h.Size) * len(infohash{}))
	if err != nil {
		return err
	}
	if err := v.f.join(v.l, newHint(v.f.req.Object, h, pieces)); err != nil {
		return err
	}
	return v.proofs(h, proofs, body)
}

// fits checks what the peer says it sends against what was asked for and the
// object's geometry.
func (v *visit) fits(h chunker.Header, resp *http.Response) (span, error) {
	proofs, err := parseSpan(resp.Header.Get(headerProofs), h)
	if err != nil {
		return span{}, badPeer("header %s: %w", headerProofs, err)
	}
	if !proofs.empty() && proofs.first != v.from {
		return span{}, badPeer("it sent the proofs %s, which nobody asked for", proofs)
	}
	if want := docSize(h, proofs); resp.ContentLength >= 0 && resp.ContentLength != want {
		return span{}, badPeer("its hint has %d bytes instead of %d", resp.ContentLength, want)
	}
	return proofs, nil
}

// proofs takes the proofs in, and lets the client ask for what they cover.
func (v *visit) proofs(h chunker.Header, s span, body func(int) ([]byte, error)) error {
	defer v.f.allow()
	if v.from >= 0 && v.from < h.NumMetaChunks() && s.empty() {
		return deadPeer("it has no proofs from %d on", v.from)
	}
	for m := s.first; m < s.end; m++ {
		b, err := body(h.MetaProofSize(m))
		if err != nil {
			return err
		}
		p, err := h.ParseMetaProof(m, b)
		if err != nil {
			return badPeer("%w", err)
		}
		if err := v.f.req.Sink.AddProof(m, p); errors.Is(err, chunker.ErrBadProof) {
			return badPeer("%w", err)
		} else if err != nil {
			return err
		}
		if m%proofsAhead == proofsAhead-1 {
			v.f.allow()
		}
	}
	return nil
}
