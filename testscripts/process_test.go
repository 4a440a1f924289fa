package testscripts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience bounds every wait of a script: a test that hangs fails by name.
const patience = 30 * time.Second

type processesKey struct{}

// processes are what one script has spawned, by name.
type processes struct{ byName map[string]*process }

type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

func procs(ts *testscript.TestScript) *processes {
	return ts.Value(processesKey{}).(*processes)
}

func (p *processes) get(ts *testscript.TestScript, name string) *process {
	proc, ok := p.byName[name]
	if !ok {
		ts.Fatalf("nothing was spawned as %s", name)
	}
	return proc
}

// command prepares a program with the script's environment and directory.
func command(ts *testscript.TestScript, args []string) *exec.Cmd {
	path, err := lookPath(ts, args[0])
	ts.Check(err)
	cmd := exec.Command(path, args[1:]...)
	cmd.Dir = ts.Getenv("WORK")
	cmd.Env = scriptEnv(ts)
	return cmd
}

// lookPath finds a program in the script's PATH, where testscript put ours first.
func lookPath(ts *testscript.TestScript, name string) (string, error) {
	for dir := range strings.SplitSeq(ts.Getenv("PATH"), string(os.PathListSeparator)) {
		path := dir + string(os.PathSeparator) + name
		if info, err := os.Stat(path); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("no program %s", name)
}

// scriptEnv returns the variables a script's processes see. testscript has no way to
// list them, so those that matter are named.
func scriptEnv(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range []string{
		"PATH", "HOME", "WORK", "TMPDIR", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR",
		"NT_ALLOW_PRIVATE", "NT_TRACKER", "NT_CONFIG", "NT_CACHE", "NT_PATIENCE", "NT_TRUST", "SSL_CERT_FILE", "GOCOVERDIR", "TESTSCRIPT_COMMAND",
	} {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

func cmdSpawn(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: spawn NAME PROGRAM ARG...")
	}
	p, name := procs(ts), args[0]
	cmd := command(ts, args[1:])
	out, err := os.Create(ts.MkAbs(name + ".out"))
	ts.Check(err)
	defer out.Close()
	errs, err := os.Create(ts.MkAbs(name + ".err"))
	ts.Check(err)
	defer errs.Close()
	cmd.Stdout, cmd.Stderr = out, errs
	ts.Check(cmd.Start())
	proc := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		cmd.Wait()
		close(proc.done)
	}()
	ts.Defer(func() { proc.end() })
	if p.byName == nil {
		p.byName = map[string]*process{}
	}
	p.byName[name] = proc
}

// end kills the process and waits for it.
func (p *process) end() {
	p.cmd.Process.Kill()
	<-p.done
}

func cmdWaitline(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: waitline NAME REGEXP [VAR...]")
	}
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	proc := procs(ts).byName[args[0]] // nil: a log file that some process writes
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		ended := proc != nil && isClosed(proc.done)
		if groups := re.FindStringSubmatch(output(ts, args[0])); groups != nil {
			for i, name := range args[2:] {
				ts.Setenv(name, groups[i+1])
			}
			return
		}
		if ended || time.Now().After(deadline) {
			ts.Fatalf("no line of %s matches %q (ended: %v):\n%s", args[0], args[1], ended, output(ts, args[0]))
		}
	}
}

// output returns what a spawned process has written so far, or a file.
func output(ts *testscript.TestScript, name string) string {
	var all string
	for _, file := range []string{name, name + ".out", name + ".err"} {
		if b, err := os.ReadFile(ts.MkAbs(file)); err == nil {
			all += string(b)
		}
	}
	return all
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func cmdSignal(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]syscall.Signal{"KILL": syscall.SIGKILL, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT}
	if neg || len(args) != 2 || signals[args[1]] == 0 {
		ts.Fatalf("usage: signal NAME KILL|TERM|HUP|INT|STOP|CONT")
	}
	proc := procs(ts).get(ts, args[0])
	ts.Check(proc.cmd.Process.Signal(signals[args[1]]))
	if args[1] == "KILL" {
		<-proc.done
	}
}

func cmdReap(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: reap NAME [CODE]")
	}
	proc := procs(ts).get(ts, args[0])
	select {
	case <-proc.done:
	case <-time.After(patience):
		ts.Fatalf("%s did not end:\n%s", args[0], output(ts, args[0]))
	}
	if len(args) == 2 {
		if got := strconv.Itoa(proc.cmd.ProcessState.ExitCode()); got != args[1] {
			ts.Fatalf("%s ended with %s, want %s:\n%s", args[0], got, args[1], output(ts, args[0]))
		}
	}
}

func cmdMode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode NAME MODE")
	}
	file := ts.MkAbs(args[0] + ".mode")
	ts.Check(os.WriteFile(file+"~", []byte(args[1]), 0o600))
	ts.Check(os.Rename(file+"~", file))
}

// cmdCode runs a program and expects one exit code; stdout and stderr can be
// looked at afterwards in the files stdout and stderr.
func cmdCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code CODE PROGRAM ARG...")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	prepared := command(ts, args[1:])
	cmd := exec.CommandContext(ctx, prepared.Path, prepared.Args[1:]...)
	cmd.Dir, cmd.Env = prepared.Dir, prepared.Env
	out, err := os.Create(ts.MkAbs("out"))
	ts.Check(err)
	defer out.Close()
	errs, err := os.Create(ts.MkAbs("err"))
	ts.Check(err)
	defer errs.Close()
	cmd.Stdout, cmd.Stderr = out, errs
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		ts.Fatalf("%v: %v", args[1:], err)
	}
	b, _ := os.ReadFile(ts.MkAbs("err"))
	ts.Logf("[code] %s\n[stderr]\n%s", strings.Join(args[1:], " "), b)
	if got := strconv.Itoa(cmd.ProcessState.ExitCode()); got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}
