package resource

import (
	"errors"
	"strings"
	"testing"
)

// TestRow37_CollisionTable: spellings in one row must meet, rows must not.
func TestRow37_CollisionTable(t *testing.T) {
	rows := [][]string{
		{"http://example.org/", "HTTP://EXAMPLE.org", "http://example.org:80/", "http://example.org./", "http://example.org/#top", "http://example.org:/", "http://example.org/a/.."},
		{"https://example.org/", "https://example.org:443"},
		{"http://example.org:443/"},
		{"http://example.org:8080/", "http://EXAMPLE.ORG:08080/."},
		{"http://example.org/?", "http://example.org?#x"},
		{"http://www.example.org/"},
		{"http://example.org/A"},
		{"http://example.org/a", "http://example.org/%61", "http://example.org/./a", "http://example.org/b/%2e%2E/a", "http://example.org/../a"},
		{"http://example.org/a/", "http://example.org/a/b/..", "http://example.org/a/."},
		{"http://example.org//a"},
		{"http://example.org/a%2Fb", "http://example.org/a%2fb"},
		{"http://example.org/a/b"},
		{"http://example.org/%7E", "http://example.org/~", "http://example.org/%7e"},
		{"http://example.org/a%20b", "http://example.org/a b"},
		{"http://example.org/a+b"},
		{"http://example.org/%C3%BC", "http://example.org/ü", "http://example.org/%c3%bc"},
		{"http://xn--bcher-kva.example/", "http://bücher.example/", "http://BÜCHER.example", "http://b%C3%BCcher.example/"},
		{"http://example.org/?a=1&b=2"},
		{"http://example.org/?b=2&a=1"},
		{"http://example.org/?a=%7e", "http://example.org/?a=~"},
		{"http://example.org/?a=%26", "http://example.org/?a=%26#"},
		{"http://example.org/?a=&"},
		{"http://127.0.0.1/"},
		{"http://[::1]/", "http://[0:0:0:0:0:0:0:1]/", "http://[::1]:80/"},
		{"http://[::1]:8080/"},
		{"http://a_b.example.org/"},
	}
	seen := map[Key]string{}
	for _, row := range rows {
		want := mustParse(t, row[0])
		if other, dup := seen[want.Key()]; dup {
			t.Errorf("%s and %s meet and must not", row[0], other)
		}
		seen[want.Key()] = row[0]
		for _, spelling := range row[1:] {
			if got := mustParse(t, spelling); got != want {
				t.Errorf("%s -> %s, want %s", spelling, got, want)
			}
		}
	}
}

func mustParse(t *testing.T, raw string) URL {
	t.Helper()
	u, err := ParseURL(raw)
	if err != nil {
		t.Fatalf("ParseURL(%q): %v", raw, err)
	}
	return u
}

func TestRow37_Refused(t *testing.T) {
	for _, raw := range []string{
		"", "/", "example.org", "//example.org/", "http:", "http://", "http:///a", "http:a", "ftp://example.org/", "gopher://example.org/",
		"javascript:alert(1)", "data:,x", "http://user@example.org/", "http://user:pw@example.org/",
		"http://example.org:0/", "http://example.org:65536/", "http://example.org:http/", "http://exa mple.org/",
		"http://127.1/", "http://0x7f.1/", "http://2130706433/", "http://0177.0.0.1/", "http://1.2.3.4.5/", "http://256.1.1.1/",
		"http://[fe80::1%25eth0]/", "http://[::1/", "http://example..org/", "http://.example.org/", "http://" + strings.Repeat("a", 64) + ".org/",
		"http://example.org/%zz", "http://example.org/%", "http://example.org/\x00", "http://example.org/\n",
		"http://example.org/" + strings.Repeat("a", MaxURL), "http://example.org/" + strings.Repeat("ü", MaxURL/3),
	} {
		if u, err := ParseURL(raw); !errors.Is(err, ErrBadURL) {
			t.Errorf("ParseURL(%.60q) = %v, %v; want ErrBadURL", raw, u, err)
		}
	}
}

// Digits of other scripts must not smuggle an address past the address rule.
func TestRow24_UnicodeDigitsAreTheAddressTheyMean(t *testing.T) {
	u, err := ParseURL("http://①②⑦.0.0.1/")
	if err == nil && u.Host() != "127.0.0.1" {
		t.Errorf("host is %q", u.Host())
	}
}

func TestURLParts(t *testing.T) {
	u := mustParse(t, "https://[2001:DB8::1]:8443/a?x=1&token=2&y")
	for got, want := range map[string]string{
		u.Origin(): "https://[2001:db8::1]:8443", u.HostPort(): "[2001:db8::1]:8443", u.Host(): "2001:db8::1", u.Path(): "/a",
		u.Without([]string{"token"}).String():           "https://[2001:db8::1]:8443/a?x=1&y",
		u.Without([]string{"token", "x", "y"}).String(): "https://[2001:db8::1]:8443/a",
		u.Without(nil).String():                         u.String(),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if u.Port() != 8443 || mustParse(t, "http://a.b").Port() != 80 || mustParse(t, "https://a.b").Port() != 443 {
		t.Error("wrong port")
	}
}

func FuzzParseURL(f *testing.F) {
	for _, s := range []string{"http://example.org/a/../b?x=%7e#f", "https://bücher.example:443", "http://[::1]:80/%2e%2e/", "HTTP://a_b.c//%2F?"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := ParseURL(raw)
		if err != nil {
			if !errors.Is(err, ErrBadURL) {
				t.Fatalf("error does not wrap ErrBadURL: %v", err)
			}
			return
		}
		again, err := ParseURL(u.String())
		if err != nil {
			t.Fatalf("%q -> %q is not accepted again: %v", raw, u, err)
		}
		if again != u || again.Key() != u.Key() {
			t.Fatalf("not idempotent: %q -> %q -> %q", raw, u, again)
		}
	})
}
