package testscripts

import (
	"compress/gzip"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// origin is a web server whose faults a script chooses while it runs: it reads
// its mode from a file at every request.
//
//	ok         serve the directory and the paths of mux
//	reset      close the connection with a RST
//	blackhole  accept, read and never answer
//	cut        half of the body, then close
//	stall      half of the body, then nothing
//	slow       the body in small pieces over about four seconds
//	trickle    the body in pieces of 512 bytes, twenty a second
//	NNN        answer everything with that status
type origin struct {
	dir  string
	mode string // file
	log  *os.File
	mu   sync.Mutex
	done chan struct{}
}

func originMain(args []string) int {
	flags := flag.NewFlagSet("origin", flag.ContinueOnError)
	dir := flags.String("dir", "site", "directory to serve")
	listen := flags.String("listen", "127.0.0.1:0", "address")
	mode := flags.String("mode", "origin.mode", "file with the mode")
	logFile := flags.String("log", "origin.log", "request log")
	cert := flags.String("tls", "", "serve HTTPS; write the authority's certificate to this file")
	if flags.Parse(args) != nil {
		return 2
	}
	requests, err := os.Create(*logFile)
	if err != nil {
		log.Print(err)
		return 1
	}
	o := &origin{dir: *dir, mode: *mode, log: requests, done: make(chan struct{})}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Print(err)
		return 1
	}
	if *cert != "" {
		config, err := o.tlsConfig(*cert)
		if err != nil {
			log.Print(err)
			return 1
		}
		l = tls.NewListener(l, config)
	}
	fmt.Printf("origin listening on %s\n", l.Addr())
	server := &http.Server{Handler: o, ErrorLog: log.New(io.Discard, "", 0)}
	log.Print(server.Serve(l))
	return 1
}

func (o *origin) currentMode() string {
	b, err := os.ReadFile(o.mode)
	if err != nil {
		return "ok"
	}
	return strings.TrimSpace(string(b))
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	mode := o.currentMode()
	o.mu.Lock()
	fmt.Fprintf(o.log, "%s %s %s agent=%q range=%q cookie=%q auth=%q via=%q x=%q\n", mode, r.Method, r.RequestURI,
		r.UserAgent(), r.Header.Get("Range"), r.Header.Get("Cookie"), r.Header.Get("Authorization"), r.Header.Get("Via"), r.Header.Get("X-Test"))
	o.mu.Unlock()
	switch status, err := strconv.Atoi(mode); {
	case err == nil:
		http.Error(w, "the origin says "+mode, status)
	case mode == "reset":
		o.reset(w)
	case mode == "blackhole":
		o.hold(w)
	case mode == "cut", mode == "stall", mode == "slow", mode == "trickle":
		o.mux().ServeHTTP(&breaker{w, mode, r, -1}, r)
	default:
		o.mux().ServeHTTP(w, r)
	}
}

func (o *origin) reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
}

// hold keeps the connection open and silent until the other side leaves.
func (o *origin) hold(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	io.Copy(io.Discard, conn)
	conn.Close()
}

// breaker lets half of a body through, or all of it slowly.
type breaker struct {
	http.ResponseWriter
	mode    string
	request *http.Request
	left    int64 // bytes until it breaks; -1 before the first
}

// Write implements io.Writer.
func (b *breaker) Write(p []byte) (int, error) {
	if b.left < 0 {
		size, _ := strconv.ParseInt(b.Header().Get("Content-Length"), 10, 64)
		b.left = size / 2
	}
	if b.mode == "slow" {
		return b.slowly(p, int(max(1, b.left/20)), 100*time.Millisecond)
	}
	if b.mode == "trickle" {
		return b.slowly(p, 512, 50*time.Millisecond)
	}
	if int64(len(p)) < b.left {
		b.left -= int64(len(p))
		return b.ResponseWriter.Write(p)
	}
	b.ResponseWriter.Write(p[:b.left])
	http.NewResponseController(b.ResponseWriter).Flush()
	if b.mode == "stall" {
		<-b.request.Context().Done()
	}
	panic(http.ErrAbortHandler)
}

// slowly sends pieces with pauses.
func (b *breaker) slowly(p []byte, size int, pause time.Duration) (n int, err error) {
	for piece := range slices.Chunk(p, size) {
		m, err := b.ResponseWriter.Write(piece)
		if n += m; err != nil {
			return n, err
		}
		http.NewResponseController(b.ResponseWriter).Flush()
		time.Sleep(pause) // what "slow" means
	}
	return n, nil
}

// mux answers the paths that are not files.
func (o *origin) mux() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", o.file)
	mux.HandleFunc("/redirect", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.FormValue("to"), http.StatusFound)
	})
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	mux.HandleFunc("/echo", echo)
	mux.HandleFunc("/auth", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		http.Error(w, "who are you", http.StatusUnauthorized)
	})
	mux.HandleFunc("/cookie", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "id=1")
		io.WriteString(w, "private to you\n")
	})
	mux.HandleFunc("/early", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		io.WriteString(w, "after the hint\n")
	})
	mux.HandleFunc("/trailer", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		io.WriteString(w, "body\n")
		w.Header().Set("X-Sum", "42")
	})
	mux.HandleFunc("/gzip", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Vary", "Accept-Encoding")
		z := gzip.NewWriter(w)
		io.WriteString(z, "compressed by the origin\n")
		z.Close()
	})
	mux.HandleFunc("/bytes", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.ParseInt(r.FormValue("n"), 10, 64)
		w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
		io.CopyN(w, zeros{}, n)
	})
	return mux
}

// file serves a file with an ETag, ranges and conditional requests.
func (o *origin) file(w http.ResponseWriter, r *http.Request) {
	path := filepath.Join(o.dir, filepath.FromSlash(filepath.Clean("/"+r.URL.Path)))
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "index.html")
	}
	f, err := os.Open(path)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("ETag", fmt.Sprintf(`"%x-%x"`, info.Size(), info.ModTime().UnixNano()))
	w.Header().Set("X-Origin", "test")
	if r.FormValue("private") != "" {
		w.Header().Set("Cache-Control", "private")
	}
	http.ServeContent(w, r, path, info.ModTime(), f)
}

// echo answers with the request it got.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Cache-Control", "no-store")
	fmt.Fprintf(w, "%s %s host=%s\n", r.Method, r.RequestURI, r.Host)
	r.Header.Write(w)
	fmt.Fprintf(w, "\r\n%s\n", body)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
