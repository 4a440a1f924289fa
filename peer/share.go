package peer

import (
	"fmt"
	"net/http"
	"strings"

	"nt/internal/resource"
)

// Sharing is what the user allowed this node to announce (design section 8).
// The zero Sharing announces nothing.
type Sharing struct {
	Enabled bool
	// AllowPrivate lifts the rules on names and on URLs that look secret, for tests
	// and closed networks.
	AllowPrivate bool
	// Deny lists host names that are never announced, with everything below them.
	Deny []string
}

// Decide says whether the reply to an anonymous GET may be announced; the error
// wraps resource.ErrPrivate and names the reason. It is stricter than what may
// be kept in the own cache, which is resource.Shareable alone.
func (s Sharing) Decide(u resource.URL, req http.Header, status int, resp http.Header) error {
	if !s.Enabled {
		return fmt.Errorf("%w: sharing is off", resource.ErrPrivate)
	}
	if err := resource.Shareable(req, status, resp); err != nil {
		return err
	}
	for _, d := range s.Deny {
		if d = strings.ToLower(strings.Trim(d, ".")); d != "" && strings.HasSuffix("."+u.Host(), "."+d) {
			return fmt.Errorf("%w: %s is on the deny-list", resource.ErrPrivate, u.Host())
		}
	}
	if s.AllowPrivate {
		return nil
	}
	if err := u.PublicName(); err != nil {
		return err
	}
	return secretURL(u)
}
