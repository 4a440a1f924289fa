package tracker

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// APIConfig sets the limits of the HTTP front door. Zero fields take the defaults.
type APIConfig struct {
	Rate       float64 // tokens per second and source; a message costs one and its items or keys an eighth each; default 50
	Burst      int     // tokens a source may save up; default 400
	Sources    int     // sources remembered; default 65,536
	Concurrent int     // requests at once; default 512
	// Token, if it is not empty, must come with every message of API v1, as
	// "Authorization: Bearer TOKEN": a tracker for some and not for all.
	Token string
	// Pages are further paths, behind the same limits; GET only. They write their own answer.
	Pages map[string]Page
	// Nodes answers the other nodes of a tracker of several, below "/node/"; it checks itself
	// who asks. May be nil.
	Nodes http.Handler
	Log   *slog.Logger
	Now   func() time.Time // default time.Now
}

// Page answers one GET request of somebody at the address from.
type Page func(w http.ResponseWriter, r *http.Request, now time.Time, from netip.Addr)

// API is the HTTP front door of a Tracker: it parses, limits and answers, and
// decides nothing.
type API struct {
	tracker  *Tracker
	limit    *limiter
	slots    chan struct{}
	pages    map[string]Page
	nodes    http.Handler
	log      *slog.Logger
	now      func() time.Time
	started  time.Time
	draining atomic.Bool
	token    atomic.Pointer[string]
}

// NewAPI returns the handler of API v1.
func NewAPI(t *Tracker, cfg APIConfig) *API {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := &API{
		tracker: t, limit: newLimiter(orElse(cfg.Rate, 50), orElse(cfg.Burst, 400), orElse(cfg.Sources, 1<<16)), slots: make(chan struct{}, orElse(cfg.Concurrent, 512)),
		pages: cfg.Pages, nodes: cfg.Nodes, log: cfg.Log, now: cfg.Now, started: cfg.Now(),
	}
	a.token.Store(&cfg.Token)
	return a
}

// Reconfigure changes what may change while requests run.
func (a *API) Reconfigure(rate float64, token string) {
	a.limit.setRate(rate)
	a.token.Store(&token)
}

// admitted says whether a message brings the token, if one is wanted.
func (a *API) admitted(r *http.Request) bool {
	want := *a.token.Load()
	return want == "" || subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+want)) == 1
}

// call is one request on its way through the API.
type call struct {
	r    *http.Request
	now  time.Time
	from netip.Addr
	body []byte
}

type endpoint struct {
	method   string
	maxBody  int64
	withRate bool
	run      func(*API, call) (any, error)
}

func route(path string) (endpoint, bool) {
	switch path {
	case "/v1/announce":
		return endpoint{http.MethodPost, MaxAnnounceBytes, true, (*API).announce}, true
	case "/v1/lookup":
		return endpoint{http.MethodPost, MaxSmallBytes, true, (*API).lookup}, true
	case "/v1/report":
		return endpoint{http.MethodPost, MaxSmallBytes, true, (*API).report}, true
	case "/v1/leave":
		return endpoint{http.MethodPost, MaxSmallBytes, true, (*API).leave}, true
	case "/v1/info":
		return endpoint{http.MethodGet, 0, true, func(a *API, c call) (any, error) { return a.tracker.Info(c.now), nil }}, true
	case "/v1/stats":
		return endpoint{http.MethodGet, 0, true, func(a *API, c call) (any, error) { return a.tracker.Stats(c.now, a.started), nil }}, true
	case "/healthz":
		return endpoint{http.MethodGet, 0, false, func(*API, call) (any, error) { return map[string]string{"status": "ok"}, nil }}, true
	}
	return endpoint{}, false
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a.nodes != nil && strings.HasPrefix(r.URL.Path, "/node/") {
		a.serveNode(w, r)
		return
	}
	answer, err := a.serve(w, r)
	switch {
	case err != nil:
		a.fail(w, r, err)
	case answer != nil: // a page has answered already
		a.write(w, http.StatusOK, answer)
	}
}

// serveNode lets another node in and counts who is none.
func (a *API) serveNode(w http.ResponseWriter, r *http.Request) {
	seen := &statusWriter{ResponseWriter: w}
	a.nodes.ServeHTTP(seen, r)
	switch seen.status {
	case http.StatusForbidden:
		a.tracker.refused(refuse(ReasonNode, "not a node"))
	case http.StatusBadRequest:
		a.tracker.refused(refuse(ReasonMalformed, "not a node's message"))
	}
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (a *API) serve(w http.ResponseWriter, r *http.Request) (any, error) {
	ep, ok := a.route(w, r.URL.Path)
	if !ok {
		return nil, a.tracker.refused(refuse(ReasonNotFound, "there is no %.100q here", r.URL.Path).hint("API v1 is described in docs/tracker-api.md"))
	}
	if r.Method != ep.method && !(ep.method == http.MethodGet && r.Method == http.MethodHead) {
		w.Header().Set("Allow", ep.method)
		return nil, a.tracker.refused(refuse(ReasonMethod, "%s takes %s only", r.URL.Path, ep.method))
	}
	if a.draining.Load() {
		return nil, a.tracker.refused(refuse(ReasonUnavailable, "the tracker is shutting down"))
	}
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
	default:
		return nil, a.tracker.refused(refuse(ReasonBusy, "too many requests at once"))
	}
	c := call{r: r, now: a.now()}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return nil, fmt.Errorf("the connection's address: %w", err)
	}
	c.from = from.Addr().Unmap().WithZone("")
	if ep.withRate {
		if err := a.take(c, 1); err != nil {
			return nil, err
		}
	}
	if strings.HasPrefix(r.URL.Path, "/v1/") && !a.admitted(r) {
		return nil, a.tracker.refused(refuse(ReasonToken, "this tracker is private").hint("give its token: --tracker TOKEN@HOST:PORT"))
	}
	if c.body, err = a.readBody(w, r, ep.maxBody); err != nil {
		return nil, err
	}
	return ep.run(a, c)
}

