package modes

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
)

// demoRedirect is the path that the demo's site redirects to its front page.
const demoRedirect = "/old"

// demoPage is one resource of the demo's site.
type demoPage struct {
	path, contentType string
	body              []byte
}

// check compares an answer with the page, byte for byte and with its headers.
func (p demoPage) check(status int, h http.Header, body []byte) error {
	switch {
	case status != http.StatusOK:
		return fmt.Errorf("status %d", status)
	case !bytes.Equal(body, p.body):
		return fmt.Errorf("the bytes differ: %d, want %d", len(body), len(p.body))
	case h.Get("Content-Type") != p.contentType || h.Get("Etag") != p.etag():
		return fmt.Errorf("the headers differ: %v", h)
	}
	return nil
}

func (p demoPage) etag() string { return fmt.Sprintf(`"%x"`, sha256.Sum256(p.body)) }

// demoSite is a small web site that can die.
type demoSite struct {
	pages  []demoPage
	addr   string
	server *http.Server
	once   sync.Once
}

func startDemoSite() (*demoSite, error) {
	picture, err := demoPicture()
	if err != nil {
		return nil, err
	}
	s := &demoSite{pages: []demoPage{
		{"/", "text/html; charset=utf-8", []byte(demoHTML)},
		{"/style.css", "text/css; charset=utf-8", []byte(demoCSS)},
		{"/picture.png", "image/png", picture},
	}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the site: %w", err)
	}
	s.addr, s.server = l.Addr().String(), &http.Server{Handler: s}
	go s.server.Serve(l) // ends with close
	return s, nil
}

func (s *demoSite) url(path string) string { return "http://" + s.addr + path }

// close drops the listener and every connection.
func (s *demoSite) close() { s.once.Do(func() { s.server.Close() }) }

// ServeHTTP answers like a plain static server.
func (s *demoSite) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == demoRedirect {
		http.Redirect(w, r, "/", http.StatusFound)
		return
	}
	for _, p := range s.pages {
		if p.path == r.URL.Path {
			w.Header().Set("Content-Type", p.contentType)
			w.Header().Set("Etag", p.etag())
			w.Header().Set("Content-Length", fmt.Sprint(len(p.body)))
			w.Write(p.body)
			return
		}
	}
	http.NotFound(w, r)
}

// demoPicture draws something that does not compress away: the same bytes on every run.
func demoPicture() ([]byte, error) {
	rng := rand.New(rand.NewPCG(2005, 2006))
	img := image.NewRGBA(image.Rect(0, 0, 256, 256))
	for y := range 256 {
		for x := range 256 {
			img.Set(x, y, color.RGBA{uint8(x), uint8(y), uint8(rng.UintN(256)), 255})
		}
	}
	var b bytes.Buffer
	err := png.Encode(&b, img)
	return b.Bytes(), err
}

const demoCSS = "body { max-width: 40em; margin: 3em auto; font: 1.1em/1.5 serif }\nimg { width: 100% }\n"

var demoHTML = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Linked from everywhere</title><link rel="stylesheet" href="/style.css"></head>
<body><h1>Linked from everywhere</h1><img src="/picture.png" alt="">
` + strings.Repeat("<p>Half a million readers are on their way to this page, and its server is a small one.</p>\n", 40) + `</body></html>
`
