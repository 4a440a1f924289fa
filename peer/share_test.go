package peer

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"nt/internal/resource"
)

func TestRow36_SecretURLs(t *testing.T) {
	for _, u := range []string{
		"https://a.com/?token=abc", "https://a.com/?access_token=1", "https://a.com/?X-Amz-Signature=0", "https://a.com/?sig=x", "https://a.com/?authKey=1",
		"https://a.com/?q=1&PHPSESSID=x", "https://a.com/x;jsessionid=1234", "https://a.com/reset?code=123456", "https://a.com/?email=a%40b.c",
		"https://a.com/?st=2026&se=2027&sr=b&sig=Zm9v", "https://a.com/?u=eyJhbGciOiJIUzI1NiJ9", "https://a.com/?3f8a9b1c2d4e5f6a7b8c9d0e1f2a3b4c",
		"https://docs.a.com/document/d/1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms/edit", "https://a.com/share/550e8400-e29b-41d4-a716-446655440000",
		"https://a.com/s/k3j9x2m1q8z7p4w6", "https://a.com/invite/d41d8cd98f00b204e9800998ecf8427e", "https://a.com/u/abc-550e8400-e29b-41d4-a716-446655440000.pdf",
		"https://a.com/private/3f8a9b1c2d4e5f6a7b8c9d0e1f2a3b4c.jpg", "https://a.com/d41d8cd98f00b204e9800998ecf8427e.js/edit", "https://a.com/?key=",
	} {
		want := u != "https://a.com/?key=" // nothing is given away by a name without a value
		if err := secretURL(mustURL(t, u)); errors.Is(err, resource.ErrPrivate) != want {
			t.Errorf("%s: %v", u, err)
		}
	}
	for _, u := range []string{
		"https://a.com/", "https://a.com/wiki/Some-Long-Title-With-2-Numbers-In-It", "https://a.com/search?q=hello+world&page=2", "https://a.com/2026/03/01/a-story-about-things.html",
		"https://a.com/static/app.3f8a9b1c2d4e5f6a7b8c9d0e1f2a3b4c.js", "https://a.com/f/inter-3f8a9b1c2d4e5f6a7b8c.woff2", "https://a.com/?id=12345678901234567890",
		"https://a.com/commit/README", "https://a.com/?keyword=x&monkey=y&keyboard=z", "https://a.com/?tokenize=1", "https://a.com/w/index.php?title=Main_Page&oldid=123456",
		"https://a.com/AVeryLongCamelCaseWordInAPath", "https://a.com/%E4%B8%AD%E6%96%87/%E7%BB%B4%E5%9F%BA%E7%99%BE%E7%A7%91",
	} {
		if err := secretURL(mustURL(t, u)); err != nil {
			t.Errorf("%s: %v", u, err)
		}
	}
}

func TestSharingDecide(t *testing.T) {
	on := Sharing{Enabled: true, Deny: []string{"bank.com", ".Clinic.org."}}
	lan := Sharing{Enabled: true, AllowPrivate: true}
	for _, c := range []struct {
		s    Sharing
		url  string
		want bool
	}{
		{on, "https://a.com/", true}, {Sharing{}, "https://a.com/", false}, {on, "https://bank.com/", false}, {on, "https://www.bank.com/", false},
		{on, "https://mybank.com/", true}, {on, "https://clinic.org/", false}, {on, "https://192.0.2.1/", false}, {on, "https://localhost/", false},
		{on, "https://router.lan/", false}, {on, "https://a.com/?token=1", false}, {lan, "http://127.0.0.1:8000/?token=1", true},
	} {
		if err := c.s.Decide(mustURL(t, c.url), nil, 200, nil); (err == nil) != c.want {
			t.Errorf("%+v %s: %v", c.s, c.url, err)
		}
	}
}

