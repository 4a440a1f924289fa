package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// server is one of those that are measured.
type server struct {
	name    string
	addr    string
	forward bool // a forward proxy: targets are in absolute form
	cmd     *exec.Cmd
}

func (s *server) stop() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

// cpu returns the CPU time the server has used, in seconds, from /proc/PID/stat.
func (s *server) cpu() (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) / 100, nil // USER_HZ
}

// startOrigin serves /SIZE, fresh for an hour, /SIZE/ask, which is to be asked about every time and
// has a validator, and /SIZE/no-store.
func startOrigin() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, how, _ := strings.Cut(r.URL.Path[1:], "/")
		size, err := strconv.Atoi(path)
		if err != nil || size > 1<<20 {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Cache-Control", map[string]string{"": "max-age=3600", "ask": "max-age=0", "no-store": "no-store"}[how])
		if how == "ask" {
			w.Header().Set("Etag", `"1"`)
			if r.Header.Get("If-None-Match") == `"1"` {
				w.WriteHeader(http.StatusNotModified)
				return
			}
		}
		w.Header().Set("Content-Length", path)
		w.Write(bytes.Repeat([]byte("x"), size))
	}))
	return l.Addr().String(), nil
}

// startServers starts all four on the first core.
func startServers(dir, origin string) (all []*server, err error) {
	for _, start := range []func(dir, origin, addr string) (*server, error){startNT, startFreshNT, startSquid, startNginx} {
		addr, err := freeAddr()
		if err != nil {
			return all, err
		}
		s, err := start(dir, origin, addr)
		if err != nil {
			return all, err
		}
		all = append(all, s)
		if err := s.await(); err != nil {
			return all, err
		}
	}
	return all, nil
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func (s *server) await() error {
	for range 400 {
		if c, err := net.Dial("tcp", s.addr); err == nil {
			return c.Close()
		}
		time.Sleep(25 * time.Millisecond)
	}
	return fmt.Errorf("%s does not listen on %s", s.name, s.addr)
}

// pinned starts a program on the first core.
func pinned(env []string, program string, args ...string) (*exec.Cmd, error) {
	cmd := exec.Command("taskset", append([]string{"-c", "0", program}, args...)...) // taskset becomes the program
	cmd.Env, cmd.Stderr = append(os.Environ(), env...), os.Stderr
	return cmd, cmd.Start()
}

func startNT(dir, _, addr string) (*server, error) {
	binary := filepath.Join(dir, "nt")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir, build.Stderr, build.Env = "..", os.Stderr, append(os.Environ(), "CGO_ENABLED=0")
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("building nt: %w", err)
	}
	return peer(dir, "nt", addr)
}

func startFreshNT(dir, _, addr string) (*server, error) {
	return peer(dir, "nt --serve-fresh", addr, "--serve-fresh")
}

// peer starts nt, with a home of its own.
func peer(dir, name, addr string, more ...string) (*server, error) {
	home := filepath.Join(dir, "home-"+strings.ReplaceAll(name, " ", ""))
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, err
	}
	cmd, err := pinned([]string{"HOME=" + home, "XDG_RUNTIME_DIR=" + home, "XDG_STATE_HOME=", "XDG_CACHE_HOME=", "XDG_CONFIG_HOME=", "GOMAXPROCS=1"}, filepath.Join(dir, "nt"),
		append([]string{"peer", "--proxy", "--proxy-addr", addr, "--admin-addr", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--allow-private"}, more...)...)
	return &server{name: name, addr: addr, forward: true, cmd: cmd}, err
}

func startSquid(dir, _, addr string) (*server, error) {
	conf := fmt.Sprintf("http_port %s\nhttp_access allow all\ncache_mem 64 MB\nmaximum_object_size_in_memory 1 MB\naccess_log none\ncache_log %s/squid.log\npid_filename none\n"+
		"coredump_dir %s\nshutdown_lifetime 0 seconds\npinger_enable off\n", addr, dir, dir)
	if os.Geteuid() == 0 {
		conf += "cache_effective_user proxy\n"
	}
	file := filepath.Join(dir, "squid.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		return nil, err
	}
	cmd, err := pinned(nil, "/usr/sbin/squid", "-N", "-f", file)
	return &server{name: "squid", addr: addr, forward: true, cmd: cmd}, err
}

func startNginx(dir, origin, addr string) (*server, error) {
	conf := fmt.Sprintf("daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/nginx.log;\nevents {}\nhttp { access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;\n"+
		"client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;\n"+
		"proxy_cache_path %[1]s/c keys_zone=z:1m; open_file_cache max=100; upstream o { server %[3]s; keepalive 16; }\n"+
		"server { listen %[2]s; location / { proxy_pass http://o; proxy_set_header Host %[3]s; proxy_set_header Connection ''; proxy_http_version 1.1; proxy_cache z; proxy_cache_revalidate on; } } }\n", dir, addr, origin)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		return nil, err
	}
	cmd, err := pinned(nil, "/usr/sbin/nginx", "-c", file)
	return &server{name: "nginx", addr: addr, cmd: cmd}, err
}
