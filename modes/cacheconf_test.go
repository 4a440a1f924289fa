package modes

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const conformanceDoc = "../docs/experiments/cache-conformance.md"

var rewrite = flag.Bool("rewrite", false, "write the table of cache conformance to docs/experiments")

// reply is what the origin says to one request. down cuts the connection.
type reply struct {
	status int
	fields string // "Name: value; ..." separated by "|"
	body   string
	down   bool
}

// step is one request and what must come of it.
type step struct {
	method, fields string
	origin         reply // if it is asked
	// asked: "yes" and "no" say whether the origin must be asked, "" that both are right.
	asked  string
	status int    // 0: any
	body   string // "": any
	// sees is looked for among what the origin received, has among the reply's fields.
	sees, has string
}

// cacheCase is a sequence of requests for one URL.
type cacheCase struct {
	id, rule string
	optional bool // an optimisation, or a service: not showing it breaks no rule
	steps    []step
}

func ok(fields string) reply    { return reply{200, fields, "first", false} }
func again(fields string) reply { return reply{200, fields, "second", false} }
func dead() reply               { return reply{down: true} }

// notReused returns the usual two steps: what is stored after the first must not answer the second.
func notReused(id, rule, fields, first, second string) cacheCase {
	return cacheCase{id, rule, false, []step{
		{fields: first, origin: ok(fields), body: "first"}, {fields: second, origin: again(fields), asked: "yes", body: "second"},
	}}
}

func reused(id, rule, fields string) cacheCase {
	return cacheCase{id, rule, true, []step{{origin: ok(fields), body: "first"}, {origin: again(fields), asked: "no", body: "first"}}}
}

// outage returns two steps with the origin gone at the second.
func outage(id, rule, fields string, optional bool, second step) cacheCase {
	second.origin = dead()
	return cacheCase{id, rule, optional, []step{{origin: ok(fields), body: "first"}, second}}
}

// changed returns three steps: an unsafe method between two GETs.
func changed(id, method string, status int) cacheCase {
	return cacheCase{id, "RFC 9111 4.4", false, []step{
		{origin: ok("Cache-Control: max-age=3600"), body: "first"},
		{method: method, origin: reply{status: status, body: "done"}, asked: "yes", status: status},
		{origin: again("Cache-Control: max-age=3600"), asked: "yes", body: "second"},
	}}
}

