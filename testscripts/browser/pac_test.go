package browser

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
)

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
