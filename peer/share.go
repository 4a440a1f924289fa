package peer

import (
	"fmt"
	"net/http"
	"slices"
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
	// Only, if not empty, lists the only host names that are announced, with
	// everything below them: an organisation's own.
	Only []string
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
	if len(s.Only) > 0 && !listed(u.Host(), s.Only) {
		return fmt.Errorf("%w: %s is not on the list of what is shared", resource.ErrPrivate, u.Host())
	}
	if err := s.Host(u); err != nil || s.AllowPrivate {
		return err
	}
	return secretURL(u)
}

// Host says whether u's host is one whose pages may be looked at with sharing in mind
// at all: not on the deny-list, public, and not one where everybody sees
// their own page. It does not ask whether sharing is on.
func (s Sharing) Host(u resource.URL) error {
	if listed(u.Host(), s.Deny) {
		return fmt.Errorf("%w: %s is on the deny-list", resource.ErrPrivate, u.Host())
	}
	if s.AllowPrivate {
		return nil
	}
	if err := u.PublicName(); err != nil {
		return err
	}
	return personalHost(u.Host())
}

// listed reports whether the host or a domain above it is on the list.
func listed(host string, list []string) bool {
	return slices.ContainsFunc(list, func(d string) bool {
		d = strings.ToLower(strings.Trim(d, ". "))
		return d != "" && strings.HasSuffix("."+host, "."+d)
	})
}

// personalLabels are names that organisations give to hosts where everybody sees
// their own page: mail, money, sign-in, health.
var personalLabels = map[string]bool{
	"account": true, "accounts": true, "admin": true, "auth": true, "bank": true, "banking": true, "billing": true, "calendar": true,
	"checkout": true, "ebanking": true, "id": true, "idp": true, "intranet": true, "login": true, "mail": true, "meine": true, "my": true,
	"oauth": true, "onlinebanking": true, "owa": true, "patient": true, "patients": true, "pay": true, "payments": true, "portal": true,
	"secure": true, "signin": true, "sso": true, "vpn": true, "wallet": true, "webmail": true,
}

// personalHost refuses hosts whose name says that pages there are somebody's own. The
// last label is a country or the like: my.com and bank.id are ordinary names.
func personalHost(host string) error {
	labels := strings.Split(host, ".")
	for _, l := range labels[:max(0, len(labels)-2)] {
		if personalLabels[l] {
			return fmt.Errorf("%w: pages of %s are their reader's own", resource.ErrPrivate, host)
		}
	}
	return nil
}
