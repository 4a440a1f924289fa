package browser

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
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
}

type reply struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

type event struct {
	Method string
	Params json.RawMessage
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
	c := &chromium{t: t, to: to, waiting: map[int]chan reply{}, changed: make(chan struct{})}
	read := make(chan struct{})
	go func() { c.read(from); close(read) }()
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
		<-read
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

func (c *chromium) read(from io.Reader) {
	r := bufio.NewReaderSize(from, 1<<20)
	for {
		raw, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var m struct {
			ID int
			reply
			event
		}
		if err := json.Unmarshal(raw[:len(raw)-1], &m); err != nil {
			continue
		}
		c.mu.Lock()
		if m.ID != 0 {
			if ch := c.waiting[m.ID]; ch != nil {
				ch <- m.reply
			}
		} else {
			c.events = append(c.events, m.event)
			close(c.changed)
			c.changed = make(chan struct{})
		}
		c.mu.Unlock()
	}
}

// call sends a command and waits for its answer.
func (c *chromium) call(method string, params any) (json.RawMessage, error) {
	answer := make(chan reply, 1)
	c.mu.Lock()
	c.last++
	id := c.last
	c.waiting[id] = answer
	c.mu.Unlock()
	m := map[string]any{"id": id, "method": method}
	if params != nil {
		m["params"] = params
	}
	if c.session != "" && !strings.HasPrefix(method, "Browser.") {
		m["sessionId"] = c.session
	}
	b, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	if _, err := c.to.Write(append(b, 0)); err != nil {
		return nil, err
	}
	select {
	case r := <-answer:
		if r.Error != nil {
			return nil, fmt.Errorf("%s: %s", method, r.Error.Message)
		}
		return r.Result, nil
	case <-time.After(patience):
		return nil, fmt.Errorf("%s: no answer", method)
	}
}

func (c *chromium) must(method string, params, result any) {
	c.t.Helper()
	raw, err := c.call(method, params)
	if err == nil && result != nil {
		err = json.Unmarshal(raw, result)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// load opens a URL, waits until the page has loaded, and returns the fields of the
// document's response, in lower case.
func (c *chromium) load(url string) map[string]string {
	c.t.Helper()
	c.mu.Lock()
	c.events = nil
	c.mu.Unlock()
	var nav struct{ ErrorText string }
	c.must("Page.navigate", map[string]any{"url": url}, &nav)
	if nav.ErrorText != "" {
		c.t.Fatalf("%s: %s", url, nav.ErrorText)
	}
	c.wait("Page.loadEventFired")
	for _, e := range c.seen("Network.responseReceived") {
		var p struct {
			Type     string
			Response struct{ Headers map[string]string }
		}
		if json.Unmarshal(e.Params, &p) == nil && p.Type == "Document" {
			out := map[string]string{}
			for k, v := range p.Response.Headers {
				out[strings.ToLower(k)] = v
			}
			return out
		}
	}
	c.t.Fatalf("%s: no response for the document", url)
	return nil
}

func (c *chromium) seen(method string) (out []event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.events {
		if e.Method == method {
			out = append(out, e)
		}
	}
	return out
}

func (c *chromium) wait(method string) {
	c.t.Helper()
	late := time.After(patience)
	for {
		c.mu.Lock()
		changed := c.changed
		there := slices.ContainsFunc(c.events, func(e event) bool { return e.Method == method })
		c.mu.Unlock()
		if there {
			return
		}
		select {
		case <-changed:
		case <-late:
			c.t.Fatalf("no %s", method)
		}
	}
}

// complaints returns what the console says is wrong with the page that was loaded.
func (c *chromium) complaints() (out []string) {
	for _, e := range c.seen("Log.entryAdded") {
		var p struct {
			Entry struct{ Level, Text, URL string }
		}
		if json.Unmarshal(e.Params, &p) == nil && p.Entry.Level == "error" {
			out = append(out, p.Entry.Text+" "+p.Entry.URL)
		}
	}
	for _, e := range c.seen("Runtime.consoleAPICalled") {
		if strings.Contains(string(e.Params), `"type":"error"`) {
			out = append(out, string(e.Params))
		}
	}
	for _, method := range []string{"Runtime.exceptionThrown", "Network.loadingFailed"} {
		for _, e := range c.seen(method) {
			out = append(out, method+" "+string(e.Params))
		}
	}
	return out
}

// eval returns a JavaScript expression's value.
func (c *chromium) eval(expression string, value any) {
	c.t.Helper()
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	c.must("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}, &r)
	if r.ExceptionDetails != nil {
		c.t.Fatalf("%s: %s", expression, r.ExceptionDetails)
	}
	if err := json.Unmarshal(r.Result.Value, value); err != nil {
		c.t.Fatal(err)
	}
}

// screenshot returns the page as a PNG.
func (c *chromium) screenshot() []byte {
	c.t.Helper()
	var r struct{ Data string }
	c.must("Page.captureScreenshot", map[string]any{"format": "png"}, &r)
	b, err := base64.StdEncoding.DecodeString(r.Data)
	if err != nil {
		c.t.Fatal(err)
	}
	return b
}

// protocols returns what the page's parts came over.
func (c *chromium) protocols() map[string]bool {
	out := map[string]bool{}
	for _, e := range c.seen("Network.responseReceived") {
		var p struct{ Response struct{ Protocol string } }
		if json.Unmarshal(e.Params, &p) == nil {
			out[p.Response.Protocol] = true
		}
	}
	return out
}
