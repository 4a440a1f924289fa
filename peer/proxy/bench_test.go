package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"
)

// BenchmarkProxy measures one reader on one kept connection: "direct" is the origin
// without the proxy, "pass" through it, "hit" a Resolver that has the answer.
func BenchmarkProxy(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10} {
		body := make([]byte, size)
		origin := httpOrigin(b, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(size))
			w.Write(body)
		})
		_, pass := start(b, nil)
		_, hit := start(b, func(c *Config) {
			c.Resolver = resolverFunc(func(*http.Request, Inform) (*http.Response, error) {
				return &http.Response{
					StatusCode: 200, ContentLength: int64(size), Body: io.NopCloser(&zeros{int64(size)}),
					Header: http.Header{"Content-Type": {"text/plain"}, "Cache-Control": {"max-age=60"}},
				}, nil
			})
		})
		for name, addr := range map[string]string{"direct": origin, "pass": pass, "hit": hit} {
			b.Run(fmt.Sprintf("%s/%dKiB", name, size>>10), func(b *testing.B) { benchRequests(b, addr, origin, size) })
		}
	}
}

func benchRequests(b *testing.B, addr, origin string, size int) {
	conn := dial(b, addr)
	br := bufio.NewReaderSize(conn, 128<<10)
	target := "http://" + origin + "/file.html"
	if addr == origin {
		target = "/file.html"
	}
	request := []byte("GET " + target + " HTTP/1.1\r\nHost: " + origin + "\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n" +
		"Accept: text/html,application/xhtml+xml\r\nAccept-Language: en\r\nAccept-Encoding: gzip, deflate\r\n\r\n")
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		conn.Write(request)
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, res.Body); n != int64(size) || err != nil {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
}