func cacheCases() []cacheCase {
	past, long := "Thu, 01 Jan 2015 00:00:00 GMT", "Cache-Control: max-age=3600"
	cc := func(v string) string { return "Cache-Control: " + v }
	cases := []cacheCase{
		reused("fresh max-age", "4.2.1", long),
		reused("fresh s-maxage over max-age=0", "4.2.1", cc("max-age=0, s-maxage=3600")),
		reused("fresh Expires", "4.2.1", "Expires: Thu, 01 Jan 2099 00:00:00 GMT"),
		reused("fresh by heuristic", "4.2.2", "Last-Modified: "+past),
		reused("Vary on a field that did not change", "4.1", long+"|Vary: Foo"),
		notReused("no-store", "5.2.2.5", cc("no-store, max-age=3600"), "", ""),
		notReused("NO-STORE in capitals", "5.2", cc("NO-STORE, max-age=3600"), "", ""),
		notReused("no-store in a second field", "5.2", long+"|"+cc("no-store"), "", ""),
		notReused("no-cache", "5.2.2.4", cc("no-cache, max-age=3600"), "", ""),
		notReused("private", "5.2.2.7", cc("private, max-age=3600"), "", ""),
		notReused("max-age=0", "4.2", cc("max-age=0"), "", ""),
		notReused("s-maxage=0 over max-age", "5.2.2.10", cc("s-maxage=0, max-age=3600"), "", ""),
		notReused("Expires in the past", "5.3", "Expires: "+past, "", ""),
		notReused("Expires: 0", "5.3", "Expires: 0", "", ""),
		notReused("max-age=0 over Expires", "5.3", cc("max-age=0")+"|Expires: Thu, 01 Jan 2099 00:00:00 GMT", "", ""),
		notReused("Age beyond max-age", "4.2.3", long+"|Age: 7200", "", ""),
		notReused("Date long ago", "4.2.3", long+"|Date: "+past, "", ""),
		notReused("request with Authorization", "3.5", long, "Authorization: Basic eDp5", "Authorization: Basic eDp5"),
		notReused("Vary: *", "4.1", long+"|Vary: *", "", ""),
		notReused("Vary on a field that changed", "4.1", long+"|Vary: Foo", "Foo: 1", "Foo: 2"),
		notReused("Vary in two fields", "4.1", long+"|Vary: Foo|Vary: Bar", "Bar: 1", "Bar: 2"),
		notReused("request no-cache", "5.2.1.4", long, "", "Cache-Control: no-cache"),
		notReused("request max-age=0", "5.2.1.1", long, "", "Cache-Control: max-age=0"),
		notReused("request no-store", "5.2.1.5", long, "Cache-Control: no-store", ""),
		notReused("must-revalidate and stale", "5.2.2.2", cc("max-age=0, must-revalidate"), "", ""),
		changed("POST invalidates", "POST", 200), changed("PUT invalidates", "PUT", 201),
		changed("DELETE invalidates", "DELETE", 204), changed("PATCH invalidates", "PATCH", 200), changed("POST with redirect invalidates", "POST", 303),
		{"reply to POST is not reused", "RFC 9110 9.3.3", false, []step{
			{method: "POST", origin: ok(long), body: "first"}, {origin: again(long), asked: "yes", body: "second"}}},
		{"reply to HEAD is no body", "RFC 9110 9.3.2", false, []step{
			{method: "HEAD", origin: ok(long)}, {origin: again(long), asked: "yes", body: "second"}}},
		{"206 is not the whole", "3.3", false, []step{
			{fields: "Range: bytes=0-1", origin: reply{206, long + "|Content-Range: bytes 0-1/6", "se", false}, status: 206},
			{origin: again(long), asked: "yes", body: "second", status: 200}}},
		{"404 without freshness is not reused", "4.2.2", false, []step{
			{origin: reply{404, "", "first", false}, status: 404}, {origin: again(""), asked: "yes", status: 200}}},
		{"the reader's own 304 passes", "4.3.2", false, []step{
			{fields: `If-None-Match: "a"`, origin: reply{304, `Etag: "a"`, "", false}, asked: "yes", status: 304}}},
		{"stale is validated by its ETag", "4.3.1", true, []step{
			{origin: ok(cc("max-age=0") + `|Etag: "a"`)},
			{origin: reply{304, cc("max-age=0") + `|Etag: "a"`, "", false}, asked: "yes", sees: `If-None-Match: "a"`, body: "first"}}},
		{"a range of what is stored", "RFC 9110 14.2", true, []step{
			{origin: ok(long), body: "first"}, {fields: "Range: bytes=1-2", origin: reply{206, long + "|Content-Range: bytes 1-2/5", "ir", false}, asked: "no", status: 206, body: "ir"}}},
		{"If-Range that differs gets the whole", "RFC 9110 13.1.5", false, []step{
			{origin: ok(long + `|Etag: "a"`)}, {fields: `Range: bytes=1-2|If-Range: "b"`, origin: again(long + `|Etag: "b"`), status: 200}}},
		{"only-if-cached without a copy", "5.2.1.7", false, []step{
			{fields: "Cache-Control: only-if-cached", origin: ok(long), asked: "no", status: 504}}},
		{"only-if-cached with a fresh copy", "5.2.1.7", true, []step{
			{origin: ok(long)}, {fields: "Cache-Control: only-if-cached", origin: again(long), asked: "no", status: 200, body: "first"}}},
		{"fields named by Connection go", "RFC 9110 7.6.1", false, []step{
			{fields: "Connection: X-Hop|X-Hop: 1", origin: reply{200, "Connection: X-Back|X-Back: 1", "first", false}, sees: "!X-Hop", has: "!X-Back"}}},
		{"no-transform leaves bytes as they are", "RFC 9110 7.7", false, []step{
			{origin: ok(cc("no-transform") + "|Content-Encoding: gzip"), body: "first", has: "Content-Encoding"}}},
		{"no warmed-up error", "CPDoS", false, []step{
			{fields: "X-Odd: 1", origin: reply{400, "", "bad", false}, status: 400}, {origin: again(""), asked: "yes", status: 200}}},

		outage("down: a fresh copy", "4.2.4", long, true, step{status: 200, body: "first"}),
		outage("down: a stale copy", "4.2.4", cc("max-age=0"), true, step{status: 200, body: "first"}),
		outage("down: a stale copy tells its Age", "5.1", long+"|Date: "+past, true, step{status: 200, body: "first", has: "Age"}),
		outage("down: a copy by stale-if-error", "RFC 5861 4", cc("max-age=0, stale-if-error=600"), true, step{status: 200, body: "first"}),
		outage("down: nothing of no-store", "5.2.2.5", cc("no-store"), false, step{status: 502}),
		outage("down: nothing of private", "5.2.2.7", cc("private, max-age=3600"), false, step{status: 502}),
		outage("down: nothing of another Vary", "4.1", long+"|Vary: Foo", false, step{fields: "Foo: 2", status: 502}),
		outage("down: must-revalidate is not shown as if fresh", "5.2.2.2", cc("max-age=0, must-revalidate"), false, step{has: "?marked"}),
		outage("down: no-cache is not shown as if fresh", "5.2.2.4", cc("no-cache"), false, step{has: "?marked"}),
		outage("down: a reload is not shown as if fresh", "5.2.1.4", cc("max-age=0"), false, step{fields: "Cache-Control: no-cache", has: "?marked"}),
		outage("down: a range of the copy", "RFC 9110 14.2", long, true, step{fields: "Range: bytes=1-2", status: 206, body: "ir"}),
		outage("down: 304 for the reader's tag", "4.3.2", long+`|Etag: "a"`, true, step{fields: `If-None-Match: "a"`, status: 304}),
		outage("down: HEAD", "RFC 9110 9.3.2", long, true, step{method: "HEAD", status: 200}),
		outage("down: POST fails", "RFC 9110 9.2.1", long, false, step{method: "POST", status: 502}),
		outage("down: an authorised request gets no copy of another's", "3.5", cc("max-age=0"), false, step{fields: "Authorization: Basic eDp5", has: "?marked"}),
		{"down: no copy is an error", "", false, []step{{origin: dead(), status: 502}}},
	}
	for _, status := range []int{502, 503, 504} {
		cases = append(cases, cacheCase{fmt.Sprintf("gateway's %d: a copy instead", status), "RFC 5861 4", true, []step{
			{origin: ok(cc("max-age=0, stale-if-error=600")), body: "first"}, {origin: reply{status, "", "broken", false}, status: 200, body: "first"}}},
			cacheCase{fmt.Sprintf("gateway's %d passes when there is no copy", status), "", false, []step{{origin: reply{status, "", "broken", false}, status: status, body: "broken"}}})
	}
	return cases
}

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

