package resource

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// MaxURL bounds a URL, in bytes; most servers accept no more.
const MaxURL = 8 << 10

const keyDomain = "nt-url-v1\x00"

// ErrBadURL reports a URL that has no canonical form here.
var ErrBadURL = errors.New("bad URL")

// URL is a canonical absolute http or https URL: the one spelling under which a
// resource is cached, announced and looked up (security row 37). Two spellings
// meet exactly when RFC 3986 section 6.2.2 and 6.2.3 call them equivalent:
//
//   - scheme and host in lower case, host in IDNA ASCII form, one trailing dot
//     and the default port dropped, IP literals in their shortest form;
//   - percent escapes in upper case, those of unreserved characters decoded,
//     characters that a URL may not hold escaped;
//   - dot segments removed, an empty path is "/";
//   - no fragment.
//
// Scheme, port, path case, an empty query ("?") and the order of the query all
// tell resources apart. Userinfo is refused: a URL with a password is nobody
// else's business. The zero URL is not valid.
type URL struct {
	scheme, host, port string // host without brackets; port "" for the default
	path, query        string // query with its "?", "" if there is none
}

// ParseURL returns the canonical form of raw, or an error that wraps ErrBadURL
// and says what is wrong.
func ParseURL(raw string) (URL, error) {
	u, err := parseURL(raw)
	if err != nil {
		return URL{}, fmt.Errorf("%w: %w", ErrBadURL, err)
	}
	return u, nil
}

func parseURL(raw string) (URL, error) {
	if len(raw) > MaxURL {
		return URL{}, fmt.Errorf("%d bytes are over the limit of %d", len(raw), MaxURL)
	}
	p, err := url.Parse(raw)
	if err != nil {
		return URL{}, errors.Unwrap(err) // without url.Error, which repeats the URL
	}
	u := URL{scheme: p.Scheme} // url.Parse lower-cases it
	switch {
	case p.Scheme == "":
		return URL{}, errors.New("no scheme; write http:// or https:// in front")
	case p.Scheme != "http" && p.Scheme != "https":
		return URL{}, fmt.Errorf("scheme %q is not http or https", p.Scheme)
	case p.Opaque != "" || p.Host == "":
		return URL{}, errors.New("no host")
	case p.User != nil:
		return URL{}, errors.New("a user name or password in the URL is not accepted")
	}
	if u.host, err = canonicalHost(p.Hostname()); err != nil {
		return URL{}, err
	}
	if u.port, err = canonicalPort(u.scheme, p.Host); err != nil {
		return URL{}, err
	}
	u.path = removeDotSegments(normalise(p.EscapedPath(), "/:@!$&'()*+,;="))
	if p.RawQuery != "" || p.ForceQuery {
		u.query = "?" + normalise(p.RawQuery, "/?:@!$&'()*+,;=")
	}
	if n := len(u.String()); n > MaxURL {
		return URL{}, fmt.Errorf("its canonical form of %d bytes is over the limit of %d", n, MaxURL)
	}
	return u, nil
}

// String returns the canonical URL.
func (u URL) String() string { return u.Origin() + u.path + u.query }

// Origin returns scheme, host and port: "https://example.org:8443".
func (u URL) Origin() string { return u.scheme + "://" + u.HostPort() }

// HostPort returns the host as a Host field writes it: without the default
// port, an IPv6 address in brackets.
func (u URL) HostPort() string {
	h := u.host
	if strings.Contains(h, ":") {
		h = "[" + h + "]"
	}
	if u.port != "" {
		h += ":" + u.port
	}
	return h
}

// Scheme returns "http" or "https".
func (u URL) Scheme() string { return u.scheme }

// Host returns the host without port or brackets.
func (u URL) Host() string { return u.host }

// Path returns the escaped path, at least "/".
func (u URL) Path() string { return u.path }

// Port returns the port as a number, the scheme's default if none is written.
func (u URL) Port() int {
	switch {
	case u.port != "":
		n, _ := strconv.Atoi(u.port)
		return n
	case u.scheme == "https":
		return 443
	}
	return 80
}

// IsZero reports whether u is the zero URL.
func (u URL) IsZero() bool { return u.scheme == "" }

