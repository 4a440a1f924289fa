package proxy

import (
	"bytes"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxHotBody bounds one body in the hot tier, maxHotHead a request's head.
	maxHotBody = 1 << 20
	maxHotHead = 4 << 10
	// hotLife is how long an answer is given again before it is made anew, from the
	// verified store and by all the rules; while one reader's request does that, the others
	// get it for as long again. Age and ttl in it are therefore 2 s late at most.
	hotLife = time.Second
)

// hotTier gives answers again to requests that are, byte for byte, ones that were
// answered just now with a fresh copy. It saves net/http, the resolver and the store's
// hashing for what is asked for over and over. The bytes in it were proved when the
// store read them; it is bounded, and forgets at once when something is changed.
type hotTier struct {
	budget int64
	sent   atomic.Int64 // bytes of bodies

	mu   sync.RWMutex
	m    map[string]*hotAnswer // by the request's head
	size int64
}

type hotAnswer struct {
	data   []byte // the whole response
	body   int64
	until  time.Time // made anew from then on
	fresh  time.Time // not given from then on
	taken  atomic.Bool
	charge int64
}

func newHotTier(budget int64) *hotTier {
	if budget <= 0 {
		return nil
	}
	return &hotTier{budget: budget, m: make(map[string]*hotAnswer)}
}

// get returns the answer to a request with this head, nil if it must be made. It does
// not keep head.
func (t *hotTier) get(head []byte) *hotAnswer {
	t.mu.RLock()
	a := t.m[string(head)] // does not allocate
	t.mu.RUnlock()
	if a == nil {
		return nil
	}
	now := time.Now()
	switch {
	case now.Before(a.until):
		return a
	case !now.Before(a.fresh) || !a.taken.Swap(true) || now.Sub(a.until) > hotLife:
		return nil
	}
	return a
}

// put remembers an answer until fresh at most, and makes room for it.
func (t *hotTier) put(head []byte, data []byte, body int64, fresh time.Time) {
	until := time.Now().Add(hotLife)
	if fresh.Before(until) {
		until = fresh
	}
	a := &hotAnswer{data: data, body: body, until: until, fresh: fresh, charge: int64(len(head) + len(data))}
	if a.charge > t.budget {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drop(string(head))
	for old := range t.m { // in no order
		if t.size+a.charge <= t.budget {
			break
		}
		t.drop(old)
	}
	t.m[string(head)] = a
	t.size += a.charge
}

func (t *hotTier) drop(head string) {
	if a := t.m[head]; a != nil {
		t.size -= a.charge
		delete(t.m, head)
	}
}

// clear forgets everything.
func (t *hotTier) clear() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.m)
	t.size = 0
}

// changed hears that a request with this method was answered.
func (t *hotTier) changed(method string) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
	default:
		t.clear()
	}
}

// Cool makes the proxy forget the answers it would give again without asking the
// Resolver: something was changed behind its back.
func (s *Server) Cool() { s.hot.clear() }

// HotBytes returns how many bytes of bodies were sent without asking the Resolver.
func (s *Server) HotBytes() int64 {
	if s.hot == nil {
		return 0
	}
	return s.hot.sent.Load()
}

// Reusable is what the Body of a Resolver's response may be too: the response is a fresh
// copy that may be given again, to the same request, until then.
type Reusable interface{ FreshUntil() time.Time }

// hotHead returns the head of a request whose answer may be given again, nil for others.
func (s *Server) hotHead(r *http.Request) []byte {
	g := gateOf(r.Context())
	if s.hot == nil || g == nil || g.hot == nil || r.Method != http.MethodGet || r.Close || !r.ProtoAtLeast(1, 1) || r.ContentLength != 0 {
		return nil
	}
	return g.head
}

// keepHot reads a small fresh copy whole and remembers the answer; it returns the body to
// send. A body that cannot be read whole is left to the caller to fail on.
func (s *Server) keepHot(head []byte, res *http.Response, body Reusable) {
	size := res.ContentLength
	if res.StatusCode != http.StatusOK || size <= 0 || size > maxHotBody || len(res.Trailer) > 0 {
		return
	}
	buf := make([]byte, 0, size+2<<10)
	w := bytes.NewBuffer(buf)
	w.WriteString("HTTP/1.1 200 OK\r\n")
	h := res.Header.Clone()
	dropHopByHop(h)
	h["Content-Length"] = []string{strconv.FormatInt(size, 10)}
	h.Write(w) // a buffer takes everything
	w.WriteString("\r\n")
	at := w.Len()
	n, err := w.ReadFrom(res.Body)
	rest := res.Body
	res.Body = &readAhead{r: bytes.NewReader(w.Bytes()[at:]), err: err, Closer: rest}
	if err != nil || n != size {
		return
	}
	s.hot.put(head, w.Bytes(), size, body.FreshUntil())
}
