package resource

import (
	"fmt"
	"net/http"
	"unicode/utf8"
)

// kept are the response fields that travel with a copy: those that describe the
// representation, and those with which a page restricts what it may do. Everything
// that acts on the connection, the browser's state or the site as a whole stays
// behind (the "stateful headers" of signed exchanges: Set-Cookie,
// Strict-Transport-Security, Clear-Site-Data, WWW-Authenticate, ...).
var kept = map[string]bool{
	"Access-Control-Allow-Origin":   true,
	"Access-Control-Expose-Headers": true,
	"Cache-Control":                 true,
	"Content-Digest":                true,
	"Content-Disposition":           true,
	"Content-Encoding":              true,
	"Content-Language":              true,
	"Content-Location":              true,
	"Content-Security-Policy":       true,
	"Content-Type":                  true,
	"Cross-Origin-Embedder-Policy":  true,
	"Cross-Origin-Opener-Policy":    true,
	"Cross-Origin-Resource-Policy":  true,
	"Date":                          true,
	"Etag":                          true,
	"Expires":                       true,
	"Last-Modified":                 true,
	"Link":                          true,
	"Permissions-Policy":            true,
	"Referrer-Policy":               true,
	"Repr-Digest":                   true,
	"Vary":                          true,
	"X-Content-Type-Options":        true,
	"X-Frame-Options":               true,
}

// KeepHeader returns the fields of a response that travel with a copy of it.
// Fields over the Statement's limits are an error: such a response is not shared.
func KeepHeader(h http.Header) (http.Header, error) {
	out := make(http.Header)
	for name, values := range h {
		if kept[http.CanonicalHeaderKey(name)] && len(values) > 0 {
			out[http.CanonicalHeaderKey(name)] = append([]string(nil), values...)
		}
	}
	if err := checkHeader(out); err != nil {
		return nil, err
	}
	return out, nil
}

// checkHeader enforces what a header of a Statement may be: kept fields in
// canonical spelling, no control characters, few and short.
func checkHeader(h http.Header) error {
	fields, size := 0, 0
	for name, values := range h {
		if !kept[name] {
			return fmt.Errorf("header field %q does not travel with a copy", name)
		}
		for _, v := range values {
			fields++
			size += len(name) + len(v)
			if !utf8.ValidString(v) { // would not survive JSON, and so not its signature
				return fmt.Errorf("header field %s is not UTF-8", name)
			}
			for i := range len(v) {
				if c := v[i]; c < ' ' && c != '\t' || c == 0x7f {
					return fmt.Errorf("header field %s has a control character", name)
				}
			}
		}
	}
	if fields > MaxHeaderFields || size > MaxHeaderBytes {
		return fmt.Errorf("headers of %d fields and %d bytes are over the limit of %d and %d",
			fields, size, MaxHeaderFields, MaxHeaderBytes)
	}
	return nil
}