// Key returns the name a tracker knows the URL by.
func (u URL) Key() Key { return sha256.Sum256([]byte(keyDomain + u.String())) }

// Without returns u without the query parameters of the given names, so that
// URLs which differ only in a session or signature share a swarm.
func (u URL) Without(names []string) URL {
	if len(names) == 0 || u.query == "" {
		return u
	}
	drop := make(map[string]bool, len(names))
	for _, n := range names {
		drop[n] = true
	}
	var kept []string
	for _, pair := range strings.Split(u.query[1:], "&") {
		name, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil && drop[plain] {
			continue
		}
		kept = append(kept, pair)
	}
	u.query = ""
	if len(kept) > 0 {
		u.query = "?" + strings.Join(kept, "&")
	}
	return u
}

// canonicalHost lower-cases, converts to IDNA ASCII and refuses what resolvers
// and browsers read differently, such as the IPv4 spellings "127.1" and "0x7f.1".
func canonicalHost(host string) (string, error) {
	if strings.Contains(host, ":") {
		a, err := netip.ParseAddr(host)
		if err != nil || a.Zone() != "" {
			return "", fmt.Errorf("host %q is not an IPv6 address", host)
		}
		return a.String(), nil
	}
	host = strings.TrimSuffix(host, ".")
	ascii, err := idna.Lookup.ToASCII(host)
	if err != nil {
		// Underscores and the like are in use though IDNA refuses them.
		if ascii = strings.ToLower(host); !plainHost(ascii) {
			return "", fmt.Errorf("host %q: %w", host, err)
		}
	}
	ascii = strings.TrimSuffix(ascii, ".")
	if ascii == "" || len(ascii) > 253 || !plainHost(ascii) {
		return "", fmt.Errorf("host %q is not a host name", host)
	}
	if numericHost(ascii) {
		a, err := netip.ParseAddr(ascii)
		if err != nil {
			return "", fmt.Errorf("host %q is an unusual spelling of an IPv4 address; write it as four decimal numbers", host)
		}
		return a.String(), nil
	}
	return ascii, nil
}

func plainHost(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for i := range len(label) {
			if c := label[i]; !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
				return false
			}
		}
	}
	return true
}

// numericHost reports whether the last label is a number, in which case the URL
// Standard reads the whole host as an IPv4 address.
func numericHost(s string) bool {
	last := s[strings.LastIndexByte(s, '.')+1:]
	if rest, hex := strings.CutPrefix(last, "0x"); hex {
		return strings.Trim(rest, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}

// canonicalPort reads the port from the Host as written, because url.URL.Port
// hides one that is not a number.
func canonicalPort(scheme, host string) (string, error) {
	_, port, found := strings.Cut(host[strings.LastIndexByte(host, ']')+1:], ":")
	if !found || port == "" {
		return "", nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", fmt.Errorf("port %q is not between 1 and 65535", port)
	}
	if scheme == "http" && n == 80 || scheme == "https" && n == 443 {
		return "", nil
	}
	return strconv.FormatUint(n, 10), nil
}

// normalise rewrites percent escapes to their one form and escapes every
// character that is neither unreserved nor in allowed.
func normalise(s, allowed string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			c = unhex(s[i+1])<<4 | unhex(s[i+2])
			i += 2
			if unreserved(c) {
				b.WriteByte(c)
			} else {
				escape(&b, c)
			}
			continue
		}
		if unreserved(c) || strings.IndexByte(allowed, c) >= 0 {
			b.WriteByte(c)
		} else {
			escape(&b, c)
		}
	}
	return b.String()
}

func escape(b *strings.Builder, c byte) {
	const digits = "0123456789ABCDEF"
	b.Write([]byte{'%', digits[c>>4], digits[c&15]})
}

func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}

// removeDotSegments is RFC 3986 section 5.2.4 on an absolute path. Empty
// segments ("//") are kept: they are other resources.
func removeDotSegments(path string) string {
	if path == "" {
		return "/"
	}
	var out []string
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, s := range segments {
		last := i == len(segments)-1
		switch s {
		case "..":
			if len(out) > 0 {
				out = out[:len(out)-1]
			}
		case ".":
		default:
			out = append(out, s)
			continue
		}
		if last {
			out = append(out, "")
		}
	}
	return "/" + strings.Join(out, "/")
}
