package admin

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"nt/internal/resource"
	"nt/peer"
	"nt/peer/trust"
)

// The viewer shows copies that the reader's browser could not get through the proxy: pages
// of https sites that are gone. /view/URL is a page of ours with the banner that says
// what the copy is, and the copy in a frame from an origin of its site's own,
// ID.HOST.SCHEME.view.localhost, which shares nothing with this page or with other sites'.
// ID is secret, so that no page of the web can ask there what this user has copies of.
// Below trust.Publisher the frame is a sandbox without scripts, by attribute and by
// header (security row 6).
const (
	viewPath   = "/view/"
	viewSuffix = ".view.localhost"
	viewTime   = 10 * time.Minute // for one body
	maxLabel   = 63
)

// Viewer finds copies; a peer.Node is one.
type Viewer interface {
	Do(ctx context.Context, req peer.Request) (*peer.Response, error)
}

// siteLabels returns the host name under which a site's copies are shown, without
// the port: dots become "-", and "-" becomes "--". "" if that is no host name.
func (s *Server) siteLabels(u resource.URL) string {
	host := strings.ReplaceAll(strings.ReplaceAll(u.Host(), "-", "--"), ".", "-")
	scheme, rest, _ := strings.Cut(u.Origin(), "://")
	if len(host) > maxLabel || strings.Contains(rest, "[") {
		return ""
	}
	if _, port, ok := strings.Cut(rest, ":"); ok {
		scheme += "-" + port
	}
	mac := hmac.New(sha256.New, s.viewKey[:])
	io.WriteString(mac, u.Origin())
	return hex.EncodeToString(mac.Sum(nil)[:8]) + "." + host + "." + scheme + viewSuffix
}

// siteOf undoes siteLabels for a Host field: "https://example.org".
func (s *Server) siteOf(hostport string) (string, bool) {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	labels, ok := strings.CutSuffix(strings.ToLower(host), viewSuffix)
	parts := strings.Split(labels, ".")
	if !ok || len(parts) != 3 {
		return "", false
	}
	name := parts[1]
	scheme, port, hasPort := strings.Cut(parts[2], "-")
	name = strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(name, "--", "\x00"), "-", "."), "\x00", "-")
	if hasPort {
		name += ":" + port
	}
	u, err := resource.ParseURL(scheme + "://" + name + "/")
	if err != nil || s.siteLabels(u) != strings.ToLower(host) {
		return "", false
	}
	return u.Origin(), true
}

// find asks for a copy, never for the origin.
func (s *Server) find(r *http.Request, raw string) (*peer.Response, error) {
	req, err := http.NewRequestWithContext(r.Context(), r.Method, raw, nil)
	if err != nil {
		return nil, err
	}
	for _, name := range [...]string{"Range", "If-Range", "If-None-Match", "Accept-Encoding"} {
		if v := r.Header.Values(name); len(v) > 0 {
			req.Header[name] = v
		}
	}
	return s.cfg.View.Do(r.Context(), peer.Request{HTTP: req, NoOrigin: true})
}

// frame is /view/URL.
func (s *Server) frame(w http.ResponseWriter, r *http.Request) {
	h := r.Header
	if h.Get("Sec-Fetch-Site") == "cross-site" && h.Get("Sec-Fetch-Dest") != "document" {
		http.Error(w, "open this page itself", http.StatusForbidden)
		return
	}
	raw := strings.TrimPrefix(r.URL.EscapedPath(), viewPath)
	if r.URL.RawQuery != "" {
		raw += "?" + r.URL.RawQuery
	}
	u, err := resource.ParseURL(raw)
	if err != nil || s.siteLabels(u) == "" {
		http.Error(w, "write /view/ and a URL: /view/https://example.org/", http.StatusBadRequest)
		return
	}
	r = r.Clone(r.Context())
	r.Method, r.Header = http.MethodHead, http.Header{"Accept-Encoding": {"gzip"}} // it need not be unpacked to be described
	page := map[string]any{"URL": u.String()}
	status := http.StatusOK
	resp, err := s.find(r, u.String())
	if err == nil {
		resp.Body.Close()
		_, port, _ := net.SplitHostPort(r.Host)
		page["Note"], page["Sandbox"] = resp.Header.Get(peer.FieldNote), resp.Provenance.Level < trust.Publisher
		page["Frame"] = "http://" + net.JoinHostPort(s.siteLabels(u), port) + strings.TrimPrefix(u.String(), u.Origin())
	} else {
		status, page["Error"] = http.StatusNotFound, err.Error()
	}
	var b bytes.Buffer
	if err := framePage().Execute(&b, page); err != nil {
		http.Error(w, "no page: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Security-Policy", contentPolicy+"; frame-src http://*"+viewSuffix+":*")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

// content answers for a site's own origin.
func (s *Server) content(w http.ResponseWriter, r *http.Request, site string) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "a copy can only be read", http.StatusMethodNotAllowed)
		return
	}
	resp, err := s.find(r, site+(&url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}).String())
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	defer resp.Body.Close()
	h := w.Header()
	for name, values := range resp.Header {
		h[name] = values
	}
	h.Del("X-Frame-Options") // the frame is ours
	h.Set("Content-Security-Policy", copyPolicy(resp.Provenance.Level, r.Host))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(resp.Status)
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(viewTime))
	if _, err := io.Copy(w, resp.Body); err != nil {
		panic(http.ErrAbortHandler) // a part must not pass for the whole
	}
}

// copyPolicy is what a copy of that level may do: load from its own site's copies only,
// and run scripts only if its publisher signed it.
func copyPolicy(l trust.Level, hostport string) string {
	_, port, _ := net.SplitHostPort(hostport)
	scripts, sandbox := "'none'", "sandbox"
	if l >= trust.Publisher {
		scripts, sandbox = "'self' 'unsafe-inline'", "sandbox allow-scripts"
	}
	return fmt.Sprintf("default-src 'self' data:; script-src %s; style-src 'self' 'unsafe-inline'; connect-src 'none'; form-action 'none'; base-uri 'none'; "+
		"frame-ancestors http://127.0.0.1:%s http://localhost:%s; %s", scripts, port, port, sandbox)
}

func framePage() *template.Template {
	return template.Must(template.New("view").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Copy of {{.URL}}</title>
<style>html,body{margin:0;height:100%}body{display:flex;flex-direction:column;font:15px/1.4 system-ui,sans-serif}
header{background:#7a4a00;color:#fff;padding:.5em 1em;overflow-wrap:anywhere}iframe{flex:1;border:0;background:#fff}</style></head>
<body><header><strong>{{if .Frame}}{{.Note}}{{else}}There is no copy of this page that is believable enough.{{end}}</strong><br>{{.URL}}</header>
{{if .Frame}}<iframe src="{{.Frame}}" referrerpolicy="no-referrer" {{if .Sandbox}}sandbox{{else}}sandbox="allow-scripts"{{end}} title="the copy"></iframe>
{{else}}<p style="padding:1em">{{.Error}}</p>{{end}}</body></html>
`))
}
