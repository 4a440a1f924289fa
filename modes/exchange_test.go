package modes

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nt/internal/safedial"
)

// What the corpus in testdata is made of, odd but legal: every exchange takes one of each list, in steps that
// bring every pair of neighbouring lists together.
func oddMethods() []string {
	return []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "REPORT", "GET", "QUERY", "GET"}
}

func oddPaths() []string {
	return []string{
		"/plain", "/a//b", "//double", "/a/../b/./c", "/%7Euser", "/a|b", "/x?", "/x?a=1&a=2&=&b", "/?q=a+b%20c", "/;p=1;q", "/a?b?c=/../",
		"/%E4%B8%AD", "/" + strings.Repeat("long/", 700), "/a%2Fb", "/'(quote)!*", "/x?" + strings.Repeat("k=v&", 300), "/{curly}[square]",
	}
}

func oddRequestFields() []string {
	return []string{
		"", "X-Empty:\r\n", "x-lower: 1\r\nX-UPPER: 2\r\n", "X-Twice: a\r\nX-Other: b\r\nX-Twice: c\r\n", "X-Space:   padded\t \r\n", "!#$%&'*+-.^_`|~: token\r\n",
		"X-Obs: gr\xfc\xdfe\r\n", "Accept-Encoding: gzip, br;q=0.5\r\n", "User-Agent: odd (1; 2) \"q\"\r\n", "X-Comma: a, b,, c\r\nX-Quote: \"a, b\"\r\n", "X-Long: " + strings.Repeat("v", 7000) + "\r\n",
		"Connection: X-Hop\r\nX-Hop: gone\r\n", "Cookie: a=1\r\nCookie: b=2\r\n", "Cache-Control: no-cache\r\nPragma: no-cache\r\n", "Max-Forwards: 5\r\n",
		"If-None-Match: \"a\", W/\"b\"\r\n", "Range: bytes=0-1\r\nIf-Range: \"a\"\r\n", "Te: trailers\r\nConnection: te\r\n", strings.Repeat("X-Many: 1\r\n", 90),
	}
}

// oddBodies are ways to frame a request's body.
func oddBodies() []string {
	return []string{
		"", "Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n1;ext=\"v\"\r\nh\r\n4\r\nello\r\n0\r\n\r\n", "Content-Length: 0\r\n\r\n",
		"Content-Length: 40000\r\n\r\n" + strings.Repeat("body", 10000), "Content-Length: 005\r\n\r\nhello",
	}
}

func oddStatuses() []int {
	return []int{200, 201, 299, 206, 204, 301, 304, 307, 400, 401, 404, 410, 418, 451, 500, 501, 599}
}

func oddReplyFields() []string {
	return []string{
		"", "Content-Type: text/html\r\n", "Set-Cookie: a=1\r\nSet-Cookie: b=2; Path=/\r\n", "X-Empty:\r\n", "x-lower: 1\r\n", "X-Obs: gr\xfc\xdfe\r\n", "Location: http://elsewhere.example/?a#b\r\n",
		"Vary: Accept-Encoding, Cookie\r\n", "Cache-Control: no-store\r\nPragma: no-cache\r\nExpires: 0\r\n", "Etag: W/\"odd'tag\"\r\n", "Content-Encoding: gzip\r\n", "Link: </a>; rel=preload\r\nLink: </b>; rel=next\r\n",
		"Date: Thu, 01 Jan 2015 00:00:00 GMT\r\n", "Www-Authenticate: Basic realm=\"a\", Digest x=\"y, z\"\r\n", "Content-Disposition: attachment; filename*=UTF-8''%e2%82%ac\r\n", "X-Long: " + strings.Repeat("v", 30000) + "\r\n",
		"Connection: X-Hop\r\nX-Hop: gone\r\n", strings.Repeat("X-Many: 1\r\n", 120), "Age: 5\r\nWarning: 110 - \"stale\"\r\n", "Accept-Ranges: none\r\nContent-Range: bytes 0-4/10\r\n",
	}
}

