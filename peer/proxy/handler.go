package proxy

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// serve is the way of every request.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if s.looped(r.Header) {
		s.refuse(w, r, loopRefusal())
		return
	}
	connect := r.Method == http.MethodConnect
	if !connect && (strings.HasPrefix(r.RequestURI, "/") || r.RequestURI == "*") {
		s.local(w, r) // browsers fetch the PAC file without credentials
		return
	}
	if !s.authentic(r.Header) {
		w.Header().Set("Proxy-Authenticate", `Basic realm="nt"`)
		s.refuse(w, r, &Refusal{Status: http.StatusProxyAuthRequired, Title: "This proxy wants a user name and a password"})
		return
	}
	if connect {
		s.connect(w, r)
		return
	}
	s.forward(w, r)
}

// authentic checks Proxy-Authorization against Config.Auth.
func (s *Server) authentic(h http.Header) bool {
	if s.cfg.Auth == "" {
		return true
	}
	scheme, given, _ := strings.Cut(h.Get("Proxy-Authorization"), " ")
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(given))
	a, b := sha256.Sum256(raw), sha256.Sum256([]byte(s.cfg.Auth)) // equal lengths for the comparison
	return err == nil && strings.EqualFold(scheme, "Basic") && subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// forward answers a request in absolute form.
func (s *Server) forward(w http.ResponseWriter, r *http.Request) {
	r.RequestURI = strings.ReplaceAll(r.RequestURI, string([]byte{hiddenPercent}), "%")
	path, err := s.checkTarget(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	showPercent(r.URL, path)
	if answered := s.lastHop(w, r); answered {
		return
	}
	out := s.outgoing(r, path)
	if out.Header.Get("Upgrade") != "" {
		s.upgrade(w, r, out)
		return
	}
	if s.cfg.Resolver != nil && resolvable(r, out) {
		s.resolve(w, r, out)
		return
	}
	s.pass(w, r, out)
}

// resolvable reports whether the request is one that copies may answer. A target
// that net/url cannot spell as the reader did goes to the origin as it is.
func resolvable(r, out *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) &&
		r.ContentLength == 0 && out.URL.Opaque == ""
}

// checkTarget refuses what cannot be a request for an origin. It returns the path
// as the reader spelled it.
func (s *Server) checkTarget(r *http.Request) (string, error) {
	u := r.URL
	bad := func(format string, args ...any) (string, error) {
		return "", &Refusal{Status: http.StatusBadRequest, Title: fmt.Sprintf(format, args...)}
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return bad("This proxy forwards http and https, not %q", u.Scheme)
	case u.User != nil: // RFC 9110, 4.2.4
		return bad("The URL carries a user name; send it in Authorization instead")
	case u.Hostname() == "" || u.Opaque != "":
		return bad("The URL has no host")
	case strings.Contains(r.RequestURI, "#"):
		return bad("The URL carries a fragment")
	}
	port, err := targetPort(u)
	if err != nil {
		return bad("%v", err)
	}
	if s.isSelf(strings.ToLower(u.Hostname()), port) {
		return "", loopRefusal()
	}
	return rawPath(r.RequestURI), nil
}

func targetPort(u *url.URL) (uint16, error) {
	p := u.Port()
	if p == "" {
		p = defaultPort(u.Scheme)
	}
	n, err := strconv.ParseUint(p, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is not a port", p)
	}
	return uint16(n), nil
}

// rawPath cuts the path out of an absolute-form target, undecoded.
func rawPath(target string) string {
	_, rest, _ := strings.Cut(target, "://")
	rest, _, _ = strings.Cut(rest, "?")
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[i:]
	}
	return ""
}

// showPercent undoes what the scanner did to "%" in the path and query. A path
// with a broken escape keeps its spelling only in path.
func showPercent(u *url.URL, path string) {
	u.RawQuery = strings.ReplaceAll(u.RawQuery, string([]byte{hiddenPercent}), "%")
	u.RawPath = ""
	if plain, err := url.PathUnescape(path); err == nil {
		u.Path, u.RawPath = plain, path // EscapedPath judges whether RawPath will do
	} else {
		u.Path = path
	}
}

// lastHop answers OPTIONS and TRACE whose Max-Forwards is used up, and counts it
// down for those that go on (RFC 9110, 7.6.2).
func (s *Server) lastHop(w http.ResponseWriter, r *http.Request) bool {
	v := r.Header.Get("Max-Forwards")
	if v == "" || r.Method != http.MethodOptions && r.Method != http.MethodTrace {
		return false
	}
	n, err := strconv.ParseUint(v, 10, 31)
	switch {
	case err != nil:
		s.refuse(w, r, &Refusal{Status: http.StatusBadRequest, Title: "Max-Forwards is not a number"})
	case n > 0:
		r.Header.Set("Max-Forwards", strconv.FormatUint(n-1, 10))
		return false
	case r.Method == http.MethodTrace: // would echo credentials
		s.refuse(w, r, &Refusal{Status: http.StatusMethodNotAllowed, Title: "This proxy does not answer TRACE"})
	default:
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusOK)
	}
	return true
}

// resolve asks the Resolver and writes its answer.
func (s *Server) resolve(w http.ResponseWriter, r, out *http.Request) {
	inform := &informer{w: w, r: r}
	res, err := s.cfg.Resolver.Resolve(out, inform.send)
	inform.stop()
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	if body, ok := res.Body.(Reusable); ok {
		if head := s.hotHead(r); head != nil {
			s.keepHot(head, res, body)
		}
	}
	s.write(w, r, res)
}

func loopRefusal() *Refusal {
	return &Refusal{
		Status: http.StatusLoopDetected,
		Title:  "The request came back to this proxy",
		Hint:   "Some proxy on the way, or the URL itself, points here.",
	}
}

// looped reports whether Via says that the request was here before (security row 33).
func (s *Server) looped(h http.Header) bool {
	for _, line := range h["Via"] {
		for via := range strings.SplitSeq(line, ",") {
			if f := strings.Fields(via); len(f) > 1 && strings.EqualFold(f[1], s.name) {
				return true
			}
		}
	}
	return false
}

func (s *Server) connectAllowed(port uint16) bool { return slices.Contains(s.cfg.ConnectPorts, port) }