// route finds who answers a path: API v1 or a page.
func (a *API) route(w http.ResponseWriter, path string) (endpoint, bool) {
	page := a.pages[path]
	if page == nil {
		return route(path)
	}
	return endpoint{http.MethodGet, 0, true, func(_ *API, c call) (any, error) {
		page(w, c.r, c.now, c.from)
		return nil, nil
	}}, true
}

// take spends n tokens of the source.
func (a *API) take(c call, n int) error {
	if n > 0 && !a.limit.allow(c.now, c.from, n) {
		return a.tracker.refused(refuse(ReasonRate, "too many requests from your address"))
	}
	return nil
}

func (a *API) readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if limit == 0 {
		return nil, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, a.tracker.refused(refuse(ReasonTooLarge, "the body is over %d bytes", limit).hint("send smaller batches"))
	case err != nil:
		return nil, a.tracker.refused(refuse(ReasonMalformed, "the body broke off"))
	}
	return body, nil
}

func (a *API) announce(c call) (any, error) {
	var req AnnounceRequest
	if err := Decode(c.body, &req); err != nil {
		return nil, a.tracker.refused(err)
	}
	if err := a.take(c, len(req.Items)/8); err != nil {
		return nil, err
	}
	if err := VerifySignature(req.Peer.ID, c.r.Method, c.r.URL.Path, c.body, c.r.Header.Get(SignatureHeader)); err != nil {
		return nil, a.tracker.refused(err)
	}
	return a.tracker.Announce(c.now, c.from, req)
}

func (a *API) leave(c call) (any, error) {
	var req LeaveRequest
	if err := Decode(c.body, &req); err != nil {
		return nil, a.tracker.refused(err)
	}
	if err := VerifySignature(req.Peer, c.r.Method, c.r.URL.Path, c.body, c.r.Header.Get(SignatureHeader)); err != nil {
		return nil, a.tracker.refused(err)
	}
	return a.tracker.Leave(c.now, req)
}

func (a *API) lookup(c call) (any, error) {
	var req LookupRequest
	if err := Decode(c.body, &req); err != nil {
		return nil, a.tracker.refused(err)
	}
	if err := a.take(c, len(req.Keys)/8); err != nil {
		return nil, err
	}
	return a.tracker.Lookup(c.now, c.from, req)
}

func (a *API) report(c call) (any, error) {
	var req ReportRequest
	if err := Decode(c.body, &req); err != nil {
		return nil, a.tracker.refused(err)
	}
	return a.tracker.Report(c.now, c.from, req)
}

func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	var ref *RefusedError
	if !errors.As(err, &ref) {
		a.log.Error("a request failed", "path", r.URL.Path, "err", err)
		a.write(w, http.StatusInternalServerError, ErrorResponse{Error: "the tracker could not do its work"})
		return
	}
	status, retry := statusOf(ref.Reason)
	if retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(retry))
	}
	if a.draining.Load() {
		w.Header().Set("Connection", "close")
	}
	a.write(w, status, ErrorResponse{Error: ref.Error(), Hint: ref.Hint})
}

// statusOf returns the HTTP status of a refusal, and after how many seconds
// asking again may help.
func statusOf(r Reason) (status, retryAfter int) {
	switch r {
	case ReasonTooLarge:
		return http.StatusRequestEntityTooLarge, 0
	case ReasonSignature, ReasonClock, ReasonToken:
		return http.StatusUnauthorized, 0
	case ReasonAddress, ReasonTicket:
		return http.StatusForbidden, 0
	case ReasonStale:
		return http.StatusConflict, 0
	case ReasonRate:
		return http.StatusTooManyRequests, 1
	case ReasonBusy, ReasonFull:
		return http.StatusServiceUnavailable, 2
	case ReasonSilent:
		return http.StatusServiceUnavailable, 1
	case ReasonUnavailable:
		return http.StatusServiceUnavailable, 10
	case ReasonNotFound:
		return http.StatusNotFound, 0
	case ReasonMethod:
		return http.StatusMethodNotAllowed, 0
	}
	return http.StatusBadRequest, 0
}

func (a *API) write(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		a.log.Error("an answer could not be written", "err", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)+1))
	w.WriteHeader(status)
	w.Write(append(body, '\n')) // the asker may be gone
}
