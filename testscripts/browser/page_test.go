package browser

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

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
