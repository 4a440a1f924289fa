package proxy

import (
	"bytes"
	"html/template"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// local answers requests that are meant for the proxy itself.
func (s *Server) local(w http.ResponseWriter, r *http.Request) {
	addr, ok := s.ownHost(r)
	if !ok { // a name that points here is somebody's DNS rebinding
		s.refuse(w, r, &Refusal{Status: http.StatusForbidden, Title: "This is a proxy; ask for it by its address"})
		return
	}
	if r.URL.Path != "/" && r.URL.Path != "/proxy.pac" {
		s.refuse(w, r, &Refusal{Status: http.StatusNotFound, Title: "This proxy has no such page"})
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		s.refuse(w, r, &Refusal{Status: http.StatusMethodNotAllowed, Title: "This page can only be read"})
		return
	}
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	body := pac(addr)
	if r.URL.Path == "/" {
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", pageCSP)
		body = s.help(addr)
	} else {
		h.Set("Content-Type", "application/x-ns-proxy-autoconfig")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		io.WriteString(w, body)
	}
}

// ownHost returns the address the reader reached us by, if Host names it as an
// address or as localhost.
func (s *Server) ownHost(r *http.Request) (string, bool) {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return "", false
	}
	own, err := netip.ParseAddrPort(local.String())
	if err != nil {
		return "", false
	}
	own = netip.AddrPortFrom(own.Addr().Unmap(), own.Port())
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		host, port = strings.Trim(r.Host, "[]"), "80"
	}
	if port != strconv.Itoa(int(own.Port())) {
		return "", false
	}
	ip, err := netip.ParseAddr(host)
	named := strings.EqualFold(host, "localhost") && own.Addr().IsLoopback()
	return own.String(), named || err == nil && ip.Unmap() == own.Addr()
}

// pac returns the proxy auto-configuration: private and local names go direct,
// and everything does when the proxy is not there. It resolves no name, because
// that would wait for DNS on every request.
func pac(addr string) string {
	return `function FindProxyForURL(url, host) {
  host = host.toLowerCase();
  if (host.charAt(host.length - 1) == ".") host = host.substring(0, host.length - 1);
  if (isPlainHostName(host) && host.indexOf(":") < 0) return "DIRECT";
  if (/(^|\.)(localhost|local|internal|lan|home|corp|intranet|home\.arpa)$/.test(host)) return "DIRECT";
  if (/^(0|10|127)\.|^169\.254\.|^192\.168\.|^172\.(1[6-9]|2\d|3[01])\.|^100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./.test(host) &&
      /^[\d.]+$/.test(host)) return "DIRECT";
  if (host.indexOf(":") >= 0 && /^\[?(::|f[cd]|fe[89ab])/.test(host)) return "DIRECT";
  return "PROXY ` + addr + `; DIRECT";
}
`
}

func (s *Server) help(addr string) string {
	t := template.Must(template.New("help").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>nt proxy</title>` + pageStyle + `</head>
<body><h1>This is the nt proxy</h1>
<p>Set <code>{{.Addr}}</code> as HTTP and HTTPS proxy in your browser, or
<code>http://{{.Addr}}/proxy.pac</code> as its automatic configuration.</p>
{{with .Admin}}<p>How it is doing: <a href="{{.}}" rel="noreferrer">{{.}}</a></p>{{end}}</body></html>
`))
	var b bytes.Buffer
	if err := t.Execute(&b, map[string]string{"Addr": addr, "Admin": s.cfg.Admin}); err != nil {
		return "nt proxy on " + addr + "\n"
	}
	return b.String()
}
