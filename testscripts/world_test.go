package testscripts

import (
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"nt/internal/resource"
)

// cmdPoll asks a URL until the answer matches.
func cmdPoll(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: poll URL REGEXP")
	}
	re, err := regexp.Compile(args[1])
	ts.Check(err)
	client := &http.Client{Transport: &http.Transport{}, Timeout: patience}
	var last string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		resp, err := client.Get(args[0])
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
	ts.Fatalf("%s does not come to match %q: %s", args[0], args[1], last)
}

// cmdWorld starts an origin, a tracker and N peers with proxies, called p1, p2, ...,
// each with a cache of its own.
func cmdWorld(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.Atoi(args[0])
	if neg || err != nil {
		ts.Fatalf("usage: world N [FLAG...]")
	}
	cmdSpawn(ts, false, []string{"origin", "origin"})
	cmdWaitline(ts, false, []string{"origin", "origin listening on (.*)", "ORIGIN"})
	cmdSpawn(ts, false, []string{"tracker", "nt", "tracker", "--listen", "127.0.0.1:0"})
	cmdWaitline(ts, false, []string{"tracker", "nt: tracker listening on (.*)", "TRACKER"})
	for i := range n {
		name := fmt.Sprintf("p%d", i+1)
		cmdSpawn(ts, false, append([]string{
			name, "nt", "peer", "--cache", name, "--listen", "127.0.0.1:0", "--proxy", "--proxy-addr", "127.0.0.1:0",
			"--admin-addr", "127.0.0.1:0", "--tracker", ts.Getenv("TRACKER"),
		}, args[1:]...))
		cmdWaitline(ts, false, []string{name, "nt: proxy listening on (.*)", strings.ToUpper(name)})
		cmdWaitline(ts, false, []string{name, "nt: admin listening on (.*)", "ADMIN" + strconv.Itoa(i+1)})
	}
}

// cmdMkfile writes a file of pseudo-random bytes.
func cmdMkfile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mkfile FILE SIZE")
	}
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{1}).Read(b)
	ts.Check(os.MkdirAll(filepath.Dir(ts.MkAbs(args[0])), 0o700))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
}

// cmdPortof sets a variable to the port of HOST:PORT.
func cmdPortof(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: portof VAR HOST:PORT")
	}
	_, port, err := net.SplitHostPort(args[1])
	ts.Check(err)
	ts.Setenv(args[0], port)
}

// cmdUrlkey sets a variable to the key under which trackers know a URL.
func cmdUrlkey(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: urlkey VAR URL")
	}
	u, err := resource.ParseURL(args[1])
	ts.Check(err)
	ts.Setenv(args[0], u.Key().String())
}

// cmdEtag sets a variable to the ETag in a header file.
func cmdEtag(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: etag VAR FILE")
	}
	_, rest, ok := strings.Cut(ts.ReadFile(args[1]), "Etag: ")
	if !ok {
		ts.Fatalf("no ETag in %s", args[1])
	}
	tag, _, _ := strings.Cut(rest, "\n")
	ts.Setenv(args[0], tag)
}

// cmdSamehead compares two headers of answers given at different moments: the same but
// for the Date, which both must have.
func cmdSamehead(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: samehead FILE FILE")
	}
	one, other := undated(ts, args[0]), undated(ts, args[1])
	if one != other {
		ts.Fatalf("%s and %s differ:\n%s\n%s", args[0], args[1], one, other)
	}
}

// undated returns a header's text with its one Date taken out.
func undated(ts *testscript.TestScript, file string) string {
	lines := strings.Split(ts.ReadFile(file), "\n")
	rest := slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return strings.HasPrefix(l, "Date: ") })
	if len(lines)-len(rest) != 1 {
		ts.Fatalf("%s has %d Date fields", file, len(lines)-len(rest))
	}
	return strings.Join(rest, "\n")
}

// cmdNotarykey sets a variable to the notary key in an answer of /v1/info.
func cmdNotarykey(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: notarykey VAR FILE")
	}
	_, rest, ok := strings.Cut(ts.ReadFile(args[1]), `"notary":"`)
	if !ok {
		ts.Fatalf("no notary in %s", args[1])
	}
	key, _, _ := strings.Cut(rest, `"`)
	ts.Setenv(args[0], key)
}

// cmdFlip changes one bit of a file, or of every file in a folder that is larger than
// the offset.
func cmdFlip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip FILE|DIR OFFSET")
	}
	at, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	flipped := 0
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil || int64(len(b)) <= at {
			return err
		}
		b[at] ^= 1
		flipped++
		return os.WriteFile(path, b, 0o600)
	}))
	if flipped == 0 {
		ts.Fatalf("nothing in %s is larger than %d bytes", args[0], at)
	}
}