// oddFramings are ways to frame a reply's body; %d is its length where it is needed.
func oddFramings() []func(body string) string {
	chunk := func(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }
	return []func(string) string{
		func(b string) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(b), b) },
		func(b string) string { return "Transfer-Encoding: chunked\r\n\r\n" + chunk(b) + "0\r\n\r\n" },
		func(b string) string {
			return "Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b[:1]) + chunk(b[1:]) + "0\r\nX-Sum: 1\r\n\r\n"
		},
		func(b string) string { return "Connection: close\r\n\r\n" + b },
		func(string) string { return "Content-Length: 0\r\n\r\n" },
		func(b string) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(b)+7, b) },     // cut
		func(b string) string { return "Transfer-Encoding: chunked\r\n\r\n" + chunk(b) + "9\r\ncut" }, // cut
	}
}

// rawExchange is one of the corpus.
type rawExchange struct {
	method, path, fields, body string
	reply                      string
}

func rawExchanges(n int) []rawExchange {
	var out []rawExchange
	pick := func(i, of int) int { return i % of }
	for i := range n {
		e := rawExchange{
			method: oddMethods()[pick(i, len(oddMethods()))], path: oddPaths()[pick(i, len(oddPaths()))],
			fields: oddRequestFields()[pick(i+i/11, len(oddRequestFields()))], body: oddBodies()[pick(i+i/17, len(oddBodies()))],
		}
		if e.method == "GET" || e.method == "HEAD" {
			e.body = oddBodies()[pick(i, 2)*4] // none, or an empty one
		}
		status := oddStatuses()[pick(i+i/13, len(oddStatuses()))]
		framing := oddFramings()[pick(i+i/19, len(oddFramings()))]
		body := strings.Repeat(fmt.Sprintf("body %d ", i), 1+i%40)
		switch {
		case e.method == "HEAD" || status == 304:
			framing = func(string) string { return "Content-Length: 12\r\n\r\n" }
		case status == 204:
			framing = func(string) string { return "\r\n" }
		}
		proto, early := "HTTP/1.1", ""
		if i%9 == 0 {
			early = "HTTP/1.1 103 Early Hints\r\nLink: </s.css>; rel=preload\r\n\r\n"
		}
		e.reply = early + fmt.Sprintf("%s %d Odd Words\r\n%s%s", proto, status, oddReplyFields()[pick(i+i/23, len(oddReplyFields()))], framing(body))
		out = append(out, e)
	}
	return out
}

// request writes the exchange's request in origin-form or, for a proxy, absolute form.
func (e rawExchange) request(host string, absolute bool) string {
	target := e.path
	if absolute {
		target = "http://" + host + e.path
	}
	if e.body == "" {
		return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", e.method, target, host, e.fields)
	}
	return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\n%s%s", e.method, target, host, e.fields, e.body)
}

// outcome is what counts of an exchange.
type outcome struct {
	early   string
	status  int
	header  http.Header
	trailer http.Header
	body    string
	cut     bool
}

// rawOrigin answers every connection's first request with the reply of the moment.
type rawOrigin struct {
	net.Listener
	mu    sync.Mutex
	reply string
	got   []string
}

func newRawOrigin(t *testing.T) *rawOrigin {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &rawOrigin{Listener: l}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go o.answer(c)
		}
	}()
	return o
}

func (o *rawOrigin) answer(c net.Conn) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return
	}
	body, err := io.ReadAll(r.Body)
	o.mu.Lock()
	o.got = append(o.got, describeRequest(r, body, err))
	reply := o.reply
	o.mu.Unlock()
	io.WriteString(c, reply)
}

// take sets the next reply and returns what was asked since the last call.
func (o *rawOrigin) take(reply string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	got := o.got
	o.got, o.reply = nil, reply
	return got
}

