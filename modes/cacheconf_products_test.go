package modes

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// product is a cache under test: a client that goes through it, and the base of URLs.
type product struct {
	name   string
	client *http.Client
	base   string
	doc    []string // how it was set up
}

// viaProxy returns a client that asks through an HTTP proxy.
func viaProxy(addr string) *http.Client {
	return &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: addr}), DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func ntProduct(t *testing.T, o *caseOrigin, name string, serveFresh bool) product {
	key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	p, err := startPeer(t.Context(), peerOptions{proxyAddr: "127.0.0.1:0", adminAddr: "127.0.0.1:0", hot: 1 << 20, node: nodeOptions{
		serveFresh: serveFresh, key: key, cacheDir: t.TempDir(), listen: "127.0.0.1:0", allowPrivate: true, share: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.close(context.Background()) })
	return product{name: name, client: settling{viaProxy(p.proxyAddr), p}.client(), base: o.URL}
}

// settling waits after each request until the node has stored what it brought.
type settling struct {
	*http.Client
	p *peerNode
}

func (s settling) client() *http.Client {
	inner := s.Client.Transport
	s.Client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		if err := s.p.node.Settle(r.Context()); err != nil {
			return nil, err
		}
		return inner.RoundTrip(r)
	})
	return s.Client
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// freePort returns a port that nobody listens on.
func freePort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// startServer runs a server of the system until the test ends and waits for its port.
func startServer(t *testing.T, port, program string, args ...string) {
	cmd := exec.Command(program, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for range 400 {
		if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			c.Close()
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("%s does not listen", program)
}

// serverDir returns a folder that a server which changes its user can write to.
func serverDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "nt-cache-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

func squidProduct(t *testing.T, o *caseOrigin, program string) product {
	dir, port := serverDir(t), freePort(t)
	conf := fmt.Sprintf("http_port 127.0.0.1:%s\nhttp_access allow all\ncache_mem 32 MB\naccess_log none\ncache_log %s/log\npid_filename none\n"+
		"coredump_dir %s\nshutdown_lifetime 0 seconds\nrefresh_pattern . 0 20%% 4320\nnegative_ttl 0 seconds\npinger_enable off\n", port, dir, dir)
	if u, err := user.Current(); err == nil && u.Uid == "0" {
		conf += "cache_effective_user proxy\n"
	}
	write(t, dir, "conf", conf)
	startServer(t, port, program, "-N", "-f", filepath.Join(dir, "conf"))
	return product{name: "squid", client: viaProxy("127.0.0.1:" + port), base: o.URL, doc: []string{"a forward proxy with Debian's defaults and a memory cache"}}
}

func nginxProduct(t *testing.T, o *caseOrigin, program string) product {
	dir, port := serverDir(t), freePort(t)
	conf := fmt.Sprintf("daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/log;\nevents {}\nhttp { access_log off;\n"+
		"client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;\n"+
		"proxy_cache_path %[1]s/c keys_zone=z:1m;\nserver { listen 127.0.0.1:%[2]s; location / { proxy_pass %[3]s; proxy_http_version 1.1; proxy_cache z; proxy_cache_revalidate on;\n"+
		"proxy_cache_use_stale error timeout http_502 http_503 http_504; } } }\n", dir, port, o.URL)
	write(t, dir, "conf", conf)
	startServer(t, port, program, "-c", filepath.Join(dir, "conf"))
	client := viaProxy("")
	client.Transport = &http.Transport{DisableCompression: true}
	return product{name: "nginx", client: client, base: "http://127.0.0.1:" + port}
}

func write(t *testing.T, dir, name, text string) {
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
