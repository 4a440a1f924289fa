package modes

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/time/rate"

	"nt/chunker"
	"nt/peer"
)

// copyBlock is how much is read, hashed and written at a time, in bytes.
const copyBlock = 64 << 10

// transfer is one URL on its way to one place.
type transfer struct {
	*fetcher
	raw     string
	started time.Time
	sink    sink
	bar     progress
	limit   *rate.Limiter // nil: no limit

	hash   hash.Hash
	hashed int64 // content before this offset is in hash

	final      string
	status     int
	received   int64 // content bytes of this run
	sum        []byte
	object     chunker.ObjectID
	provenance *peer.Provenance
	bySource   map[peer.Source]int64
	live       peer.Progress // of the last attempt
}

// run gets the URL, with retries, and puts it in its place or leaves the place
// as it was.
func (t *transfer) run(ctx context.Context) error {
	u, err := parseTarget(t.raw)
	if err != nil {
		return err
	}
	if t.sink, err = t.openSink(t.raw); err != nil {
		return err
	}
	if t.cmd.LimitRate > 0 {
		t.limit = rate.NewLimiter(rate.Limit(t.cmd.LimitRate), copyBlock) // WaitN fails above the burst
	}
	t.hash, t.bySource = sha256.New(), map[peer.Source]int64{}
	t.bar = t.newProgress()
	err = t.tryAll(ctx, u)
	if err == nil {
		err = t.accept()
	}
	if err != nil {
		return t.abort(ctx, err)
	}
	t.bar.end(t.received, nil)
	return nil
}

// tryAll makes up to 1 + --retry attempts.
func (t *transfer) tryAll(ctx context.Context, u *url.URL) error {
	for i, wait := 0, time.Second; ; i, wait = i+1, min(2*wait, 10*time.Minute) {
		err := t.attempt(ctx, u)
		if err == nil || i >= t.cmd.Retry || !t.transient(err) || ctx.Err() != nil {
			return err
		}
		t.app.log.Info("trying again", "url", t.raw, "in", wait, "err", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}

// transient reports whether the same request may succeed later.
func (t *transfer) transient(err error) bool {
	switch exitOf(err) {
	case ExitNetwork, ExitNoSource:
		return true
	case ExitServer:
		switch t.status {
		case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
			http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		}
	}
	return false
}

// attempt asks once and copies what comes.
func (t *transfer) attempt(ctx context.Context, u *url.URL) error {
	at, mark := t.sink.have()
	resp, err := t.follow(ctx, u, at, mark)
	if err != nil {
		return t.explain(err)
	}
	defer resp.Body.Close()
	t.status, t.provenance = resp.Status, &resp.Provenance
	start, more, err := t.placeOf(resp, at)
	if err != nil || !more {
		return err
	}
	if err := t.begin(start, validator(resp.Header)); err != nil {
		return err
	}
	t.note(resp)
	total := int64(-1)
	if resp.ContentLength >= 0 {
		total = start + resp.ContentLength
	}
	t.bar.begin(t.raw, resp.Status, start, total, resp.Provenance.Live)
	err = t.copy(ctx, resp.Body)
	t.count(ctx, resp)
	return err
}

// begin prepares sink and hash for content that starts at an offset.
func (t *transfer) begin(start int64, mark string) error {
	if err := t.sink.begin(start, mark); err != nil {
		return err
	}
	if start == t.hashed {
		return nil
	}
	t.hash.Reset()
	t.hashed, t.received = start, 0
	if start == 0 {
		return nil
	}
	prefix, err := t.sink.prefix(start)
	if err != nil {
		return fileFault("reading what is there", err)
	}
	if prefix == nil {
		t.hash = nil // the beginning is elsewhere
		return nil
	}
	if _, err := io.Copy(t.hash, prefix); err != nil {
		return fileFault("reading what is there", err)
	}
	return nil
}

// copy moves the body into the sink.
func (t *transfer) copy(ctx context.Context, body io.Reader) error {
	buf := make([]byte, copyBlock)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			if err := t.pace(ctx, n); err != nil {
				return err
			}
			if t.hash != nil {
				t.hash.Write(buf[:n])
			}
			if _, err := t.sink.Write(buf[:n]); err != nil {
				return err
			}
			t.hashed, t.received = t.hashed+int64(n), t.received+int64(n)
			t.bar.add(n)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return t.explain(err)
		}
	}
}

// pace waits until the limit allows n bytes more. A limiter refuses at once what it could not allow before ctx ends.
func (t *transfer) pace(ctx context.Context, n int) error {
	if t.limit == nil || t.limit.WaitN(ctx, n) == nil {
		return nil
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

// settleTime bounds the wait until content that is already delivered is in the cache.
const settleTime = 5 * time.Second

// count adds what a response brought, once the node has put it away.
func (t *transfer) count(ctx context.Context, resp *peer.Response) {
	resp.Body.Close()
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	if err := t.node.Settle(ctx); err != nil {
		t.app.log.Info("not waiting for the cache", "err", err)
	}
	live := resp.Provenance.Live.Snapshot()
	t.live = live
	for source, n := range live.BytesBySource {
		t.bySource[source] += n
	}
	t.object = resp.Provenance.Object
	if t.object == (chunker.ObjectID{}) {
		t.object = live.Object
	}
}

// accept compares the whole with the checksum and puts it in place.
func (t *transfer) accept() error {
	if t.hash != nil {
		t.sum = t.hash.Sum(nil)
	}
	if want := t.cmd.Checksum; want.set && chunker.Hash(t.sum) != want.sum {
		return &fault{ExitIntegrity, fmt.Errorf("%s: the SHA-256 is %x, not %s", t.raw, t.sum, want.sum), ""}
	}
	return t.sink.commit()
}

// abort leaves the place as it was and keeps what -C - can go on from.
func (t *transfer) abort(ctx context.Context, err error) error {
	exit := exitOf(err)
	kept := t.sink.abort(exit != ExitIntegrity && exit != ExitUsage && exit != ExitServer && exit != ExitProtocol)
	if errors.Is(err, errNothing) {
		t.bar.end(0, nil)
		return nil
	}
	t.bar.end(t.received, err)
	if kept && ctx.Err() == nil && (exit == ExitNetwork || exit == ExitNoSource) {
		return &fault{ExitPartial, err, "what came is kept: the same command with -C - goes on from there"}
	}
	return err
}

// note tells that a copy is a copy.
func (t *transfer) note(resp *peer.Response) {
	if text := resp.Header.Get(peer.FieldNote); text != "" && !t.cmd.Quiet && resp.Provenance.Source != peer.SourceOrigin {
		fmt.Fprintf(t.app.stderr, "nt: note: %s\n", printable(text))
	}
}
