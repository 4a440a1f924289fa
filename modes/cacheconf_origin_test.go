package modes

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// caseOrigin answers by the path's case and what the test says is next.
type caseOrigin struct {
	*httptest.Server
	mu   sync.Mutex
	next map[string]reply
	saw  map[string][]http.Header
}

func newCaseOrigin(t *testing.T) *caseOrigin {
	o := &caseOrigin{next: map[string]reply{}, saw: map[string][]http.Header{}}
	o.Server = httptest.NewServer(o)
	t.Cleanup(o.Close)
	return o
}

func (o *caseOrigin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	say := o.next[r.URL.Path]
	o.saw[r.URL.Path] = append(o.saw[r.URL.Path], r.Header)
	o.mu.Unlock()
	if say.down {
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
		return
	}
	w.Header()["Content-Type"] = []string{"text/plain"}
	for name, values := range fieldsOf(say.fields) {
		w.Header()[name] = values
	}
	w.WriteHeader(say.status)
	io.WriteString(w, say.body)
}

// fieldsOf reads "Name: value|Name: value".
func fieldsOf(text string) http.Header {
	h := http.Header{}
	for f := range strings.SplitSeq(text, "|") {
		if name, v, ok := strings.Cut(f, ": "); ok {
			h.Add(name, v)
		}
	}
	return h
}

// run plays a case and returns "" or what went wrong.
func (p product) run(o *caseOrigin, n int, c cacheCase) string {
	path := fmt.Sprintf("/%s/%d", p.name, n)
	for i, s := range c.steps {
		o.mu.Lock()
		o.next[path] = s.origin
		before := len(o.saw[path])
		o.mu.Unlock()
		resp, body, err := p.ask(path, s)
		if err != nil {
			return fmt.Sprintf("step %d: %v", i+1, err)
		}
		o.mu.Lock()
		seen := o.saw[path][before:]
		o.mu.Unlock()
		if why := s.judge(resp, body, seen); why != "" {
			return fmt.Sprintf("step %d: %s", i+1, why)
		}
	}
	return ""
}

func (p product) ask(path string, s step) (*http.Response, string, error) {
	method := s.method
	if method == "" {
		method = "GET"
	}
	req, err := http.NewRequest(method, p.base+path, nil)
	if err != nil {
		return nil, "", err
	}
	req.Header = fieldsOf(s.fields)
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

// judge compares with what must come of the step.
func (s step) judge(resp *http.Response, body string, seen []http.Header) string {
	switch {
	case s.asked == "yes" && len(seen) == 0:
		return "the origin was not asked"
	case s.asked == "no" && len(seen) > 0:
		return "the origin was asked"
	case s.status == 502 && resp.StatusCode >= 500: // which 5xx is the product's choice
	case s.status != 0 && resp.StatusCode != s.status:
		return fmt.Sprintf("status %d", resp.StatusCode)
	}
	if s.body != "" && body != s.body {
		return fmt.Sprintf("body %.20q", body)
	}
	for _, h := range seen {
		if name, gone := strings.CutPrefix(s.sees, "!"); gone && h.Get(name) != "" {
			return "the origin was sent " + name
		} else if name, v, _ := strings.Cut(s.sees, ": "); !gone && s.sees != "" && h.Get(name) != v {
			return "the origin was not sent " + s.sees
		}
	}
	name, gone := strings.CutPrefix(s.has, "!")
	switch {
	case s.has == "?marked":
		if resp.StatusCode < 500 && resp.Header.Get("Warning") == "" && resp.Header.Get("Nt-Source") == "" {
			return fmt.Sprintf("%d %.20q, and nothing says that it is a copy", resp.StatusCode, body)
		}
	case gone && resp.Header.Get(name) != "":
		return "the reader got " + name
	case !gone && name != "" && resp.Header.Get(name) == "":
		return "the reader did not get " + name
	}
	return ""
}
