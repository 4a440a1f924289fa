package netns

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait: a test that hangs fails by name.
const patience = 60 * time.Second

// program is a real process in a box: nt, the origin, or a program of the system.
type program struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	out  output
	errs output
	done chan struct{}
}

// output is what a process has written so far.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// nt starts the binary in a box, in a world of its own: home, state and cache are in a
// folder named after the box. A second user of a box has a name with a point: "hub.two".
func (l *lab) nt(user string, args ...string) *program {
	l.t.Helper()
	home := filepath.Join(l.dir, user)
	box, _, _ := strings.Cut(user, ".")
	return l.spawn(box, "nt", home, append(args, "--allow-private")...)
}

// origin serves a folder over HTTP in a box.
func (l *lab) origin(box, addr, dir string) *program {
	l.t.Helper()
	return l.spawn(box, "origin", l.dir, addr, dir)
}

// spawn starts this test binary in a box in one of its roles.
func (l *lab) spawn(box, role, home string, args ...string) *program {
	l.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		l.t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(home, "run"), 0o700); err != nil {
		l.t.Fatal(err)
	}
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_RUNTIME_DIR=" + home + "/run", roleVar + "=" + role, "NT_LOG_LEVEL=" + cmp.Or(os.Getenv("NT_TEST_LOG"), "warn")}
	return l.program(box, role+" in "+box, env, home, append([]string{exe}, args...)...)
}

// program starts any program in a box; it is killed with t.
func (l *lab) program(box, name string, env []string, dir string, args ...string) *program {
	l.t.Helper()
	p := &program{t: l.t, name: name, done: make(chan struct{})}
	p.cmd = exec.Command("ip", append([]string{"netns", "exec", l.ns(box)}, args...)...) // ip becomes the program
	p.cmd.Env, p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = env, dir, &p.out, &p.errs
	if err := p.cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.done)
	}()
	l.t.Cleanup(p.kill)
	return p
}

// kill is SIGKILL: no goodbye.
func (p *program) kill() {
	p.cmd.Process.Kill()
	<-p.done
}

// line waits for a line on stdout or stderr and returns its first group.
func (p *program) line(expr string) string {
	p.t.Helper()
	re := regexp.MustCompile("(?m)" + expr)
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		ended := false
		select {
		case <-p.done:
			ended = true
		default:
		}
		if m := re.FindStringSubmatch(p.out.String() + p.errs.String()); m != nil {
			return m[len(m)-1]
		}
		if ended || time.Now().After(deadline) {
			p.t.Fatalf("%s: no line matches %q (ended: %v):\n%s%s", p.name, expr, ended, p.out.String(), p.errs.String())
		}
	}
}

// wait waits for the end and returns the exit code.
func (p *program) wait() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("%s does not end:\n%s%s", p.name, p.out.String(), p.errs.String())
	}
	return p.cmd.ProcessState.ExitCode()
}

// report is what nt fetch --json and nt status --json say of where bytes came from.
type report struct {
	Bytes    int64            `json:"bytes"`
	BySource map[string]int64 `json:"bytes_by_source"`
	ByPeer   map[string]int64 `json:"bytes_by_peer"` // KEY@ADDRESS
	// Of nt fetch only.
	ByTransport map[string]int64 `json:"bytes_by_transport"`
	Seconds     float64          `json:"seconds"`
	// Of nt status only.
	Neighbours []struct {
		Addr      string `json:"addr"`
		Transport string `json:"transport"`
		Received  int64  `json:"received_bytes"`
	} `json:"neighbours"`
}

// report waits for a command with --json to end well.
func (p *program) report(into any) {
	p.t.Helper()
	if code := p.wait(); code != 0 {
		p.t.Fatalf("%s: exit %d\n%s%s", p.name, code, p.out.String(), p.errs.String())
	}
	if err := json.Unmarshal([]byte(p.out.String()), into); err != nil {
		p.t.Fatalf("%s: %v in %q", p.name, err, p.out.String())
	}
}

// status asks the peer that runs in a box where its bytes came from.
func (l *lab) status(box string) report {
	l.t.Helper()
	var o struct{ Peer report }
	l.nt(box, "status", "--json").report(&o)
	return o.Peer
}

// from is how many bytes came from the peers at an address.
func (r report) from(ip string) (n int64) {
	for peer, got := range r.ByPeer {
		if _, addr, _ := strings.Cut(peer, "@"); at(addr, ip) {
			n += got
		}
	}
	for _, peer := range r.Neighbours {
		if at(peer.Addr, ip) {
			n += peer.Received
		}
	}
	return n
}

func at(addr, ip string) bool {
	a, err := netip.ParseAddrPort(addr)
	return err == nil && a.Addr().String() == ip
}

// get reads a page of a box over HTTP: the tracker's statistics and the like.
func (l *lab) get(box, url string) string {
	l.t.Helper()
	p := l.browse(box, "", url)
	if code := p.wait(); code != 0 {
		l.t.Fatalf("%s: %s", url, p.errs.String())
	}
	return p.out.String()
}

// browse starts a reader of a page, through a proxy if there is one.
func (l *lab) browse(box, proxy, url string) *program {
	l.t.Helper()
	return l.spawn(box, "get", l.dir, url, proxy)
}

// poll reads a page until it matches.
func (l *lab) poll(box, url, expr string) {
	l.t.Helper()
	re := regexp.MustCompile(expr)
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		last := l.get(box, url)
		if re.MatchString(last) {
			return
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("%s does not come to match %q: %s", url, expr, last)
		}
	}
}

// sameFile fails the test unless a file has these bytes.
func sameFile(t *testing.T, name string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(name)
	if err != nil {
		t.Error(err)
	} else if !bytes.Equal(got, want) {
		t.Errorf("%s has %d bytes, other than the page's %d", name, len(got), len(want))
	}
}
