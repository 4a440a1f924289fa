package proxy

import (
	"net/http"
	"strings"
)

// dropHopByHop removes what belongs to one connection only: the fields Connection
// names and those that always do (RFC 9110, 7.6.1; security row 28).
func dropHopByHop(h http.Header) {
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); name != "" {
				h.Del(name)
			}
		}
	}
	for _, name := range []string{
		"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate",
		"Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	} {
		delete(h, name)
	}
}

// connectionHas reports whether Connection names the option.
func connectionHas(h http.Header, option string) bool { return listHas(h["Connection"], option) }

func listHas(lines []string, token string) bool {
	for _, line := range lines {
		for item := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(item), token) {
				return true
			}
		}
	}
	return false
}

// upgradeOf returns the protocol a message's Upgrade asks for or grants, "" for
// none. h2c is none: the origin then answers in HTTP/1.1, as it may always do,
// and no requests pass unseen in the tunnel.
func upgradeOf(h http.Header) string {
	up := h.Get("Upgrade")
	if !connectionHas(h, "Upgrade") || listHas(h["Upgrade"], "h2c") {
		return ""
	}
	return up
}
