package proxy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// endField judges a field that frames or routes.
func (s *scanner) endField() error {
	if !s.interest {
		return nil
	}
	name := s.name.string()
	if s.trailer {
		return fmt.Errorf("%s in a trailer", name)
	}
	if !s.value.whole() {
		return fmt.Errorf("%s of %d bytes", name, s.value.n)
	}
	value := strings.TrimRight(s.value.string(), " \t")
	switch name {
	case "host":
		s.host = value
		if s.hosts++; s.hosts > 1 {
			return errors.New("more than one Host")
		}
		return nil
	case "content-length":
		return s.contentLength(value)
	default:
		return s.transferEncoding(value)
	}
}

func (s *scanner) contentLength(v string) error {
	if s.sized || s.chunked {
		return errors.New("Content-Length beside another Content-Length or Transfer-Encoding")
	}
	for i := range len(v) {
		if v[i] < '0' || v[i] > '9' { // ParseInt would take a sign
			return fmt.Errorf("Content-Length %q", v)
		}
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return fmt.Errorf("Content-Length %q", v)
	}
	s.length, s.sized = n, true
	return nil
}

func (s *scanner) transferEncoding(v string) error {
	switch {
	case s.sized || s.chunked:
		return errors.New("Transfer-Encoding beside Content-Length or another Transfer-Encoding")
	case !s.version.is("HTTP/1.1"):
		return errors.New("Transfer-Encoding in HTTP/1.0")
	case !strings.EqualFold(v, "chunked"):
		return fmt.Errorf("Transfer-Encoding %q", v)
	}
	s.chunked = true
	return nil
}

// endHead judges the head as a whole and turns to what follows it.
func (s *scanner) endHead() error {
	if s.trailer {
		s.next()
		return nil
	}
	if s.hosts == 0 && s.version.is("HTTP/1.1") {
		return errors.New("no Host")
	}
	connect := s.method.is("CONNECT")
	if err := s.checkHost(connect); err != nil {
		return err
	}
	switch {
	case connect && (s.chunked || s.length > 0):
		return errors.New("CONNECT with a body")
	case connect: // whatever is answered, what follows is not a request
		s.state = scanRaw
	case s.chunked:
		s.state, s.line = scanChunkSize, 0
	case s.length > 0:
		s.state, s.left = scanBody, s.length
	default:
		s.next()
	}
	return nil
}

// checkHost refuses a Host that disagrees with the request target (RFC 9112,
// 3.2.2, would ignore the field): no browser sends that, and whoever looked at
// the request before us may have believed the other one.
func (s *scanner) checkHost(connect bool) error {
	if strings.ContainsAny(s.host, " \t/\\@,?#") {
		return fmt.Errorf("Host %q", s.host)
	}
	target := s.target.string()
	authority, port := target, ""
	if !connect {
		scheme, rest, absolute := strings.Cut(target, "://")
		if !absolute || strings.HasPrefix(target, "/") {
			return nil
		}
		end := strings.IndexAny(rest, "/?#")
		if end < 0 {
			end = len(rest)
			if !s.target.whole() {
				return errors.New("endless host in the request target")
			}
		}
		authority, port = rest[:end], defaultPort(scheme)
	}
	if s.hosts == 0 {
		return nil
	}
	if same(authority, s.host, port) || connect && sameName(authority, s.host) {
		return nil
	}
	return fmt.Errorf("Host %q with request target for %q", s.host, authority)
}

// same compares two authorities; port is the one that may be left out.
func same(a, b, port string) bool {
	return strings.EqualFold(trimPort(a, port), trimPort(b, port))
}

// sameName reports whether host is the authority of a CONNECT without its port:
// some clients leave it out.
func sameName(authority, host string) bool {
	i := strings.LastIndexByte(authority, ':')
	return i >= 0 && strings.EqualFold(authority[:i], host)
}

func trimPort(a, port string) string {
	if port == "" {
		return a
	}
	return strings.TrimSuffix(strings.TrimSuffix(a, ":"+port), ":")
}

func defaultPort(scheme string) string {
	switch strings.ToLower(scheme) {
	case "http":
		return "80"
	case "https":
		return "443"
	}
	return ""
}
