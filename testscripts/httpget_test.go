package testscripts

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// headerFlag is a repeatable -H 'K: V'.
type headerFlag struct{ h http.Header }

func (f headerFlag) String() string { return "" }

func (f headerFlag) Set(s string) error {
	k, v, ok := strings.Cut(s, ":")
	if !ok {
		return fmt.Errorf("no colon in %q", s)
	}
	f.h.Add(k, strings.TrimSpace(v))
	return nil
}

// httpgetMain is a small curl: one request, no redirects followed, nothing
// decompressed. It prints the status, writes the header to -D and the body to -o, and
// exits with 1 if the exchange broke.
func httpgetMain(args []string) int {
	flags := flag.NewFlagSet("httpget", flag.ContinueOnError)
	proxy := flags.String("x", "", "proxy address")
	method := flags.String("X", "GET", "method")
	data := flags.String("d", "", "request body")
	body := flags.String("o", "", "file for the body")
	head := flags.String("D", "", "file for the header")
	n := flags.Int("n", 1, "so many requests at once; all must be answered alike")
	header := http.Header{}
	flags.Var(headerFlag{header}, "H", "header field")
	if flags.Parse(args) != nil || flags.NArg() != 1 {
		return 2
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		fmt.Printf("interim %d %s\n", code, h.Get("Link"))
		return nil
	}})
	req, err := http.NewRequestWithContext(ctx, *method, flags.Arg(0), strings.NewReader(*data))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	req.Header = header
	transport := &http.Transport{DisableCompression: true, ResponseHeaderTimeout: 20 * time.Second}
	if *proxy != "" {
		transport.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: *proxy})
	}
	if err := crowd(*n, transport, req, *head, *body); err != nil {
		fmt.Fprintln(os.Stderr, "httpget:", err)
		return 1
	}
	return 0
}

// crowd does the request n times at once; the last answer goes to the files if all
// bodies are the same.
func crowd(n int, transport *http.Transport, req *http.Request, head, body string) error {
	sums, errs := make([]string, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n - 1 {
		wg.Go(func() {
			resp, err := transport.RoundTrip(req.Clone(req.Context()))
			if err != nil {
				errs[i] = err
				return
			}
			defer resp.Body.Close()
			h := sha256.New()
			_, errs[i] = io.Copy(h, resp.Body)
			sums[i] = fmt.Sprintf("%d %x", resp.StatusCode, h.Sum(nil))
		})
	}
	sums[n-1], errs[n-1] = exchange(transport, req, head, body)
	wg.Wait()
	if slices.ContainsFunc(sums, func(s string) bool { return s != sums[0] }) {
		errs = append(errs, fmt.Errorf("the answers differ: %q", sums))
	}
	return errors.Join(errs...)
}

// exchange does the request, writes what came and returns status and hash.
func exchange(transport *http.Transport, req *http.Request, head, body string) (string, error) {
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	fmt.Printf("status %d\n", resp.StatusCode)
	if resp.ProtoMajor == 2 {
		fmt.Println("over HTTP/2")
	}
	if head != "" {
		if err := os.WriteFile(head, []byte(headerText(resp.Header)), 0o600); err != nil {
			return "", err
		}
	}
	h := sha256.New()
	out := io.Writer(h)
	if body != "" {
		f, err := os.Create(body)
		if err != nil {
			return "", err
		}
		defer f.Close()
		out = io.MultiWriter(h, f)
	}
	n, err := io.Copy(out, resp.Body)
	fmt.Printf("bytes %d\n", n)
	if err == nil && len(resp.Trailer) > 0 {
		fmt.Print("trailer " + headerText(resp.Trailer))
	}
	return fmt.Sprintf("%d %x", resp.StatusCode, h.Sum(nil)), err
}

// headerText returns a header, one sorted line per value.
func headerText(h http.Header) string {
	var lines []string
	for k, vs := range h {
		for _, v := range vs {
			lines = append(lines, k+": "+v+"\n")
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}