func TestRow34_PrivatePagesAreNeitherKeptNorAnnounced(t *testing.T) {
	for i, c := range []struct {
		name, value string // of the request
		reply, says string
		status      int
		method      string
	}{
		{name: "Cookie", value: "a=b"}, {name: "Authorization", value: "Basic eDp5"}, {name: "X-Api-Key", value: "x"},
		{reply: "Set-Cookie", says: "a=b"}, {reply: "Cache-Control", says: "private"}, {reply: "Cache-Control", says: "max-age=5, No-Store"},
		{reply: "Vary", says: "Cookie"}, {reply: "Vary", says: "*"}, {reply: "Www-Authenticate", says: "Basic"},
		{status: 400}, {status: 404}, {status: 500}, {status: 206}, {status: 201}, {status: 203}, {method: "POST"},
		{name: "Range", value: "bytes=0-"},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
				if c.reply != "" {
					w.Header().Set(c.reply, c.says)
				}
				if c.status != 0 {
					w.WriteHeader(c.status)
				}
				w.Write([]byte("my page"))
			})
			r := newRig(t)
			change := []func(*Request){}
			if c.name != "" {
				change = append(change, field(c.name, c.value))
			}
			if c.method != "" {
				change = append(change, method(c.method))
			}
			res := r.mustGet(s.URL+"/me", []byte("my page"), SourceOrigin, change...)
			if c.reply != "" && res.Header.Get(c.reply) != c.says {
				t.Errorf("the reader's own answer lost %s", c.reply)
			}
			r.settle()
			r.node.Close()
			if len(r.cfg.Cache.Get(mustURL(t, s.URL+"/me"))) != 0 || len(r.locator.announced) != 0 {
				t.Error("it was kept or announced")
			}
			for range r.cfg.Store.List() {
				t.Error("its bytes are in the store")
			}
		})
	}
}

func TestRow35_CopiesCarryNoState(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		for _, f := range []string{"Strict-Transport-Security", "Clear-Site-Data", "Public-Key-Pins", "Alt-Svc", "Server", "X-Request-Id", "Refresh"} {
			w.Header().Set(f, "x")
		}
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
		w.Write([]byte("page"))
	})
	r := newRig(t)
	res := r.mustGet(s.URL, []byte("page"), SourceOrigin)
	if res.Header.Get("Strict-Transport-Security") != "x" {
		t.Error("the origin's own answer was changed")
	}
	r.settle()
	s.Close()
	res = r.mustGet(s.URL, []byte("page"), SourceCache)
	allowed := map[string]bool{"Content-Type": true, "Content-Security-Policy": true, "Date": true, "Content-Length": true, "Accept-Ranges": true,
		"Age": true, "Cache-Status": true, FieldSource: true, FieldTrust: true, FieldObserved: true, FieldNote: true}
	for f := range res.Header {
		if !allowed[f] {
			t.Errorf("the copy carries %s", f)
		}
	}
	if res.Header.Get("Content-Security-Policy") == "" {
		t.Error("the copy lost its policy")
	}
}

func TestCredentialsMeanNoPeers(t *testing.T) {
	body := []byte("public page")
	s := newSite(t, sendText(body))
	r := newRig(t)
	url := s.URL + "/p"
	r.publish(url, body, nil, testKey(9))
	s.Close()
	for _, f := range []string{"Cookie", "Authorization"} {
		if res, err := r.get(url, field(f, "x")); err == nil {
			t.Errorf("%s: answered from %s", f, res.Provenance.Source)
		}
	}
	if r.locator.asked() != 0 {
		t.Error("the locator was asked")
	}
	r.mustGet(url, body, SourcePeers)
	r.settle()
	r.mustGet(url, body, SourceCache, field("Cookie", "a=b")) // the public page, marked as a copy
	if _, err := r.get(url, field("Authorization", "x")); err == nil {
		t.Error("an authorised request was answered from a copy")
	}
	if _, err := r.get(url, method("POST")); err == nil {
		t.Error("a POST was answered from a copy")
	}
}

func TestIgnoreQuery(t *testing.T) {
	body := []byte("page")
	r := newRig(t)
	base := deadURL(t)
	r.publish(base+"/p?a=1", body, nil, testKey(9))
	r.mustGet(base+"/p?utm=5&a=1", body, SourcePeers, func(q *Request) { q.IgnoreQuery = []string{"utm"} })
}

func TestAccepts(t *testing.T) {
	for _, c := range []struct {
		header, encoding string
		want             bool
	}{
		{"", "", true}, {"", "gzip", false}, {"gzip", "gzip", true}, {"GZIP ; q=0.5, br", "gzip", true}, {"gzip;q=0", "gzip", false}, {"*", "br", true},
		{"*;q=0, gzip", "br", false}, {"x-gzip", "gzip", true}, {"x-gzip", "br", false}, {"gzip, identity;q=0", "", false}, {"gzip;q=nonsense", "gzip", true},
	} {
		h := http.Header{}
		if c.header != "" {
			h.Set("Accept-Encoding", c.header)
		}
		if got := accepts(h, c.encoding); got != c.want {
			t.Errorf("accepts(%q, %q) = %v", c.header, c.encoding, got)
		}
	}
}
