package browser

import (
	"net"
	"os/exec"
	"testing"

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
	tracker := w.daemon(1, "tracker", "--listen", "127.0.0.1:0")["tracker"]
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
	tracker := w.daemon(1, "tracker", "--listen", "127.0.0.1:0")["tracker"]
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
