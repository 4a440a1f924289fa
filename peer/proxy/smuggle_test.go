package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// smuggling are the bytes of requests that parsers are known to disagree on. @
// stands for the origin's host and port.
var smuggling = []struct{ name, raw string }{
	{"CL and TE", "POST http://@/ HTTP/1.1\r\nHost: @\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	{"TE and CL", "POST http://@/ HTTP/1.1\r\nHost: @\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"},
	{"two CL", "POST http://@/ HTTP/1.1\r\nHost: @\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde"},
	{"two equal CL", "POST http://@/ HTTP/1.1\r\nHost: @\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nabcd"},
	{"CL list", "POST http://@/ HTTP/1.1\r\nHost: @\r\nContent-Length: 4, 4\r\n\r\nabcd"},
	{"CL with sign", "POST http://@/ HTTP/1.1\r\nHost: @\r\nContent-Length: +4\r\n\r\nabcd"},
	{"negative CL", "POST http://@/ HTTP/1.1\r\nHost: @\r\nContent-Length: -4\r\n\r\nabcd"},
	{"hexadecimal CL", "POST http://@/ HTTP/1.1\r\nHost: @\r\nContent-Length: 0x4\r\n\r\nabcd"},
	{"empty CL", "POST http://@/ HTTP/1.1\r\nHost: @\r\nContent-Length:\r\n\r\nabcd"},
	{"huge CL", "POST http://@/ HTTP/1.1\r\nHost: @\r\nContent-Length: 99999999999999999999\r\n\r\nabcd"},
	{"TE twice", "POST http://@/ HTTP/1.1\r\nHost: @\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	{"TE identity", "POST http://@/ HTTP/1.1\r\nHost: @\r\nTransfer-Encoding: identity\r\n\r\n"},
	{"TE xchunked", "POST http://@/ HTTP/1.1\r\nHost: @\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
	{"TE chunked, identity", "POST http://@/ HTTP/1.1\r\nHost: @\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"},
	{"TE with a space before the colon", "POST http://@/ HTTP/1.1\r\nHost: @\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"},
	{"TE with vertical tab", "POST http://@/ HTTP/1.1\r\nHost: @\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"},
	{"TE folded", "POST http://@/ HTTP/1.1\r\nHost: @\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"},
	{"TE in HTTP/1.0", "POST http://@/ HTTP/1.0\r\nHost: @\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	{"obs-fold", "GET http://@/ HTTP/1.1\r\nHost: @\r\nX-A: b\r\n c\r\n\r\n"},
	{"obs-fold by tab", "GET http://@/ HTTP/1.1\r\nHost: @\r\nX-A: b\r\n\tc\r\n\r\n"},
	{"fold before the first field", "GET http://@/ HTTP/1.1\r\n Host: @\r\n\r\n"},
	{"bare LF after the request line", "GET http://@/ HTTP/1.1\nHost: @\r\n\r\n"},
	{"bare LF after a field", "GET http://@/ HTTP/1.1\r\nHost: @\nX-A: b\r\n\r\n"},
	{"bare LF ends the head", "GET http://@/ HTTP/1.1\r\nHost: @\r\n\n"},
	{"bare CR in a value", "GET http://@/ HTTP/1.1\r\nHost: @\r\nX-A: b\rX-B: c\r\n\r\n"},
	{"NUL in a value", "GET http://@/ HTTP/1.1\r\nHost: @\r\nX-A: b\x00c\r\n\r\n"},
	{"NUL in a name", "GET http://@/ HTTP/1.1\r\nHost: @\r\nX\x00A: b\r\n\r\n"},
	{"NUL in the target", "GET http://@/\x00 HTTP/1.1\r\nHost: @\r\n\r\n"},
	{"tab in the request line", "GET\thttp://@/ HTTP/1.1\r\nHost: @\r\n\r\n"},
	{"two spaces in the request line", "GET  http://@/ HTTP/1.1\r\nHost: @\r\n\r\n"},
	{"space in the target", "GET http://@/a b HTTP/1.1\r\nHost: @\r\n\r\n"},
	{"no version", "GET http://@/\r\nHost: @\r\n\r\n"},
	{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
	{"version 1.2", "GET http://@/ HTTP/1.2\r\nHost: @\r\n\r\n"},
	{"lower-case version", "GET http://@/ http/1.1\r\nHost: @\r\n\r\n"},
	{"no Host", "GET http://@/ HTTP/1.1\r\n\r\n"},
	{"two Hosts", "GET http://@/ HTTP/1.1\r\nHost: @\r\nHost: @\r\n\r\n"},
	{"another Host", "GET http://@/ HTTP/1.1\r\nHost: evil.example\r\n\r\n"},
	{"empty Host", "GET http://@/ HTTP/1.1\r\nHost:\r\n\r\n"},
	{"Host with a path", "GET http://@/ HTTP/1.1\r\nHost: @/x\r\n\r\n"},
	{"field without a name", "GET http://@/ HTTP/1.1\r\nHost: @\r\n: b\r\n\r\n"},
	{"field without a colon", "GET http://@/ HTTP/1.1\r\nHost: @\r\nX-A\r\n\r\n"},
	{"empty line first", "\r\nGET http://@/ HTTP/1.1\r\nHost: @\r\n\r\n"},
	{"byte 0xff in the target", "GET http://@/\xff HTTP/1.1\r\nHost: @\r\n\r\n"},
	{"escape in the host", "GET http://%40@/ HTTP/1.1\r\nHost: @\r\n\r\n"},
	{"user name", "GET http://u:p@@/ HTTP/1.1\r\nHost: u:p@@\r\n\r\n"},
	{"fragment", "GET http://@/#x HTTP/1.1\r\nHost: @\r\n\r\n"},
	{"scheme gopher", "GET gopher://@/ HTTP/1.1\r\nHost: @\r\n\r\n"},
	{"scheme without authority", "GET http:/x HTTP/1.1\r\nHost: @\r\n\r\n"},
	{"CONNECT with a body", "CONNECT @ HTTP/1.1\r\nHost: @\r\nContent-Length: 3\r\n\r\nabc"},
	{"CONNECT with another Host", "CONNECT @ HTTP/1.1\r\nHost: evil.example:443\r\n\r\n"},
	{"CONNECT with a path", "CONNECT /x HTTP/1.1\r\nHost: @\r\n\r\n"},
	{"header of 70 KiB", "GET http://@/ HTTP/1.1\r\nHost: @\r\nX-A: " + strings.Repeat("a", 70<<10) + "\r\n\r\n"},
	{"70 KiB of fields", "GET http://@/ HTTP/1.1\r\nHost: @\r\n" + strings.Repeat("X-A: aaaaaaaaaaaa\r\n", 70<<10/19) + "\r\n"},
	{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"},
}

// TestRow27_SmugglingIsRefused: every case gets a 4xx or 5xx and the end of the
// connection, and the origin sees nothing of it, nor of the request behind it.
func TestRow27_SmugglingIsRefused(t *testing.T) {
	var reached atomic.Int64
	origin := httpOrigin(t, func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	_, proxy := start(t, nil)
	for _, c := range smuggling {
		t.Run(c.name, func(t *testing.T) {
			before := reached.Load()
			conn := dial(t, proxy)
			raw := strings.ReplaceAll(c.raw, "@@", "\x01"+origin)
			raw = strings.ReplaceAll(strings.ReplaceAll(raw, "@", origin), "\x01", "@")
			if len(raw) < 4<<10 { // what is smuggled
				raw += "GET http://" + origin + "/smuggled HTTP/1.1\r\nHost: " + origin + "\r\nX: \n\r\n\r\n"
			}
			go io.Copy(conn, strings.NewReader(raw))
			br := bufio.NewReader(conn)
			m, err := readMessage(br, "GET")
			if err != nil || m.Status < 400 {
				t.Fatalf("answer %d, %v", m.Status, err)
			}
			if rest, err := io.ReadAll(br); err == nil && bytes.Contains(rest, []byte("HTTP/1.1 200")) {
				t.Errorf("the request behind it was answered: %q", rest)
			}
			if n := reached.Load() - before; n != 0 {
				t.Errorf("%d requests reached the origin", n)
			}
		})
	}
}

// TestRow27_BrokenChunksCutTheRequest: the origin must not take a body with broken
// framing for a whole one.
func TestRow27_BrokenChunksCutTheRequest(t *testing.T) {
	for _, body := range []string{
		"5\r\nhelloX\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n",
		"5 \r\nhello\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n", ";\r\n0\r\n\r\n", "fffffffffffffffff\r\nx",
		"5\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\n", "5\r\nhello\r\n0\r\nX: a\n\r\n", "\x11\r\nx", "5;a=\x00\r\nhello\r\n0\r\n\r\n",
	} {
		whole := make(chan error, 1)
		origin := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(io.Discard, r.Body)
			whole <- err
		})
		_, proxy := start(t, nil)
		conn := dial(t, proxy)
		io.WriteString(conn, "POST http://"+origin+"/ HTTP/1.1\r\nHost: "+origin+"\r\nTransfer-Encoding: chunked\r\n\r\n"+body)
		m, err := readMessage(bufio.NewReader(conn), "POST")
		if err == nil && m.Status < 400 {
			t.Errorf("body %q was answered with %d", body, m.Status)
		}
		select {
		case err := <-whole:
			if err == nil {
				t.Errorf("body %q reached the origin as a whole one", body)
			}
		default:
		}
	}
}

// TestGoodRequestsPassTheScanner keeps the scanner from refusing what is legal.
func TestGoodRequestsPassTheScanner(t *testing.T) {
	for _, raw := range []string{
		"GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
		"GET http://a.example:80/ HTTP/1.1\r\nHost: A.Example\r\n\r\n",
		"GET http://a.example?x=http://b/ HTTP/1.0\r\n\r\n",
		"GET http://[::1]:8080/ HTTP/1.1\r\nhost:\t[::1]:8080 \t\r\nX-Obs: \xe9\xff\r\nX-Empty:\r\n\r\n",
		"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n\x16\x03\x01\x00\n",
		"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n",
		"POST /x HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: Chunked\r\n\r\nA;ext=\"v\"\r\n0123456789\r\n00\r\nX-T: 1\r\n\r\nGET / HTTP/1.1\r\nHost: p\r\n\r\n",
		"POST /x HTTP/1.1\r\nHost: p\r\nContent-Length: 3\r\n\r\n\x00\n\nGET / HTTP/1.1\r\nHost: p\r\n\r\n",
	} {
		var s scanner
		if n, err := s.scan([]byte(raw)); err != nil {
			t.Errorf("%q: at %d: %v", raw, n, err)
		}
	}
}

// FuzzScanner holds the scanner to three promises: cutting the bytes elsewhere
// changes nothing, an accepted head has none of the forbidden bytes, and net/http
// finds the same requests with the same lengths in accepted bytes.
func FuzzScanner(f *testing.F) {
	for _, c := range smuggling {
		if len(c.raw) < 1<<10 {
			f.Add([]byte(strings.ReplaceAll(c.raw, "@", "a.example:80")), uint8(3))
		}
	}
	f.Add([]byte("POST /x HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\n\r\n1;e\r\nx\r\n0\r\nX-T: 1\r\n\r\nGET / HTTP/1.1\r\nHost: p\r\n\r\n"), uint8(1))
	f.Fuzz(func(t *testing.T, raw []byte, step uint8) {
		var whole, pieces scanner
		again := bytes.Clone(raw) // scan hides "%"
		n, err := whole.scan(raw)
		m, perr := 0, error(nil)
		for size := int(step)%7 + 1; m < len(raw) && perr == nil; {
			var k int
			k, perr = pieces.scan(again[m:min(m+size, len(again))])
			m += k
		}
		if n != m || (err == nil) != (perr == nil) || err != nil && !errors.Is(err, errRefused) {
			t.Fatalf("whole: %d, %v; in pieces of %d: %d, %v", n, err, int(step)%7+1, m, perr)
		}
		if !bytes.Equal(raw[:n], again[:n]) {
			t.Fatalf("whole and pieces pass %q and %q", raw[:n], again[:n])
		}
		if whole.inHead() || whole.state == scanRaw || err != nil {
			checkPoisoned(t, raw[:n], err, whole.inHead())
			return
		}
		br := bufio.NewReader(bytes.NewReader(raw[:n]))
		for {
			r, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			if len(r.Header["Content-Length"]) > 1 || len(r.TransferEncoding) > 0 && r.Header["Content-Length"] != nil {
				t.Fatalf("net/http sees ambiguous framing in accepted bytes: %q", raw[:n])
			}
			io.Copy(io.Discard, r.Body)
		}
	})
}

// checkPoisoned checks that net/http takes no head out of a refused one.
func checkPoisoned(t *testing.T, good []byte, err error, inHead bool) {
	if err == nil || !inHead {
		return
	}
	br := bufio.NewReader(io.MultiReader(bytes.NewReader(good), strings.NewReader(poison)))
	var count int
	for {
		r, err := http.ReadRequest(br)
		if err != nil {
			break
		}
		count++
		for _, vs := range r.Header {
			for _, v := range vs {
				if strings.ContainsRune(v, 0) { // the server, unlike ReadRequest, refuses this
					count--
				}
			}
		}
		io.Copy(io.Discard, r.Body)
	}
	var s scanner
	if whole := wholeRequests(&s, good); count > whole {
		t.Fatalf("net/http took %d requests out of %q, which has %d and a refused one", count, good, whole)
	}
}

// wholeRequests counts the requests that end within p.
func wholeRequests(s *scanner, p []byte) int {
	n := 0
	for i := range p {
		s.scan(p[i : i+1])
		if s.state == scanMethod && s.method.n == 0 {
			n++
		}
	}
	return n
}

var _ net.Conn = (*gate)(nil)
