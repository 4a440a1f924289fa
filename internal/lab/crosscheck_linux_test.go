package lab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"nt/internal/simnet"
	"nt/internal/simnet/tun"
	"nt/internal/testenv"
	"nt/modes"
)

// The cross-check: the programs as users run them, each in a network namespace of its own
// whose link is emulated by the same code as in the lab, with the kernel's own TCP and UDP and in
// real time, against the figures of virtual time.

const roleVar = "NT_LAB_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVar) {
	case "nt":
		os.Exit(modes.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ()))
	case "server":
		fmt.Fprintln(os.Stderr, http.ListenAndServe(os.Args[1], http.FileServer(http.Dir(os.Args[2]))))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// TestLabCrossCheck runs a few hosts; with NT_LAB=full fifty, whose means must be within 20 %
// of the virtual ones, on a machine that has nothing else to do.
func TestLabCrossCheck(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs in real time")
	}
	testenv.NeedRoot(t)
	for _, tool := range []string{"ip", "curl", "aria2c"} {
		_, err := exec.LookPath(tool)
		testenv.SkipUnless(t, err == nil, "needs the command "+tool)
	}
	full := os.Getenv("NT_LAB") == "full"
	hosts := 10
	if full {
		hosts = 50
	}
	x := newCrossCheck(t, hosts)
	table := "\n| program | hosts | readers | per second | virtual mean, p95 | real mean, p95 | real over virtual | emulation late by |\n|---|---|---|---|---|---|---|---|\n"
	for _, c := range []struct {
		name    string
		read    func(*station) *exec.Cmd
		system  System
		readers int
		rate    float64
	}{
		{"curl", x.curl, PlainHTTP(), hosts / 5, 0.5},
		{"aria2c", x.aria2c, PlainHTTP(), hosts / 5, 0.5},
		{"nt fetch", x.fetch, Roulette("tuned", "kcp", startKCPClock), hosts - 2, 4},
	} {
		virtual := x.virtual(c.system, Case{Size: int64(len(x.original.Bytes)), Kbps: 800, Rate: c.rate, Readers: c.readers})
		real := x.real(c.read, c.readers, c.rate)
		line := fmt.Sprintf("| %s | %d | %d | %g | %.2f, %.2f s | %.2f, %.2f s | %.2f | %.2f s |\n", c.name, hosts, c.readers, c.rate, virtual.Mean, virtual.P95, real.Mean, real.P95, real.Mean/virtual.Mean, x.net.Lateness().Seconds())
		t.Log(line)
		table += line
		if real.Done != c.readers || real.Mean < real.Bound {
			t.Errorf("%s: %d of %d readers done, mean %.2f s; their bytes alone take %.2f s", c.name, real.Done, c.readers, real.Mean, real.Bound)
		}
		if off := real.Mean / virtual.Mean; full && (off < 0.8 || off > 1.2) {
			t.Errorf("%s: %.2f s, in virtual time %.2f s", c.name, real.Mean, virtual.Mean)
		}
	}
	t.Logf("an event of the emulation was at most %v late", x.net.Lateness())
	if full { // beside the text that is there
		page := filled(t, "cross-check.md", map[string]string{"cross-check": table})
		if err := os.WriteFile(filepath.Join(docsDir, "cross-check.md"), page, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// station is one emulated computer.
type station struct {
	host *simnet.Host
	ns   string
	home string
}

type crossCheck struct {
	t        *testing.T
	net      *simnet.Net
	rng      *rand.Rand
	original *Original
	tracker  *station
	seed     *station
	readers  []*station
	url      string // of the page at the tracker's, for nt
	page     string // at the seed's own server
}

func newCrossCheck(t *testing.T, hosts int) *crossCheck {
	t.Helper()
	original, err := NewOriginal(1, 128*kib)
	if err != nil {
		t.Fatal(err)
	}
	x := &crossCheck{t: t, net: simnet.New(simnet.Config{Seed: 1}), rng: rand.New(rand.NewPCG(1, 1)), original: original}
	t.Cleanup(func() { x.net.Close() })
	dir := t.TempDir()
	site := filepath.Join(dir, "site")
	if err := os.MkdirAll(site, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(site, "page.bin"), original.Bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	x.tracker = x.station(dir, 0, simnet.Link{Delay: 5 * time.Millisecond})
	for i := 1; i < hosts; i++ {
		delay := time.Duration((0.1 + 1.8*x.rng.Float64()) * float64(30*time.Millisecond) / 2)
		x.readers = append(x.readers, x.station(dir, i, simnet.Link{Up: 800_000, Down: 800_000, Delay: delay}))
	}
	x.seed, x.readers = x.readers[0], x.readers[1:]
	x.url = "http://" + x.tracker.host.Addr().String() + ":8000/page.bin"
	x.page = "http://" + x.seed.host.Addr().String() + ":8000/page.bin"
	x.spawn(x.tracker, "server", ":8000", site)
	x.spawn(x.seed, "server", ":8000", site)
	x.spawn(x.tracker, "nt", "tracker", "--listen", x.trackerAddr(), "--allow-private")
	config := filepath.Join(dir, "seed.toml")
	if err := os.WriteFile(config, []byte("[transport.roulette]\nuplink = 100000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	x.spawn(x.seed, "nt", "peer", "--config", config, "--tracker", x.trackerAddr(), "--listen", x.seed.host.Addr().String()+":4000", "--proxy", "--admin-addr", "127.0.0.1:0", "--allow-private")
	x.until(x.command(x.seed, nil, "curl", "-sf", "--retry", "20", "--retry-connrefused", "--retry-delay", "1", "-x", "127.0.0.1:3128", "-o", "/dev/null", x.url), "")
	x.until(x.command(x.tracker, nil, "curl", "-sf", "http://"+x.trackerAddr()+"/v1/stats"), `"stated":1`)
	return x
}

func (x *crossCheck) trackerAddr() string { return x.tracker.host.Addr().String() + ":7070" }

// station makes a namespace whose only way out is an emulated link.
func (x *crossCheck) station(dir string, i int, link simnet.Link) *station {
	x.t.Helper()
	s := &station{host: x.net.Host(link), ns: fmt.Sprintf("ntcheck-%d-%d", os.Getpid(), i), home: filepath.Join(dir, strconv.Itoa(i))}
	if err := os.MkdirAll(filepath.Join(s.home, "run"), 0o700); err != nil {
		x.t.Fatal(err)
	}
	x.do("ip", "netns", "add", s.ns)
	x.t.Cleanup(func() { exec.Command("ip", "netns", "del", s.ns).Run() })
	device, err := tun.Open(s.ns, "tun0")
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() { device.Close() })
	x.do("ip", "-n", s.ns, "link", "set", "lo", "up")
	x.do("ip", "-n", s.ns, "addr", "add", s.host.Addr().String()+"/32", "dev", "tun0")
	x.do("ip", "-n", s.ns, "link", "set", "tun0", "up")
	x.do("ip", "-n", s.ns, "route", "add", "default", "dev", "tun0")
	x.do("ip", "netns", "exec", s.ns, "sh", "-c", "echo reno > /proc/sys/net/ipv4/tcp_congestion_control")
	go tun.Run(s.host, device) // ends when the device is closed
	return s
}

func (x *crossCheck) do(args ...string) {
	x.t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		x.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// command prepares a program at a station.
func (x *crossCheck) command(s *station, env []string, args ...string) *exec.Cmd {
	cmd := exec.Command("ip", append([]string{"netns", "exec", s.ns}, args...)...)
	cmd.Dir, cmd.Env = s.home, append(env, "PATH="+os.Getenv("PATH"), "HOME="+s.home, "XDG_RUNTIME_DIR="+s.home+"/run")
	return cmd
}

func (x *crossCheck) role(s *station, role string, args ...string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		x.t.Fatal(err)
	}
	return x.command(s, []string{roleVar + "=" + role}, append([]string{exe}, args...)...)
}

// spawn starts a program that runs until the test ends.
func (x *crossCheck) spawn(s *station, role string, args ...string) {
	x.t.Helper()
	cmd := x.role(s, role, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if x.t.Failed() {
			x.t.Logf("%s %v: %s", role, args, out.String())
		}
	})
}

// until runs a command again and again until it succeeds and says what is expected.
func (x *crossCheck) until(cmd *exec.Cmd, want string) {
	x.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		again := *cmd
		out, err := again.CombinedOutput()
		if err == nil && strings.Contains(string(out), want) {
			return
		}
		if time.Now().After(deadline) {
			x.t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
		}
	}
}

func (x *crossCheck) curl(s *station) *exec.Cmd {
	return x.command(s, nil, "curl", "-sf", "-o", "out", x.page)
}

func (x *crossCheck) aria2c(s *station) *exec.Cmd {
	return x.command(s, nil, "aria2c", "-q", "--no-conf", "--split=1", "--file-allocation=none", "--allow-overwrite", "-o", "out", x.page)
}

func (x *crossCheck) fetch(s *station) *exec.Cmd {
	return x.role(s, "nt", "fetch", "--no-origin", "--tracker", x.trackerAddr(), "--allow-private", "--json", "-o", "out", x.url)
}

// real lets readers come, one in each slot of 1/rate at a random moment of it, as World does.
// A reader's time is its process's, but nt's as it says itself: starting
// fifty of them costs this machine more than the network does.
func (x *crossCheck) real(read func(*station) *exec.Cmd, readers int, rate float64) Result {
	x.t.Helper()
	start, took := time.Now(), make(chan time.Duration, readers)
	for i, s := range x.readers[:readers] {
		slot := float64(time.Second) / rate
		time.Sleep(time.Until(start.Add(time.Duration((float64(i) + x.rng.Float64()) * slot))))
		go func() { took <- x.one(s, read(s)) }()
	}
	r := Result{Bound: Solo(int64(len(x.original.Bytes)), 100_000).Seconds()}
	var all []time.Duration
	for range readers {
		if d := <-took; d > 0 {
			all = append(all, d)
		}
	}
	r.Done = len(all)
	r.times(all)
	return r
}

// one runs one reader and returns how long it took, 0 if it failed.
func (x *crossCheck) one(s *station, cmd *exec.Cmd) time.Duration {
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	start := time.Now()
	err := cmd.Run()
	took := time.Since(start)
	got, readErr := os.ReadFile(filepath.Join(s.home, "out"))
	os.Remove(filepath.Join(s.home, "out"))
	if err != nil || readErr != nil || !bytes.Equal(got, x.original.Bytes) {
		x.t.Errorf("%v: %v, %v, %d bytes\n%s%s", cmd.Args, err, readErr, len(got), out.String(), errs.String())
		return 0
	}
	var report struct{ Seconds float64 }
	if json.Unmarshal(out.Bytes(), &report) == nil && report.Seconds > 0 {
		return time.Duration(report.Seconds * float64(time.Second))
	}
	return took
}

// virtual is the median of three runs of the lab.
func (x *crossCheck) virtual(s System, c Case) Result {
	x.t.Helper()
	var all []Result
	for seed := range 3 {
		c.Seed = uint64(seed + 1)
		x.t.Run(fmt.Sprintf("%s in virtual time, seed %d", s.Name, c.Seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, err := Run(s, c)
				if err != nil || r.Done != c.Readers {
					t.Fatalf("%v: %s", err, r.Note())
				}
				all = append(all, r)
			})
		})
	}
	return Median(all)
}
