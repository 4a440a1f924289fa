package browser

import (
	"bufio"
	"context"
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
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"nt/modes"

	"nt/internal/testenv"
)

// ntVar makes the test binary nt.
const ntVar = "NT_BROWSER_NT"

func TestMain(m *testing.M) {
	if os.Getenv(ntVar) != "" {
		os.Exit(modes.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ()))
	}
	os.Exit(m.Run())
}

// world is a home directory with processes of nt.
type world struct {
	t    *testing.T
	home string
	env  []string
}

func newWorld(t *testing.T) *world {
	testenv.Alone(t)
	home := t.TempDir()
	env := []string{ntVar + "=1", "HOME=" + home, "XDG_RUNTIME_DIR=" + home, "PATH=" + os.Getenv("PATH"), "NT_ALLOW_PRIVATE=true"}
	return &world{t: t, home: home, env: env}
}

func (w *world) command(ctx context.Context, args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env, cmd.Dir = w.env, w.home
	return cmd
}

// nt runs a command to its end.
func (w *world) nt(args ...string) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := w.command(ctx, args...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("nt %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// daemon starts a command that stays and returns the addresses it says it listens on,
// by their names.
func (w *world) daemon(names int, args ...string) map[string]string {
	w.t.Helper()
	cmd := w.command(context.Background(), args...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	lines := bufio.NewReader(stderr)
	addrs := map[string]string{}
	for len(addrs) < names {
		line, err := lines.ReadString('\n')
		if err != nil {
			w.t.Fatalf("nt %v: %v, said %v", args, err, addrs)
		}
		if f := strings.Fields(line); len(f) == 5 && f[2] == "listening" {
			addrs[f[1]] = f[4]
		}
	}
	go io.Copy(io.Discard, lines)
	return addrs
}

// peer starts a peer with a proxy.
func (w *world) peer(cache, tracker string, more ...string) map[string]string {
	w.t.Helper()
	return w.daemon(3, append([]string{"peer", "--cache", cache, "--listen", "127.0.0.1:0", "--proxy", "--proxy-addr", "127.0.0.1:0",
		"--admin-addr", "127.0.0.1:0", "--tracker", tracker}, more...)...)
}

// poll asks a URL until the answer matches.
func (w *world) poll(url, pattern string) {
	w.t.Helper()
	re, last := regexp.MustCompile(pattern), ""
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		resp, err := client.Get(url)
		if err != nil {
			last = err.Error()
			continue
		}
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		resp.Body.Close()
		if last = string(b); re.MatchString(last) {
			return
		}
	}
	w.t.Fatalf("%s does not come to match %q: %s", url, pattern, last)
}

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
