package browser

import (
	"bytes"
	"encoding/json"
	"image/png"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"nt/internal/testenv"
)

// through are the flags of a browser behind a proxy. Chromium would not ask a proxy for
// loopback addresses otherwise.
func through(proxy string) []string {
	return []string{"--proxy-server=http://" + proxy, "--proxy-bypass-list=<-loopback>"}
}

// whole fails the test unless the page and all its parts are there, unchanged, and the
// console has nothing to complain of.
func whole(t *testing.T, c *chromium) {
	t.Helper()
	var got struct{ Pictures, Styles, Ran int }
	c.eval(`({
		pictures: [...document.images].filter(i => i.complete && i.naturalWidth > 0).length,
		styles: [...document.styleSheets].filter(s => s.cssRules.length == 1).length,
		ran: window.ran || 0,
	})`, &got)
	if got.Pictures+got.Styles+got.Ran != parts {
		t.Errorf("of %d parts there are %+v", parts, got)
	}
	if bad := c.complaints(); len(bad) > 0 {
		t.Errorf("the console says %q", bad)
	}
}

// TestChromiumReadsASiteThatIsGone: one reader's browser loads a site of 30 parts through
// its proxy, the site dies, and another reader's browser, with another node, loads
// it from the first.
func TestChromiumReadsASiteThatIsGone(t *testing.T) {
	_, err := exec.LookPath("chromium")
	testenv.SkipUnless(t, err == nil, "needs Debian's chromium")
	w := newWorld(t)
	addr, stop := w.site(false)
	tracker := w.daemon(1, "tracker", "--listen", "127.0.0.1:0", "--notary-interval", "10ms")["tracker"]
	a, b := w.peer("a", tracker), w.peer("b", tracker)

	c := startChromium(t, w.home, through(a["proxy"])...)
	if h := c.load("http://" + addr + "/"); h["nt-source"] != "" {
		t.Errorf("the live site is marked as a copy: %v", h)
	}
	whole(t, c)
	w.poll("http://"+tracker+"/v1/stats", `"stated":31\b`)
	stop()

	c = startChromium(t, t.TempDir(), through(b["proxy"])...)
	if h := c.load("http://" + addr + "/"); h["nt-source"] != "peers" || h["nt-trust"] != "notary" {
		t.Errorf("the copy is marked %v", h)
	}
	whole(t, c)
	pac(t, c, b["proxy"])
	view(t, w, b["admin"], "http://"+addr+"/")
}

// pac runs the proxy's automatic configuration in the browser's own JavaScript.
func pac(t *testing.T, c *chromium, proxy string) {
	t.Helper()
	res, err := (&http.Client{Transport: &http.Transport{}}).Get("http://" + proxy + "/proxy.pac")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	script, err := io.ReadAll(res.Body)
	if err != nil || res.Header.Get("Content-Type") != "application/x-ns-proxy-autoconfig" {
		t.Fatalf("%v, %v", res.Header, err)
	}
	direct := []string{"localhost", "a.localhost", "printer", "nas.local", "NAS.Local.", "router.home.arpa", "wiki.corp", "127.0.0.1", "10.1.2.3", "192.168.0.1",
		"172.16.0.1", "172.31.255.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1", "[::1]", "fd00::1", "fe80::1"}
	through := []string{"example.org", "www.example.org.", "localhost.example.org", "my.localx", "10.example.org", "8.8.8.8", "172.32.0.1", "100.128.0.1", "11.1.1.1", "2001:db8::1"}
	hosts, err := json.Marshal(append(direct, through...))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	c.eval("(() => { const isPlainHostName = h => h.indexOf('.') < 0; "+string(script)+"; return "+string(hosts)+".map(h => FindProxyForURL('http://' + h + '/', h)) })()", &got)
	for i, host := range append(direct, through...) {
		want := "DIRECT"
		if i >= len(direct) {
			want = "PROXY " + proxy + "; DIRECT"
		}
		if got[i] != want {
			t.Errorf("%s: %s, want %s", host, got[i], want)
		}
	}
}

// view looks at the viewer's page. With NT_SCREENSHOT it is written to that file.
func view(t *testing.T, w *world, admin, url string) {
	t.Helper()
	c := startChromium(t, w.home)
	c.load("http://" + admin + "/view/" + url)
	if bad := c.complaints(); len(bad) > 0 {
		t.Logf("the viewer's console says %q", bad) // scripts of the copy do not run, and the console says so
	}
	shot, missing := []byte(nil), []string{"anything"}
	for end := time.Now().Add(20 * time.Second); len(missing) > 0 && time.Now().Before(end); { // it may not be painted yet
		shot = c.screenshot()
		missing = unpainted(t, shot)
	}
	for _, what := range missing {
		t.Errorf("the viewer shows no %s", what)
	}
	if file := os.Getenv("NT_SCREENSHOT"); file != "" {
		if err := os.WriteFile(file, shot, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// unpainted returns what of the banner and the copy a picture of the viewer does not show.
func unpainted(t *testing.T, shot []byte) (missing []string) {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		t.Fatal(err)
	}
	colours := map[[3]uint32]bool{}
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y += 4 {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x += 4 {
			r, g, b, _ := img.At(x, y).RGBA()
			colours[[3]uint32{r >> 8, g >> 8, b >> 8}] = true
		}
	}
	for what, want := range map[string][3]uint32{"banner": {0x7a, 0x4a, 0}, "first paragraph's mark": {195, 34, 34}} {
		if !colours[want] {
			missing = append(missing, what)
		}
	}
	return missing
}

// TestChromiumReadsHTTPSThatIsGone is the same over HTTPS: the proxies read the tunnels
// with the authority that nt ca install put into the browser's own store.
func TestChromiumReadsHTTPSThatIsGone(t *testing.T) {
	_, err := exec.LookPath("chromium")
	testenv.SkipUnless(t, err == nil, "needs Debian's chromium")
	_, err = exec.LookPath("certutil")
	testenv.SkipUnless(t, err == nil, "needs certutil (libnss3-tools)")
	w := newWorld(t)
	addr, stop := w.site(true)
	_, port, _ := net.SplitHostPort(addr)
	w.nt("ca", "install")
	tracker := w.daemon(1, "tracker", "--listen", "127.0.0.1:0", "--notary-interval", "10ms")["tracker"]
	a, b := w.peer("a", tracker, "--intercept", "--tunnel-port", port), w.peer("b", tracker, "--intercept", "--tunnel-port", port)

	c := startChromium(t, w.home, through(a["proxy"])...)
	if h := c.load("https://" + addr + "/"); h["nt-source"] != "" {
		t.Errorf("the live site is marked as a copy: %v", h)
	}
	whole(t, c)
	if protocols := c.protocols(); !protocols["h2"] {
		t.Errorf("the browser speaks %v with the proxy", protocols)
	}
	w.poll("http://"+tracker+"/v1/stats", `"stated":31\b`)
	stop()

	c = startChromium(t, w.home, through(b["proxy"])...)
	if h := c.load("https://" + addr + "/"); h["nt-source"] != "peers" || h["nt-trust"] != "notary" {
		t.Errorf("the copy is marked %v", h)
	}
	whole(t, c)
}
