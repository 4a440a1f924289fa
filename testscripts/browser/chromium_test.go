package browser

import (
	"context"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"nt/internal/testenv"
)

// patience bounds every single wait: a hanging test fails instead.
const patience = 60 * time.Second

// chromium is a real browser with an empty profile, driven over its debugging pipe: the
// messages of the DevTools protocol as JSON, each ended by a zero byte.
type chromium struct {
	t       *testing.T
	to      io.WriteCloser
	session string // of its one page

	mu      sync.Mutex
	last    int
	waiting map[int]chan reply
	events  []event
	changed chan struct{} // closed and replaced at every event
	gone    chan struct{} // closed when the browser says nothing more
}

// startChromium starts a browser in home, where its profile and its certificates are.
func startChromium(t *testing.T, home string, flags ...string) *chromium {
	t.Helper()
	path, err := exec.LookPath("chromium")
	testenv.SkipUnless(t, err == nil, "needs Debian's chromium")
	fromUs, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, toUs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--window-size=900,640",
		"--remote-debugging-pipe", "--user-data-dir=" + t.TempDir()}, flags...)
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "HOME="+home)
	cmd.ExtraFiles = []*os.File{fromUs, toUs} // 3 and 4 over there
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	fromUs.Close()
	toUs.Close()
	c := &chromium{t: t, to: to, waiting: map[int]chan reply{}, changed: make(chan struct{}), gone: make(chan struct{})}
	go func() { c.read(from); close(c.gone) }()
	t.Cleanup(func() {
		c.call("Browser.close", nil) // so that it lets go of its profile
		done := make(chan struct{})
		go func() { cmd.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			cancel()
			<-done
		}
		cancel()
		to.Close()
		from.Close()
		<-c.gone
	})
	c.open()
	return c
}

// open makes the page.
func (c *chromium) open() {
	c.t.Helper()
	var target struct{ TargetID string }
	c.must("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	c.must("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	c.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		c.must(domain+".enable", nil, nil)
	}
}
