package resource

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// ErrPrivate is wrapped by every reason why something must not be shared.
var ErrPrivate = errors.New("not shared")

// personalWords are words in the name of a field that carries a permission or names
// a person: X-Auth-Token, Dpop, X-Goog-Iap-Jwt-Assertion, X-Session-Id.
var personalWords = map[string]bool{
	"apikey": true, "assertion": true, "auth": true, "authentication": true, "authorization": true, "cookie": true, "cookie2": true,
	"credential": true, "csrf": true, "csrftoken": true, "dpop": true, "jwt": true, "login": true, "otp": true, "passwd": true,
	"password": true, "secret": true, "session": true, "sessionid": true, "sid": true, "token": true, "userid": true, "username": true,
	"xsrf": true,
}

// personalField reports whether a field makes a message its reader's own.
func personalField(name string) bool {
	for word := range strings.SplitSeq(strings.ToLower(name), "-") {
		if personalWords[word] {
			return true
		}
	}
	return false
}

// Shareable says whether the reply to a GET may be shared with strangers
// (design section 8, security row 34): a plain 200 to a request without
// credentials, which neither sets state nor forbids sharing nor depends on
// anything but the encoding. The error wraps ErrPrivate and names the reason.
//
// It is stricter than RFC 9111's shared cache: Cache-Control: public does not
// lift the rule on Authorization, and Set-Cookie always forbids. "no-cache"
// does not: such a page wants to be asked about, and a copy is only used when
// the origin cannot be asked (F4).
func Shareable(req http.Header, status int, resp http.Header) error {
	for name, values := range req {
		// "Key" means a permission in requests alone: in replies it names cache tags.
		if len(values) > 0 && (personalField(name) || strings.HasSuffix(strings.ToLower(name), "-key")) {
			return fmt.Errorf("%w: the request carried %s", ErrPrivate, name)
		}
	}
	if status != http.StatusOK {
		return fmt.Errorf("%w: the status is %d", ErrPrivate, status)
	}
	for name, values := range resp {
		if len(values) > 0 && (personalField(name) || strings.EqualFold(name, "Www-Authenticate") || strings.EqualFold(name, "Content-Range")) {
			return fmt.Errorf("%w: the reply carries %s", ErrPrivate, name)
		}
	}
	// What is said to caches between the site and us is said to us too (RFC 9213).
	for _, field := range [...]string{"Cache-Control", "Cdn-Cache-Control", "Surrogate-Control"} {
		for _, d := range directives(resp.Values(field)) {
			if d == "private" || d == "no-store" {
				return fmt.Errorf("%w: the reply says %s: %s", ErrPrivate, field, d)
			}
		}
	}
	for _, field := range listTokens(resp.Values("Vary")) {
		if field != "accept-encoding" {
			return fmt.Errorf("%w: the reply varies by %s", ErrPrivate, field)
		}
	}
	if _, err := KeepHeader(resp); err != nil {
		return fmt.Errorf("%w: %w", ErrPrivate, err)
	}
	return nil
}

// directives returns the names of Cache-Control directives in lower case. A
// quoted argument may hold commas and is skipped, so that no-cache="private"
// is not read as private.
func directives(values []string) []string {
	var names []string
	for _, v := range values {
		for _, d := range splitList(v) {
			name, _, _ := strings.Cut(d, "=")
			names = append(names, strings.ToLower(strings.TrimSpace(name)))
		}
	}
	return names
}

func listTokens(values []string) []string {
	var out []string
	for _, v := range values {
		for _, t := range splitList(v) {
			if t = strings.ToLower(strings.TrimSpace(t)); t != "" {
				out = append(out, t)
			}
		}
	}
	return out
}

// splitList splits at commas outside quoted strings (RFC 9110 section 5.6.1).
// An unterminated quote makes the rest plain text again: a sender that breaks
// the syntax must not hide a directive behind it.
func splitList(v string) []string {
	var out []string
	quoted, start := false, 0
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == ',' && !quoted:
			out = append(out, v[start:i])
			start = i + 1
		}
	}
	if quoted {
		return strings.Split(v, ",")
	}
	return append(out, v[start:])
}

// privateSuffixes are names that mean something else on every network.
var privateSuffixes = []string{
	"local", "localhost", "internal", "intranet", "lan", "home", "corp", "private",
	"home.arpa", "test", "invalid", "example", "onion", "i2p", "alt",
}

// PublicName says whether the URL's host is a public DNS name, the only kind
// that means the same to every reader. The error wraps ErrPrivate.
func (u URL) PublicName() error {
	if _, err := netip.ParseAddr(u.host); err == nil {
		return fmt.Errorf("%w: %s is an address, not a public name", ErrPrivate, u.host)
	}
	labels := strings.Split(u.host, ".")
	if len(labels) < 2 {
		return fmt.Errorf("%w: %s is a name of the local network", ErrPrivate, u.host)
	}
	if slices.ContainsFunc(privateSuffixes, func(s string) bool { return strings.HasSuffix("."+u.host, "."+s) }) {
		return fmt.Errorf("%w: %s is not a name of the public network", ErrPrivate, u.host)
	}
	return nil
}
