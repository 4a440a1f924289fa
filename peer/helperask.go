package peer

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"nt/peer/origin"
)

// strongDate is how much older than the response Last-Modified must be to name its bytes
// (RFC 9110 section 8.8.2.2).
const strongDate = time.Minute

// strongValidator returns what If-Range may carry for the bytes of a response, "" if nothing.
func strongValidator(h http.Header) string {
	if tag := h.Get("Etag"); strings.HasPrefix(tag, `"`) {
		return tag
	}
	m, ok := httpTime(h.Get("Last-Modified"))
	d, dated := httpTime(h.Get("Date"))
	if ok && dated && d.Sub(m) >= strongDate {
		return h.Get("Last-Modified")
	}
	return ""
}

// retryAfter reads the field of a 503 or 429: seconds or a date. ok is false without it.
func retryAfter(h http.Header, now time.Time) (wait time.Duration, ok bool) {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if t, isDate := httpTime(v); isDate {
		return max(t.Sub(now), 0), true
	}
	n, err := strconv.ParseUint(v, 10, 31)
	return time.Duration(n) * time.Second, err == nil
}

// askedSites are the origins at which a range is being asked for, one each. The zero value is ready.
type askedSites struct {
	mu sync.Mutex
	m  map[string]bool
}

// take reports whether the origin is free, and takes it.
func (s *askedSites) take(site string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m[site] {
		return false
	}
	if s.m == nil {
		s.m = make(map[string]bool)
	}
	s.m[site] = true
	return true
}

func (s *askedSites) give(site string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, site)
}

// ask asks the origin for a range. It sets body, or when to ask next, or fails for good.
func (nb *helper) ask() error {
	first, end := aim(nb.in.covered(), nb.in.header.NumChunks())
	if first == end || !nb.n.asking.take(nb.site) {
		nb.notAsked = time.Now().Add(rangeWait)
		return nil
	}
	ctx, cancel := context.WithCancel(nb.ctx)
	release := sync.OnceFunc(func() { cancel(); nb.n.asking.give(nb.site) })
	resp, err := nb.n.cfg.Origin.Do(ctx, nb.rangeRequest(first, end))
	if err != nil {
		release()
		if nb.failed(); origin.Classify(0, err) == origin.Refuse {
			return err
		}
		return nil
	}
	usable, err := nb.judge(resp, first)
	if !usable || err != nil {
		resp.Body.Close()
		release()
		return err
	}
	nb.in.move(first)
	nb.body = newStream(ctx, resp)
	body := nb.body.close
	nb.body.close = func() { body(); release() }
	return nil
}

// rangeRequest repeats the reader's request for a range of chunks, of this version or not at all.
func (nb *helper) rangeRequest(first, end int) *http.Request {
	h := nb.in.header
	req := nb.req.Clone(nb.ctx)
	for _, f := range [...]string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"} {
		req.Header.Del(f)
	}
	last := h.ChunkOffset(end-1) + int64(h.ChunkLen(end-1)) - 1
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", h.ChunkOffset(first), last))
	req.Header.Set("If-Range", nb.mark)
	return req
}

// judge reads the head of the answer to a range that begins with chunk first. Not usable
// without an error means that the origin may be asked again, later.
func (nb *helper) judge(resp *http.Response, first int) (usable bool, err error) {
	switch resp.StatusCode {
	case http.StatusPartialContent:
		got := resp.Header.Get("Content-Range")
		off, _, total, ok := parseContentRange(got)
		if !ok || off != nb.in.header.ChunkOffset(first) || total != nb.in.header.Size || sameRepresentation(resp.Header, nb.f.entry.Header()) != nil {
			return false, fmt.Errorf("%w: %q", errNotTheObject, got)
		}
		return true, nil
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		nb.failed()
		wait, ok := retryAfter(resp.Header, time.Now())
		if wait > maxRetryAfter {
			return false, fmt.Errorf("%w: it asks to be left alone for %v", errNoHelp, wait)
		}
		if ok {
			nb.notAsked = time.Now().Add(max(wait, rangeWait))
		}
		return false, nil
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		nb.failed()
		return false, nil
	}
	return false, fmt.Errorf("%w: it answered %d", errNoHelp, resp.StatusCode)
}

// ended tells the whole of a stream from one that broke off.
func ended(err error) error {
	if err == io.EOF {
		return nil
	}
	return fmt.Errorf("%w: %w", errCut, err)
}
