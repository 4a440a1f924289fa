package origin

import (
	"context"
	"net/http"
	"strings"
)

// hopByHop are fields that belong to one connection (RFC 9110 section 7.6.1),
// with the historic ones that clients still send to proxies.
var hopByHop = [...]string{
	"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
	"Te", "Trailer", "Transfer-Encoding", upgradeField,
}

// Outgoing returns the reader's request as it goes to the origin: the same
// fields (N19) without those of the reader's connection to us. Nothing is
// added, no User-Agent either. An upgrade (WebSocket) stays one.
func Outgoing(ctx context.Context, req *http.Request) *http.Request {
	out := req.Clone(ctx)
	out.RequestURI, out.Close = "", false
	upgrade := upgradeOf(req.Header)
	trailers := hasToken(req.Header.Values("Te"), "trailers")
	StripHopByHop(out.Header)
	if trailers {
		out.Header.Set("Te", "trailers")
	}
	if upgrade != "" {
		out.Header.Set("Connection", upgradeField)
		out.Header.Set(upgradeField, upgrade)
	}
	if _, ok := out.Header["User-Agent"]; !ok {
		out.Header["User-Agent"] = []string{""} // keeps net/http from adding its own
	}
	if req.ContentLength == 0 {
		out.Body = nil // an empty body that is not nil would be sent chunked
	}
	return out
}

// StripHopByHop removes from h, in place, the fields of one connection and those
// that Connection names (security row 28).
func StripHopByHop(h http.Header) {
	for _, v := range h.Values("Connection") {
		for name := range strings.SplitSeq(v, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopByHop {
		h.Del(name)
	}
}

func upgradeOf(h http.Header) string {
	if !hasToken(h.Values("Connection"), "upgrade") {
		return ""
	}
	return h.Get(upgradeField)
}

func hasToken(values []string, token string) bool {
	for _, v := range values {
		for t := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}
