package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// contentPolicy lets the page show itself and load nothing.
const contentPolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// routes are GET /, GET /api/status and POST /api/ACTION.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	page := statusPage()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { s.show(w, r, page) })
	mux.HandleFunc("GET /api/status", s.status)
	for name, do := range s.cfg.Actions {
		mux.HandleFunc("POST /api/"+name, func(w http.ResponseWriter, r *http.Request) {
			if err := do(r.Context(), r.URL.Query()); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			w.WriteHeader(http.StatusNoContent)
		})
	}
	if s.cfg.View == nil {
		return mux
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, viewPath) {
			s.frame(w, r) // not by the mux, which would fold the URL's "//"
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	st, err := s.cfg.Source.Status(r.Context())
	if err != nil {
		http.Error(w, "no status: "+err.Error(), http.StatusInternalServerError)
		return
	}
	b, err := json.MarshalIndent(st.filled(s.cfg.Now()), "", "  ")
	if err != nil {
		http.Error(w, "no status: "+err.Error(), http.StatusInternalServerError)
		return
	}
	send(w, "application/json", append(b, '\n'))
}

func (s *Server) show(w http.ResponseWriter, r *http.Request, page *template.Template) {
	st, err := s.cfg.Source.Status(r.Context())
	if err != nil {
		http.Error(w, "no status: "+err.Error(), http.StatusInternalServerError)
		return
	}
	var b bytes.Buffer
	if err := page.Execute(&b, st.filled(s.cfg.Now())); err != nil {
		http.Error(w, "no page: "+err.Error(), http.StatusInternalServerError)
		return
	}
	send(w, "text/html; charset=utf-8", b.Bytes())
}

func send(w http.ResponseWriter, contentType string, b []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.Write(b)
}

// bytesText writes a size for people, in binary units.
func bytesText(n int64) string {
	const units = "KMGTPE"
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/1024, 0
	for f >= 1024 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	return fmt.Sprintf("%.1f %ciB", f, units[i])
}

func secondsText(n int64) string { return (time.Duration(n) * time.Second).String() }

func statusPage() *template.Template {
	funcs := template.FuncMap{"bytes": bytesText, "seconds": secondsText}
	return template.Must(template.New("status").Funcs(funcs).Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5">
<meta name="viewport" content="width=device-width"><title>nt peer</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:48em;margin:2em auto;padding:0 1em;color:#222;background:#fff}
table{border-collapse:collapse;margin:1em 0}th,td{text-align:left;padding:.2em 1em .2em 0;vertical-align:top}td.n{text-align:right}
code{overflow-wrap:anywhere}@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}}</style></head>
<body><h1>nt peer {{.Version}}</h1>
<table>
<tr><th>Up for</th><td>{{seconds .UptimeSeconds}}</td></tr>
<tr><th>Cache</th><td>{{bytes .Cache.Bytes}}{{with .Cache.Limit}} of {{bytes .}}{{end}}, {{.Cache.Objects}} objects</td></tr>
<tr><th>Announced</th><td>{{.Announced}}</td></tr>
<tr><th>Transports</th><td>{{range .Transports}}{{.}} {{else}}none{{end}}</td></tr>
<tr><th>Uploaded</th><td>{{bytes .UploadedBytes}}</td></tr>
</table>
<h2>Where content came from</h2>
<table>{{range $source, $n := .BytesBySource}}<tr><th>{{$source}}</th><td class="n">{{bytes $n}}</td></tr>{{else}}<tr><td>nothing was read yet</td></tr>{{end}}</table>
<h2>Neighbours</h2>
<table><tr><th>Peer</th><th>Address</th><th>Transport</th><th>Received</th><th>Sent</th></tr>
{{range .Neighbours}}<tr><td><code>{{.ID}}</code></td><td>{{.Addr}}</td><td>{{.Transport}}</td><td class="n">{{bytes .ReceivedBytes}}</td><td class="n">{{bytes .SentBytes}}</td></tr>
{{else}}<tr><td colspan="5">none now</td></tr>{{end}}</table>
</body></html>
`))
}
