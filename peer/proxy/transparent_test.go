package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nt/peer"
	"nt/peer/origin"
)

// directResolver is a Resolver that asks the origin and nobody else.
type directResolver struct{ t *http.Transport }

func (d directResolver) Resolve(r *http.Request, inform Inform) (*http.Response, error) {
	return d.t.RoundTrip(r.WithContext(withInform(r.Context(), inform)))
}

const gz = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcbH\xcd\xc9\xc9\x07\x00\x86\xa6\x106\x05\x00\x00\x00"

// transparentCases are requests (method, path, further lines and body) and the
// bytes with which the origin answers. A response without framing ends with the
// connection.
var transparentCases = []struct{ name, method, path, rest, response string }{
	{"ok", "GET", "/", "", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"},
	{"no type, no date", "GET", "/", "", "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n<html>sniff</html"},
	{"empty body", "GET", "/", "", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
	{"date is the origin's", "GET", "/", "", "HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2001 00:00:00 GMT\r\nContent-Length: 1\r\n\r\nx"},
	{"chunked stays chunked", "GET", "/", "", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n"},
	{"chunked and short", "GET", "/", "", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"},
	{"chunked and empty", "GET", "/", "", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	{"trailers", "GET", "/", "TE: trailers\r\nConnection: TE\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Digest, X-End\r\n\r\n2\r\nok\r\n0\r\nDigest: sha-256=abc\r\nX-End: 1\r\n\r\n"},
	{"gzip untouched", "GET", "/", "Accept-Encoding: gzip\r\n", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 25\r\n\r\n" + gz},
	{"gzip nobody asked for", "GET", "/", "", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 25\r\n\r\n" + gz},
	{"redirect", "GET", "/r", "", "HTTP/1.1 302 Found\r\nLocation: /elsewhere?a=b\r\nContent-Length: 4\r\n\r\nmove"},
	{"permanent redirect without body", "GET", "/r", "", "HTTP/1.1 301 Moved Permanently\r\nLocation: http://other.example/\r\nContent-Length: 0\r\n\r\n"},
	{"conditional", "GET", "/", "If-None-Match: \"v1\"\r\n", "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\nCache-Control: max-age=60\r\n\r\n"},
	{"304 with type and length", "GET", "/", "If-None-Match: \"v1\"\r\n", "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\nContent-Type: text/css\r\nContent-Length: 1234\r\n\r\n"},
	{"range", "GET", "/", "Range: bytes=1-3\r\n", "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 1-3/10\r\nContent-Length: 3\r\n\r\n123"},
	{"multipart range", "GET", "/", "Range: bytes=0-0,2-2\r\n", "HTTP/1.1 206 Partial Content\r\nContent-Type: multipart/byteranges; boundary=B\r\nContent-Length: 9\r\n\r\n--B--\r\n\r\n"},
	{"unsatisfiable", "GET", "/", "Range: bytes=99-\r\n", "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */10\r\nContent-Length: 0\r\n\r\n"},
	{"head", "HEAD", "/", "", "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 123456\r\n\r\n"},
	{"head without length", "HEAD", "/", "", "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n"},
	{"head not found", "HEAD", "/", "", "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n"},
	{"no content", "GET", "/", "", "HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n"},
	{"not found", "GET", "/", "", "HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nno"},
	{"gone", "GET", "/", "", "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"},
	{"unauthorised", "GET", "/", "", "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nWWW-Authenticate: Digest realm=\"x\"\r\nContent-Length: 0\r\n\r\n"},
	{"server error", "GET", "/", "", "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops"},
	{"unknown status", "GET", "/", "", "HTTP/1.1 299 Odd\r\nContent-Length: 3\r\n\r\nodd"},
	{"cookies in order", "GET", "/", "", "HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\nSet-Cookie: a=3\r\nContent-Length: 0\r\n\r\n"},
	{"empty and odd fields", "GET", "/", "", "HTTP/1.1 200 OK\r\nX-Empty:\r\nx-lower: v\r\nX-Spaces:   a  b  \r\nX-Utf8: \xc3\xa9\r\nX-Latin: \xe9\r\nContent-Length: 0\r\n\r\n"},
	{"connection-named field", "GET", "/", "", "HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nok"},
	{"early hints", "GET", "/", "", "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </b.js>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
	{"processing", "POST", "/", "Content-Length: 1\r\n\r\nx", "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
	{"post", "POST", "/form", "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\na=1&b=2", "HTTP/1.1 201 Created\r\nLocation: /form/1\r\nContent-Length: 0\r\n\r\n"},
	{"post chunked with trailer", "POST", "/", "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
	{"put", "PUT", "/x", "Content-Length: 3\r\n\r\nabc", "HTTP/1.1 204 No Content\r\nETag: W/\"1\"\r\n\r\n"},
	{"delete", "DELETE", "/x", "", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
	{"options", "OPTIONS", "/x", "Origin: http://a.example\r\n", "HTTP/1.1 204 No Content\r\nAllow: GET\r\nAccess-Control-Allow-Origin: *\r\n\r\n"},
	{"unknown method", "PROPFIND", "/dav/", "Depth: 1\r\n", "HTTP/1.1 207 Multi-Status\r\nContent-Type: application/xml\r\nContent-Length: 4\r\n\r\n<a/>"},
	{"get with body", "GET", "/", "Content-Length: 2\r\n\r\nhi", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
	{"ends with the connection", "GET", "/", "", "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end"},
	{"odd path", "GET", "/a|b^c/%2e%2E/x?q=%zz|\"x", "", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
	{"lone percent", "GET", "/100%", "", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
	{"broken escapes", "GET", "/%zz/%2/%41?q=%&r=%%20", "", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
	{"escaped text", "GET", "/%C3%A9%20%7e?q=%C3%A9", "", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
	{"escaped slash", "GET", "/a%2fb//c/./d;p=1", "", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
	{"double slash", "GET", "//a//b|", "", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
	{"looks like a copy", "GET", "/", "", "HTTP/1.1 200 OK\r\nVia: 1.1 cdn\r\nAge: 7\r\nContent-Length: 0\r\n\r\n"},
}

// TestN5_TheAnswerIsTheOriginsOwn compares, case by case, what a raw client reads
// from the origin and what it reads through the proxy, and what the origin read.
func TestN5_TheAnswerIsTheOriginsOwn(t *testing.T) {
	_, plain := start(t, nil)
	_, resolved := start(t, func(c *Config) {
		c.Resolver = directResolver{newTransport(Config{Dial: c.Dial}, 4)}
	})
	node := testNode(t, origin.Config{})
	_, whole := start(t, func(c *Config) { c.Resolver = FromNode(node, peer.Request{}) })
	for _, c := range transparentCases {
		t.Run(c.name, func(t *testing.T) {
			seen := make(chan string, 1)
			site := rawOrigin(t, func(conn net.Conn, br *bufio.Reader) {
				head, err := readRequest(br)
				if err != nil {
					head = "unreadable: " + err.Error()
				}
				seen <- head
				conn.Write([]byte(c.response))
			})
			request := func(target string) string {
				head, body, found := strings.Cut(c.rest, "\r\n\r\n")
				if found {
					head += "\r\n"
				}
				return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: test/1\r\nAccept: */*\r\n%s\r\n%s", c.method, target, site, head, body)
			}
			want := exchange(t, site, c.method, request(c.path)).endToEnd()
			wantSeen := <-seen
			for name, proxy := range map[string]string{"passed": plain, "resolved": resolved, "node": whole} {
				got := exchange(t, proxy, c.method, request("http://"+site+c.path)).endToEnd()
				if want.Framing == "close" { // ours is better: the end can be told from a cut
					got.Framing = "close"
				}
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("%s: -direct +proxy:\n%s", name, d)
				}
				if d := cmp.Diff(asSeen(wantSeen), asSeen(<-seen)); d != "" {
					t.Errorf("%s: the origin read -direct +proxy:\n%s", name, d)
				}
			}
		})
	}
}

// asSeen sorts out of a raw request what may differ: the order and case of field
// names, hop-by-hop fields, chunk sizes and our Via.
func asSeen(raw string) map[string]any {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		return map[string]any{"unreadable": raw}
	}
	body := new(strings.Builder)
	_, err = io.Copy(body, r.Body)
	h := r.Header.Clone()
	dropHopByHop(h)
	h.Del("Via")
	return map[string]any{
		"line": r.Method + " " + strings.TrimPrefix(r.RequestURI, "http://"+r.Host), "host": r.Host, "header": h, "body": body.String(),
		"err": err, "length": r.ContentLength, "trailer": fmt.Sprint(r.Trailer),
	}
}
