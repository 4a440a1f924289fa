package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"nt/modes"
)

// asNT in the environment makes this program nt.
const asNT = "NT_LAB_AS_NT"

// beNT runs nt and ends, where this process was started to be it.
func beNT() {
	if os.Getenv(asNT) != "" {
		os.Exit(modes.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ()))
	}
}

// lab is where processes run: a directory for their state, and what nt is.
type lab struct {
	nt  string // path of nt; "" is this program
	dir string
	out io.Writer

	peers net.Listener // of everybody who announces, see listenForAll

	mu    sync.Mutex
	procs []*proc
}

func newLab(nt string, out io.Writer) (*lab, error) {
	peers, err := listenForAll()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "trackerlab")
	if err != nil {
		peers.Close()
		return nil, err
	}
	return &lab{nt: nt, dir: dir, out: out, peers: peers}, nil
}

// close kills what still runs.
func (l *lab) close() {
	l.mu.Lock()
	procs := l.procs
	l.mu.Unlock()
	for _, p := range procs {
		p.kill()
	}
	l.peers.Close()
	os.RemoveAll(l.dir)
}

func (l *lab) printf(format string, args ...any) { fmt.Fprintf(l.out, format+"\n", args...) }

// proc is one process.
type proc struct {
	cmd  *exec.Cmd
	addr string        // of nt: where it listens
	done chan struct{} // closed when it has ended
}

// command prepares a process with a home of its own; prefix, such as taskset, may be empty.
func (l *lab) command(home string, prefix []string, program string, args ...string) *exec.Cmd {
	env := append(os.Environ(), "XDG_STATE_HOME="+l.dir+"/"+home, "XDG_CACHE_HOME="+l.dir+"/"+home, "XDG_CONFIG_HOME="+l.dir+"/"+home, "XDG_RUNTIME_DIR="+l.dir+"/"+home)
	if program == "nt" {
		if program = l.nt; program == "" {
			program, _ = os.Executable()
			env = append(env, asNT+"=1")
		}
	}
	argv := append(append(prefix[:len(prefix):len(prefix)], program), args...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = l.dir, env
	return cmd
}

func (l *lab) start(cmd *exec.Cmd) (*proc, error) {
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", cmd.Args[0], err)
	}
	p := &proc{cmd: cmd, done: make(chan struct{})}
	go func() {
		cmd.Wait()
		close(p.done)
	}()
	l.mu.Lock()
	l.procs = append(l.procs, p)
	l.mu.Unlock()
	return p, nil
}

// listening starts nt and waits until it says that word listens.
func (l *lab) listening(word string, cmd *exec.Cmd) (*proc, error) {
	said, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = write
	p, err := l.start(cmd)
	write.Close()
	if err != nil {
		said.Close()
		return nil, err
	}
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		if _, addr, ok := strings.Cut(lines.Text(), "nt: "+word+" listening on "); ok {
			p.addr = addr
			go io.Copy(io.Discard, said) // ends with the process
			return p, nil
		}
		l.printf("%s", lines.Text())
	}
	return nil, fmt.Errorf("%v ended without listening", cmd.Args)
}

// tracker starts `nt tracker` on a free port, or on the one given.
func (l *lab) tracker(home, listen string, prefix []string, args ...string) (*proc, error) {
	all := append([]string{"tracker", "--listen", listen, "--allow-private", "--no-notary"}, args...)
	return l.listening("tracker", l.command(home, prefix, "nt", all...))
}

// kill ends the process as kill -9 does.
func (p *proc) kill() {
	p.cmd.Process.Kill()
	<-p.done
}

// stop asks the process to end and waits for it.
func (p *proc) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.done
}

// status returns a line of /proc/PID/status in kB, e.g. VmHWM.
func (p *proc) status(name string) int64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte(name+":")); ok {
			n, _ := strconv.ParseInt(string(bytes.Fields(rest)[0]), 10, 64)
			return n
		}
	}
	return 0
}

// cpu returns the CPU time the process has used.
func (p *proc) cpu() time.Duration {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	_, rest, _ := bytes.Cut(b, []byte(") ")) // behind the name, which may hold anything
	f := bytes.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(string(f[11]), 10, 64)
	system, _ := strconv.ParseInt(string(f[12]), 10, 64)
	return time.Duration(user+system) * time.Second / 100 // USER_HZ of every Linux
}

// metrics reads /metrics of a tracker.
func (p *proc) metrics() (map[string]float64, error) {
	resp, err := http.Get("http://" + p.addr + "/metrics")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	m := map[string]float64{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), " "); ok && name != "#" {
			m[strings.TrimPrefix(name, "nt_tracker_")], _ = strconv.ParseFloat(value, 64)
		}
	}
	return m, errors.Join(lines.Err())
}
