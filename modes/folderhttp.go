package modes

import (
	"encoding/hex"
	"mime"
	"net/http"
	"net/url"
	"path"
)

// ServeHTTP serves a file, or the index.html of a directory, with ranges and
// conditional requests. The ETag is the SHA-256 of what is published; a file
// that has changed since goes without until the next scan.
func (f *folder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	name := fileOf(r.URL.Path)
	p, ok := f.get(name)
	if !ok {
		f.missing(w, r, name)
		return
	}
	file, err := f.root.Open(name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		http.NotFound(w, r)
		return
	}
	for k, v := range f.header(name, p) {
		w.Header()[k] = v
	}
	if info.Size() != p.size || !info.ModTime().Equal(p.modified) {
		w.Header().Del("Etag")
	}
	http.ServeContent(w, r, name, info.ModTime(), file)
}

// missing answers for what is not published; a directory without its slash is redirected.
func (f *folder) missing(w http.ResponseWriter, r *http.Request, name string) {
	if _, ok := f.get(path.Join(name, "index.html")); ok {
		http.Redirect(w, r, (&url.URL{Path: path.Base(name) + "/"}).String(), http.StatusMovedPermanently)
		return
	}
	http.NotFound(w, r)
}

// fileOf returns the file that a URL path names.
func fileOf(urlPath string) string {
	name := path.Clean("/" + urlPath)[1:]
	if urlPath == "" || urlPath[len(urlPath)-1] == '/' {
		name = path.Join(name, "index.html")
	}
	return name
}

// version returns the entity tag of the file that a URL path names, "" if none is published there.
func (f *folder) version(urlPath string) string {
	name := fileOf(urlPath)
	p, ok := f.get(name)
	if !ok {
		return ""
	}
	return f.header(name, p).Get("Etag")
}

// header returns the fields that go with a file, over HTTP and in its statement.
func (f *folder) header(name string, p published) http.Header {
	kind := mime.TypeByExtension(path.Ext(name))
	if kind == "" {
		kind = "application/octet-stream"
	}
	return http.Header{
		"Content-Type":           {kind},
		"Etag":                   {`"` + hex.EncodeToString(p.header.SHA256[:16]) + `"`},
		"Last-Modified":          {p.modified.UTC().Format(http.TimeFormat)},
		"X-Content-Type-Options": {"nosniff"},
	}
}
