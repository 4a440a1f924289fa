package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// zeros is n bytes that are not stored.
type zeros struct{ left int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), z.left))
	clear(p[:n])
	z.left -= int64(n)
	return n, nil
}

// highWater hears of the heap in use while bytes flow.
type highWater struct {
	w     io.Writer
	seen  int64
	every int64
	heap  uint64
}

func (h *highWater) Write(p []byte) (int, error) {
	if h.seen/h.every != (h.seen+int64(len(p)))/h.every {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		h.heap = max(h.heap, m.HeapAlloc)
	}
	h.seen += int64(len(p))
	return h.w.Write(p)
}

func heapNow() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

const (
	gib        = 1 << 30
	heapGrowth = 16 << 20 // what may be added while a body of a GiB passes, garbage included
)

// TestN5_LargeBodiesAreStreamed: the heap does not grow with the body, in either
// direction, with a length and in chunks.
func TestN5_LargeBodiesAreStreamed(t *testing.T) {
	size := int64(gib)
	if testing.Short() {
		size = gib / 16
	}
	origin := httpOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			n, err := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, n, err)
			return
		}
		if r.URL.Path == "/sized" {
			w.Header().Set("Content-Length", r.URL.RawQuery)
		}
		n, _ := strconv.ParseInt(r.URL.RawQuery, 10, 64)
		io.CopyBuffer(struct{ io.Writer }{w}, &zeros{n}, make([]byte, 128<<10))
	})
	_, proxy := start(t, nil)
	c := client(t, proxy)
	for path, size := range map[string]int64{"/sized": size, "/chunked": size / 4} {
		before := heapNow()
		res, err := c.Get("http://" + origin + path + "?" + strconv.FormatInt(size, 10))
		if err != nil {
			t.Fatal(err)
		}
		high := &highWater{w: io.Discard, every: size / 32}
		n, err := io.CopyBuffer(struct{ io.Writer }{high}, struct{ io.Reader }{res.Body}, make([]byte, 128<<10))
		res.Body.Close()
		if n != size || err != nil {
			t.Fatalf("%s: %d bytes, %v", path, n, err)
		}
		if high.heap > before+heapGrowth {
			t.Errorf("%s: the heap grew from %d to %d", path, before, high.heap)
		}
	}
	before := heapNow()
	high := &highWater{w: io.Discard, every: size / 32}
	res, err := c.Post("http://"+origin+"/", "application/octet-stream", io.TeeReader(&zeros{size / 4}, high))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, _ := io.ReadAll(res.Body); string(b) != strconv.FormatInt(size/4, 10)+" <nil>" {
		t.Errorf("the origin read %q", b)
	}
	if high.heap > before+heapGrowth {
		t.Errorf("upload: the heap grew from %d to %d", before, high.heap)
	}
}

// TestBytesFlowAtOnce: what the origin or the reader has sent so far arrives before
// it sends more, in both directions at the same time.
func TestBytesFlowAtOnce(t *testing.T) {
	for _, framing := range []string{"Transfer-Encoding: chunked", "Content-Length: 3"} {
		origin := rawOrigin(t, func(c net.Conn, br *bufio.Reader) {
			for line := "-"; line != "\r\n"; { // the head
				line, _ = br.ReadString('\n')
			}
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\n%s\r\n\r\n", framing)
			for range 3 { // echo each byte of the body when it is there
				for b := byte(0); b < 'a' || b > 'z'; {
					var err error
					if b, err = br.ReadByte(); err != nil {
						return
					}
					if b >= 'a' && b <= 'z' {
						if strings.HasPrefix(framing, "T") {
							fmt.Fprintf(c, "1\r\n%c\r\n", b)
						} else {
							c.Write([]byte{b})
						}
					}
				}
			}
			if strings.HasPrefix(framing, "T") {
				io.WriteString(c, "0\r\n\r\n")
			}
		})
		_, proxy := start(t, nil)
		conn := dial(t, proxy)
		fmt.Fprintf(conn, "POST http://%s/ HTTP/1.1\r\nHost: %s\r\n%s\r\n\r\n", origin, origin, framing)
		got := make(chan byte, 64)
		go func() {
			br := bufio.NewReader(conn)
			res, err := http.ReadResponse(br, nil)
			if err != nil {
				close(got)
				return
			}
			one := make([]byte, 1)
			for {
				if _, err := io.ReadFull(res.Body, one); err != nil {
					close(got)
					return
				}
				got <- one[0]
			}
		}()
		for _, b := range []byte("xyz") {
			if strings.HasPrefix(framing, "T") {
				fmt.Fprintf(conn, "1\r\n%c\r\n", b)
			} else {
				conn.Write([]byte{b})
			}
			if echo := <-got; echo != b {
				t.Fatalf("%s: sent %c, heard %c", framing, b, echo)
			}
		}
	}
}

// TestRow42_EndlessHeadOfTheOrigin: an origin cannot fill the memory with fields.
func TestRow42_EndlessHeadOfTheOrigin(t *testing.T) {
	origin := rawOrigin(t, func(c net.Conn, br *bufio.Reader) {
		readRequest(br)
		io.WriteString(c, "HTTP/1.1 200 OK\r\n")
		for {
			if _, err := c.Write(bytes.Repeat([]byte("X-A: "+strings.Repeat("a", 1000)+"\r\n"), 16)); err != nil {
				return
			}
		}
	})
	_, proxy := start(t, nil)
	if m := exchange(t, proxy, "GET", "GET http://"+origin+"/ HTTP/1.1\r\nHost: "+origin+"\r\n\r\n"); m.Status != 502 {
		t.Errorf("%d, want 502", m.Status)
	}
}

// TestRow42_EndlessEarlyHints: nor can it feed the reader 1xx for ever.
func TestRow42_EndlessEarlyHints(t *testing.T) {
	origin := rawOrigin(t, func(c net.Conn, br *bufio.Reader) {
		readRequest(br)
		for {
			if _, err := io.WriteString(c, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"); err != nil {
				return
			}
		}
	})
	_, proxy := start(t, nil)
	m := exchange(t, proxy, "GET", "GET http://"+origin+"/ HTTP/1.1\r\nHost: "+origin+"\r\n\r\n")
	if m.Status != 502 || len(m.Interim) != maxInformational {
		t.Errorf("%d after %d interim responses", m.Status, len(m.Interim))
	}
}
