package browser

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// site serves a page of so many parts until stop.
func (w *world) site(secure bool) (addr string, stop func()) {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	addr = l.Addr().String()
	server := &http.Server{Handler: http.HandlerFunc(serveParts)}
	if secure {
		cert, authority := issue(w.t)
		file := filepath.Join(w.home, "origin.pem")
		if err := os.WriteFile(file, authority, 0o600); err != nil {
			w.t.Fatal(err)
		}
		w.env = append(w.env, "SSL_CERT_FILE="+file)
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
		go server.ServeTLS(l, "", "")
	} else {
		go server.Serve(l)
	}
	w.t.Cleanup(func() { server.Close() })
	return addr, func() { server.Close() }
}

// parts is how many resources the site's page loads, besides itself.
const parts = 30

// serveParts is the site: 10 style sheets, 10 scripts and 10 pictures.
func serveParts(w http.ResponseWriter, r *http.Request) {
	var n int
	h := w.Header()
	h.Set("Cache-Control", "max-age=600")
	switch {
	case r.URL.Path == "/":
		h.Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, page())
	case scan(r.URL.Path, "/%d.css", &n):
		h.Set("Content-Type", "text/css")
		fmt.Fprintf(w, ".c%d{border-left:6px solid hsl(%d,70%%,45%%)}", n, n*36)
	case scan(r.URL.Path, "/%d.js", &n):
		h.Set("Content-Type", "text/javascript")
		fmt.Fprintf(w, "window.ran=(window.ran||0)+1;document.querySelector('#s%d').textContent='script %d ran';", n, n)
	case scan(r.URL.Path, "/%d.svg", &n):
		h.Set("Content-Type", "image/svg+xml")
		fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="56" height="56"><rect width="56" height="56" rx="10" fill="hsl(%d,70%%,45%%)"/></svg>`, n*36)
	default:
		http.NotFound(w, r)
	}
}

func scan(path, format string, n *int) bool {
	_, err := fmt.Sscanf(path, format, n)
	return err == nil && path == fmt.Sprintf(format, *n) && *n < 10
}

func page() string {
	var head, body strings.Builder
	for i := range 10 {
		fmt.Fprintf(&head, `<link rel="stylesheet" href="/%d.css">`, i)
		fmt.Fprintf(&body, `<p class="c%d" style="padding-left:12px;margin:6px 0"><img src="/%d.svg" alt="" style="vertical-align:middle;width:28px"> Paragraph %d of the harbour gazette, <span id="s%d">before its script ran</span>.</p>`, i, i, i+1, i)
	}
	for i := range 10 {
		fmt.Fprintf(&body, `<script src="/%d.js"></script>`, i)
	}
	return `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>The harbour gazette</title><link rel="icon" href="data:,">` + head.String() +
		`</head><body style="font:16px/1.5 Georgia,serif;max-width:40em;margin:2em auto"><h1>The harbour gazette</h1>` + body.String() + `</body></html>`
}

// issue makes an authority (PEM) and its certificate for 127.0.0.1.
func issue(t *testing.T) (tls.Certificate, []byte) {
	t.Helper()
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign}
	authority, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority})
}
