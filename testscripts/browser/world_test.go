package browser

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"nt/internal/testenv"
	"nt/modes"
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
	late := time.AfterFunc(patience, func() { cmd.Process.Kill() }) // which ends the reading
	defer late.Stop()
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
