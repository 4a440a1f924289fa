package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// guard lets a request pass only if it names this server as its host and, if it
// may change something, comes from no other site and carries the token. The host
// rule is against DNS rebinding, which a cross-origin rule alone does not stop.
func (s *Server) guard(next http.Handler) http.Handler {
	sameSite := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if site, ok := s.siteOf(r.Host); ok && s.cfg.View != nil && s.ownHost("localhost"+portOf(r.Host)) {
			s.content(w, r, site)
			return
		}
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		switch {
		case !s.ownHost(r.Host):
			http.Error(w, "ask for this page by its address", http.StatusForbidden)
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			next.ServeHTTP(w, r)
		case sameSite.Check(r) != nil:
			http.Error(w, "another site may not do this", http.StatusForbidden)
		case !s.authorised(r.Header):
			http.Error(w, "this needs the token", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// portOf returns ":PORT" of a Host field, "" if it has none.
func portOf(hostport string) string {
	if _, port, err := net.SplitHostPort(hostport); err == nil {
		return ":" + port
	}
	return ""
}

// ownHost reports whether a Host field names this server: an address cannot be
// rebound, a name can, so of names only localhost and the configured ones pass.
func (s *Server) ownHost(hostport string) bool {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		host, port = strings.Trim(hostport, "[]"), "80"
	}
	host = strings.ToLower(host)
	ip, ipErr := netip.ParseAddr(host)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, own := range s.own {
		if port != strconv.Itoa(int(own.Port())) {
			continue
		}
		if ipErr == nil && (ip.Unmap() == own.Addr() || own.Addr().IsUnspecified()) {
			return true
		}
		if host == "localhost" && own.Addr().IsLoopback() || slices.Contains(s.cfg.Hosts, host) {
			return true
		}
	}
	return false
}

// authorised compares the token in constant time.
func (s *Server) authorised(h http.Header) bool {
	given := h.Get("X-NT-Token")
	if scheme, rest, ok := strings.Cut(h.Get("Authorization"), " "); given == "" && ok && strings.EqualFold(scheme, "Bearer") {
		given = rest
	}
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(s.cfg.Token))
	return s.cfg.Token != "" && subtle.ConstantTimeCompare(a[:], b[:]) == 1
}
