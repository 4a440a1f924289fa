package modes

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"nt/peer"
)

// parseTarget reads a URL as typed.
func parseTarget(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, usagef("", "%q is not a URL", raw)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, usagef("write http://HOST/PATH or https://HOST/PATH", "%q is not an http or https URL", raw)
	}
	u.Fragment = ""
	return u, nil
}

// follow asks for u from offset at on, if what is there is still part of the same
// content (mark), and follows redirects.
func (t *transfer) follow(ctx context.Context, u *url.URL, at int64, mark string) (*peer.Response, error) {
	header, err := parseFields(t.cmd.Header)
	if err != nil {
		return nil, err
	}
	setDefault(header, "Accept", "*/*")
	setDefault(header, "User-Agent", peer.UserAgent)
	if at > 0 {
		header.Set("Range", "bytes="+strconv.FormatInt(at, 10)+"-")
		if mark != "" {
			header.Set("If-Range", mark)
		}
	}
	for hop := 0; ; hop++ {
		u = takeUserinfo(u, header)
		t.final = u.String()
		resp, err := t.ask(ctx, u, header)
		if err != nil || !isRedirect(resp) {
			return resp, err
		}
		resp.Body.Close()
		next, err := u.Parse(resp.Header.Get("Location"))
		switch {
		case err != nil || next.Scheme != "http" && next.Scheme != "https" || next.Host == "":
			return nil, &fault{ExitProtocol, fmt.Errorf("%s: redirected to %q", t.raw, resp.Header.Get("Location")), ""}
		case hop == maxRedirects:
			return nil, &fault{ExitProtocol, fmt.Errorf("%s: more than %d redirects", t.raw, maxRedirects), ""}
		case next.Scheme != u.Scheme || next.Host != u.Host:
			stripCredentials(header)
		}
		next.Fragment = ""
		u = next
	}
}

// ask hands one request to the node.
func (t *transfer) ask(ctx context.Context, u *url.URL, header http.Header) (*peer.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, usagef("", "%q: %w", u, err)
	}
	req.Header = header.Clone()
	if host := header.Get("Host"); host != "" {
		req.Host = host
		req.Header.Del("Host")
	}
	r := peer.Request{
		HTTP: req, NoOrigin: t.cmd.NoOrigin, NoPeers: t.cmd.NoPeers, Trust: &t.level,
		IgnoreQuery: t.cmd.IgnoreQuery, Limit: int64(t.cmd.LimitRate),
	}
	if t.cmd.Checksum.set {
		r.Pin = &t.cmd.Checksum.sum
	}
	if t.cmd.Object.set {
		r.Object = &t.cmd.Object.id
	}
	return t.node.Do(ctx, r)
}

// isRedirect reports a redirect that says where to.
func isRedirect(resp *peer.Response) bool {
	switch resp.Status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return resp.Header.Get("Location") != ""
	}
	return false
}

// takeUserinfo moves user:password@ from the URL into the header, as browsers do.
func takeUserinfo(u *url.URL, header http.Header) *url.URL {
	if u.User == nil {
		return u
	}
	password, _ := u.User.Password()
	setDefault(header, "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)))
	plain := *u
	plain.User = nil
	return &plain
}

// stripCredentials drops what must not reach another origin (security row 29).
func stripCredentials(header http.Header) {
	for _, name := range []string{"Authorization", "Cookie", "Cookie2", "Proxy-Authorization", "Host"} {
		header.Del(name)
	}
}

func setDefault(header http.Header, name, value string) {
	if header.Get(name) == "" {
		header.Set(name, value)
	}
}