// describeRequest leaves out what belongs to one connection, and our Via.
func describeRequest(r *http.Request, body []byte, err error) string {
	h := endToEnd(r.Header)
	delete(h, "Via")
	if r.Method == http.MethodOptions {
		delete(h, "Max-Forwards") // which every proxy must count down (RFC 9110, 7.6.2)
	}
	return fmt.Sprintf("%s %s %s %v %q %v", r.Method, r.RequestURI, r.Host, flat(h), body, err)
}

// endToEnd drops the fields of one connection.
func endToEnd(h http.Header) http.Header {
	h = h.Clone()
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)); name != "Te" { // it lists what we pass on
				delete(h, name)
			}
		}
	}
	for _, name := range []string{"Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length", "Trailer", "Te"} {
		delete(h, name)
	}
	return h
}

func flat(h http.Header) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(h)) {
		fmt.Fprintf(&b, "%s=%q ", k, h[k])
	}
	return b.String()
}

// exchange sends raw bytes and reads what comes of them.
func exchangeRaw(addr, method, raw string) (outcome, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return outcome{}, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	go io.WriteString(c, raw) // the answer may come before the end
	in := bufio.NewReader(c)
	var out outcome
	for {
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return outcome{}, err
		}
		if resp.StatusCode < 200 {
			out.early += fmt.Sprint(resp.StatusCode, flat(endToEnd(resp.Header)))
			continue
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		out.status, out.header, out.body, out.trailer = resp.StatusCode, endToEnd(resp.Header), string(body), resp.Trailer
		out.cut = errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !out.cut {
			return outcome{}, err
		}
		return out, nil
	}
}

// differs says in what two outcomes do; "" if in nothing.
func (o outcome) differs(p outcome) string {
	switch {
	case o.status != p.status:
		return fmt.Sprintf("status %d, %d", o.status, p.status)
	case o.early != p.early:
		return fmt.Sprintf("early %q, %q", o.early, p.early)
	case flat(o.header) != flat(p.header):
		return fmt.Sprintf("fields\n%.600s\n%.600s", flat(o.header), flat(p.header))
	case o.cut != p.cut:
		return fmt.Sprintf("cut %v, %v", o.cut, p.cut)
	case o.cut && !strings.HasPrefix(o.body, p.body) || !o.cut && o.body != p.body:
		return fmt.Sprintf("body of %d bytes, %d", len(o.body), len(p.body))
	case flat(o.trailer) != flat(p.trailer):
		return fmt.Sprintf("trailer %v, %v", o.trailer, p.trailer)
	}
	return ""
}

// TestN20_FiveHundredExchangesAreTheSame plays the corpus directly and through the
// proxy: the origin must see the same request and the reader the same answer.
func TestN20_FiveHundredExchangesAreTheSame(t *testing.T) {
	o := newRawOrigin(t)
	host := o.Addr().String()
	p := startSSRF(t, safedial.Dialer{}, true)
	all := corpusExchanges(t)
	if len(all) < 500 {
		t.Fatalf("%d exchanges in the corpus, want 500", len(all))
	}
	bad := 0
	for i, e := range all {
		o.take(e.reply)
		direct, err := exchangeRaw(host, e.method, e.request(host, false))
		if err != nil {
			t.Fatalf("exchange %d is not legal: %v\n%.300q\n%.300q", i, err, e.request(host, false), e.reply)
		}
		asked := o.take(e.reply)
		proxied, err := exchangeRaw(p.proxyAddr, e.method, e.request(host, true))
		through := o.take("")
		why := ""
		switch {
		case err != nil:
			why = err.Error()
		case len(asked) != 1 || len(through) != 1 || asked[0] != through[0]:
			why = fmt.Sprintf("the origin saw\n%.600q\n%.600q", asked, through)
		default:
			why = direct.differs(proxied)
		}
		if why != "" {
			if bad++; bad <= 8 {
				t.Errorf("exchange %d: %s\nrequest %.200q\nreply %.200q", i, why, e.request(host, true), e.reply)
			}
		}
	}
	if bad > 0 {
		t.Errorf("%d of %d exchanges differ", bad, len(all))
	}
}