// product is a cache under test: a client that goes through it, and the base of URLs.
type product struct {
	name   string
	client *http.Client
	base   string
	doc    []string // how it was set up
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

// viaProxy returns a client that asks through an HTTP proxy.
func viaProxy(addr string) *http.Client {
	return &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: addr}), DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func ntProduct(t *testing.T, o *caseOrigin, name string, serveFresh bool) product {
	key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	p, err := startPeer(t.Context(), peerOptions{proxyAddr: "127.0.0.1:0", adminAddr: "127.0.0.1:0", hot: 1 << 20, node: nodeOptions{
		serveFresh: serveFresh, key: key, cacheDir: t.TempDir(), listen: "127.0.0.1:0", allowPrivate: true, share: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.close(context.Background()) })
	return product{name: name, client: settling{viaProxy(p.proxyAddr), p}.client(), base: o.URL}
}

// settling waits after each request until the node has stored what it brought.
type settling struct {
	*http.Client
	p *peerNode
}

func (s settling) client() *http.Client {
	inner := s.Client.Transport
	s.Client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		if err := s.p.node.Settle(r.Context()); err != nil {
			return nil, err
		}
		return inner.RoundTrip(r)
	})
	return s.Client
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// freePort returns a port that nobody listens on.
func freePort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// startServer runs a server of the system until the test ends and waits for its port.
func startServer(t *testing.T, port, program string, args ...string) {
	cmd := exec.Command(program, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for range 400 {
		if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			c.Close()
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("%s does not listen", program)
}

// serverDir returns a folder that a server which changes its user can write to.
func serverDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "nt-cache-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

func squidProduct(t *testing.T, o *caseOrigin, program string) product {
	dir, port := serverDir(t), freePort(t)
	conf := fmt.Sprintf("http_port 127.0.0.1:%s\nhttp_access allow all\ncache_mem 32 MB\naccess_log none\ncache_log %s/log\npid_filename none\n"+
		"coredump_dir %s\nshutdown_lifetime 0 seconds\nrefresh_pattern . 0 20%% 4320\nnegative_ttl 0 seconds\npinger_enable off\n", port, dir, dir)
	if u, err := user.Current(); err == nil && u.Uid == "0" {
		conf += "cache_effective_user proxy\n"
	}
	write(t, dir, "conf", conf)
	startServer(t, port, program, "-N", "-f", filepath.Join(dir, "conf"))
	return product{name: "squid", client: viaProxy("127.0.0.1:" + port), base: o.URL, doc: []string{"a forward proxy with Debian's defaults and a memory cache"}}
}

func nginxProduct(t *testing.T, o *caseOrigin, program string) product {
	dir, port := serverDir(t), freePort(t)
	conf := fmt.Sprintf("daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/log;\nevents {}\nhttp { access_log off;\n"+
		"client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;\n"+
		"proxy_cache_path %[1]s/c keys_zone=z:1m;\nserver { listen 127.0.0.1:%[2]s; location / { proxy_pass %[3]s; proxy_http_version 1.1; proxy_cache z; proxy_cache_revalidate on;\n"+
		"proxy_cache_use_stale error timeout http_502 http_503 http_504; } } }\n", dir, port, o.URL)
	write(t, dir, "conf", conf)
	startServer(t, port, program, "-c", filepath.Join(dir, "conf"))
	client := viaProxy("")
	client.Transport = &http.Transport{DisableCompression: true}
	return product{name: "nginx", client: client, base: "http://127.0.0.1:" + port}
}

func write(t *testing.T, dir, name, text string) {
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestCacheConformance plays the cases against nt, and against Squid and nginx where
// Debian's are installed. nt may break no rule; what the others do is reported.
func TestCacheConformance(t *testing.T) {
	o := newCaseOrigin(t)
	const fresh = "nt --serve-fresh"
	products := []product{ntProduct(t, o, "nt", false), ntProduct(t, o, fresh, true)}
	for name, start := range map[string]func(*testing.T, *caseOrigin, string) product{"squid": squidProduct, "nginx": nginxProduct} {
		program := "/usr/sbin/" + name
		if _, err := os.Stat(program); err != nil {
			t.Logf("without %s, which is not installed", name)
			continue
		}
		products = append(products, start(t, o, program))
	}
	cases := cacheCases()
	results := make(map[string][]string)
	for _, p := range products {
		for n, c := range cases {
			results[p.name] = append(results[p.name], p.run(o, n, c))
		}
	}
	shown := 0
	for _, name := range []string{"nt", fresh} {
		for n, why := range results[name] {
			if why != "" && !cases[n].optional {
				t.Errorf("%s: %s (%s): %s", name, cases[n].id, cases[n].rule, why)
			}
			if why == "" && cases[n].optional && name == fresh {
				shown++
			}
		}
	}
	if shown < 5 {
		t.Errorf("%s shows %d of the services a shared cache may do", fresh, shown)
	}
	for n, c := range cases { // what nt is for
		if strings.HasPrefix(c.id, "down: ") && results["nt"][n] != "" {
			t.Errorf("%s: %s", c.id, results["nt"][n])
		}
	}
	if *rewrite && len(products) == 4 {
		write(t, filepath.Dir(conformanceDoc), filepath.Base(conformanceDoc), conformanceTable(cases, results))
	}
}

// conformanceTable is the page with the results.
func conformanceTable(cases []cacheCase, results map[string][]string) string {
	var b strings.Builder
	names := []string{"nt", "nt --serve-fresh", "squid", "nginx"}
	b.WriteString("# Cache conformance\n\nOur own cases, modelled on those of http-tests/cache-tests, played by `go test ./modes -run TestCacheConformance -rewrite` against nt's proxy (which asks\n" +
		"the origin first unless it runs with --serve-fresh), Debian's Squid as a forward proxy and Debian's nginx as `proxy_cache` with revalidation and stale-on-error.\n" +
		"**yes**: as the rule says. **-**: an optional service or optimisation that it does not show. **NO**: a rule is broken, as we read it. A rule without a document is a section of RFC 9111.\n" +
		"nginx is a site's own gateway and by its makers' intention ignores what requests say about caching, and asks by GET for the whole where a reader asks by HEAD or for a part.\n\n")
	b.WriteString("| case | rule | " + strings.Join(names, " | ") + " |\n|---|---|---|---|---|---|\n")
	sums := map[string][3]int{}
	for n, c := range cases {
		fmt.Fprintf(&b, "| %s | %s |", c.id, c.rule)
		for _, name := range names {
			sum, cell := sums[name], "yes"
			switch why := results[name][n]; {
			case why == "":
				sum[0]++
			case c.optional:
				cell = "-"
				sum[1]++
			default:
				cell = "NO: " + why
				sum[2]++
			}
			sums[name] = sum
			b.WriteString(" " + cell + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
	for _, name := range names {
		fmt.Fprintf(&b, "* %s: %d yes, %d not shown, %d broken, of %d\n", name, sums[name][0], sums[name][1], sums[name][2], len(cases))
	}
	return b.String()
}
