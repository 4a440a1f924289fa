package peer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"sync"
	"sync/atomic"

	"nt/chunker"
	"nt/internal/resource"
	"nt/peer/trust"
)

// Request is what a reader asks for.
type Request struct {
	// HTTP is the reader's own request: method, absolute URL, fields, body. It is
	// not changed. Fields of the connection to the reader are left behind.
	HTTP *http.Request
	// NoOrigin asks copies only, NoPeers nobody but the origin and the own cache.
	NoOrigin, NoPeers bool
	// Trust is the lowest level of a copy that is accepted; nil is trust.DefaultLevel.
	Trust *trust.Level
	// Pin is the SHA-256 the content must have; a copy that has it is trust.Pinned.
	// What the origin sends is not held back: its reader compares.
	Pin *chunker.Hash
	// Object is the one object that is accepted, as good as a Pin; nil is any.
	Object *chunker.ObjectID
	// Compare shares nothing of the answer before a request without anything of
	// the reader's has got the same. Pages are compared in any case.
	Compare bool
	// IgnoreQuery names query parameters that do not tell copies apart.
	IgnoreQuery []string
	// Limit is the highest rate at which peers may send, in bytes per second; 0 is unlimited.
	Limit int64
	// Informational hears 1xx answers of the origin, while Do runs. May be nil.
	Informational func(status int, h textproto.MIMEHeader) error
}

// ErrBadRequest is wrapped when a Request has no usable URL.
var ErrBadRequest = errors.New("bad request")

// plan is what follows from a Request alone, before anybody is asked.
type plan struct {
	req Request
	// ask is what the origin is asked: the reader's own request, or that with a validator of
	// the own copy, tag.
	ask *http.Request
	tag string
	ctx context.Context
	url resource.URL // of the copy: canonical, without the ignored query
	// copies: a copy may stand in when the origin is down. own: only one from
	// this node's own cache.
	copies, own bool
	// collapse: the origin may be asked once for several such requests.
	collapse bool
	// store: a complete 200 may be kept.
	store bool
	min   trust.Level
	live  *Live
	// digest is the SHA-256 that the origin itself says the content has (Repr-Digest over
	// a valid certificate), while it still answered.
	digest atomic.Pointer[chunker.Hash]
	// proving: the content proves itself, so that nobody's word about it is needed.
	proving bool

	informing sync.Mutex
	returned  bool // Do has returned: no more 1xx. Guarded by informing.
}

// planFor sorts a request: pure.
func planFor(ctx context.Context, req Request) (*plan, error) {
	if req.HTTP == nil || req.HTTP.URL == nil || !req.HTTP.URL.IsAbs() || req.HTTP.URL.Host == "" {
		return nil, fmt.Errorf("%w: the URL is not absolute", ErrBadRequest)
	}
	p := &plan{req: req, ask: req.HTTP, ctx: ctx, min: trust.DefaultLevel, live: &Live{}}
	if req.Trust != nil {
		p.min = *req.Trust
	}
	if u, err := resource.ParseURL(req.HTTP.URL.String()); err == nil {
		p.url = u.Without(req.IgnoreQuery)
		p.sort()
	} else if req.NoOrigin {
		return nil, fmt.Errorf("%w: %w", ErrBadRequest, err)
	}
	return p, nil
}

// sort decides what may be done besides asking the origin. Whatever carries
// credentials is between the reader and the origin (security row 29).
func (p *plan) sort() {
	h := p.req.HTTP.Header
	get, head := p.req.HTTP.Method == http.MethodGet || p.req.HTTP.Method == "", p.req.HTTP.Method == http.MethodHead
	if !get && !head || h.Get("Upgrade") != "" || p.req.HTTP.ContentLength > 0 {
		return
	}
	anonymous := resource.Shareable(h, http.StatusOK, nil) == nil
	onlyCookie := h.Clone()
	onlyCookie.Del("Cookie")
	p.own = !anonymous && resource.Shareable(onlyCookie, http.StatusOK, nil) == nil
	p.copies = anonymous || p.own
	p.store = get && anonymous && h.Get("Range") == "" && !hasDirective(h, "no-store")
	p.collapse = p.store && !conditional(h) && !reload(h)
}

func conditional(h http.Header) bool {
	for _, f := range [...]string{"If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range"} {
		if h.Get(f) != "" {
			return true
		}
	}
	return false
}

// reload reports whether the reader insists on the origin's own word: such a
// request must not be answered from somebody else's.
func reload(h http.Header) bool {
	return hasDirective(h, "no-cache") || hasDirective(h, "no-store") || hasDirective(h, "max-age=0") || h.Get("Pragma") == "no-cache"
}
