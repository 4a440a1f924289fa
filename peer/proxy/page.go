package proxy

import (
	"bytes"
	"context"
	"errors"
	"html/template"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// refuse tells the reader why there is no answer. An error that is no *Refusal
// becomes a 502.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil && !errors.Is(err, context.DeadlineExceeded) {
		panic(http.ErrAbortHandler) // the reader has gone
	}
	var why *Refusal
	if !errors.As(err, &why) {
		why = &Refusal{Title: "This proxy found no answer", Tried: []string{err.Error()}}
	}
	page := *why
	if page.Status < 400 || page.Status > 599 {
		page.Status = http.StatusBadGateway
	}
	s.cfg.Log.Info("no answer", "method", r.Method, "host", r.Host, "status", page.Status, "err", err)
	h := w.Header()
	if s.cfg.Admin != "" && r.Method == http.MethodGet && (page.Status == http.StatusBadGateway || page.Status == http.StatusGatewayTimeout) {
		page.view = s.cfg.Admin + "view/" + asked(r)
	}
	body := page.render(h, wantsHTML(r), asked(r))
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method == http.MethodConnect { // what follows was meant for somebody else
		h.Set("Connection", "close")
	}
	w.WriteHeader(page.Status)
	if r.Method != http.MethodHead {
		w.Write(body)
	}
}

// passRefusal turns an error of dialling or asking the origin at host into a Refusal.
func (s *Server) passRefusal(host string, err error) *Refusal {
	ref := &Refusal{
		Status: http.StatusBadGateway,
		Title:  "The origin cannot be reached",
		Tried:  []string{"origin " + host + ": " + err.Error()},
		Err:    err,
	}
	var timeout net.Error
	switch {
	case errors.Is(err, errRefused):
		ref.Status, ref.Title = http.StatusBadRequest, "The request's body is malformed"
	case s.cfg.Forbidden(err):
		ref.Status, ref.Title = http.StatusForbidden, "This proxy does not connect to that address"
		ref.Hint = "Private and local addresses are for direct connections; --allow-private lifts the rule."
	case errors.As(err, &timeout) && timeout.Timeout():
		ref.Status, ref.Title = http.StatusGatewayTimeout, "The origin took too long"
	}
	return ref
}

// asked names what was asked for, for the page.
func asked(r *http.Request) string {
	if r.URL.Scheme != "" {
		return r.URL.Redacted()
	}
	return r.Host
}

// wantsHTML reports whether the reader names HTML among what it accepts.
func wantsHTML(r *http.Request) bool {
	for _, line := range r.Header["Accept"] {
		if strings.Contains(line, "text/html") {
			return true
		}
	}
	return false
}

// render returns the page and sets its fields.
func (p *Refusal) render(h http.Header, html bool, url string) []byte {
	if !html {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		return []byte(p.text(url))
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pageCSP)
	var b bytes.Buffer
	err := refusalPage().Execute(&b, map[string]any{"P": p, "URL": url, "View": p.view, "StatusText": http.StatusText(p.Status)})
	if err != nil { // a buffer takes everything; the template is constant
		return []byte(p.text(url))
	}
	return b.Bytes()
}

// text is the page for readers that are no browsers. Control characters of
// foreign strings are quoted away (security row 44).
func (p *Refusal) text(url string) string {
	var b strings.Builder
	b.WriteString("nt: " + plain(p.Title) + "\nnt: asked for " + plain(url) + "\n")
	for _, t := range p.Tried {
		b.WriteString("nt: tried " + plain(t) + "\n")
	}
	if p.Hint != "" {
		b.WriteString("nt: hint: " + plain(p.Hint) + "\n")
	}
	return b.String()
}

// plain makes a foreign string one line without control characters.
func plain(s string) string {
	q := strconv.Quote(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

// pageCSP lets a page of ours show itself and nothing else.
const pageCSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const pageStyle = `<style>body{font:16px/1.5 system-ui,sans-serif;max-width:42em;margin:4em auto;padding:0 1em;color:#222;background:#fff}
h1{font-size:1.4em}code,li{overflow-wrap:anywhere}.hint{border-left:4px solid #c60;padding-left:.8em}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}}</style>`

func refusalPage() *template.Template {
	return template.Must(template.New("refusal").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.P.Status}} {{.StatusText}}</title>` + pageStyle + `</head>
<body><h1>{{.P.Title}}</h1>
<p><code>{{.URL}}</code></p>
{{with .P.Tried}}<p>What was tried:</p><ul>{{range .}}<li>{{.}}</li>{{end}}</ul>{{end}}
{{with .P.Hint}}<p class="hint">{{.}}</p>{{end}}
{{with .View}}<p><a href="{{.}}" rel="noreferrer">Look for a copy again, without its site</a></p>{{end}}
<p><small>nt proxy, {{.P.Status}} {{.StatusText}}</small></p></body></html>
`))
}
