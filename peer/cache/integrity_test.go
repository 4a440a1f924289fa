package cache

import (
	"encoding/base64"
	"os"
	"strings"
	"testing"

	"nt/internal/resource"
)

func TestParseIntegrity(t *testing.T) {
	sum := func(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for attribute, want := range map[string]string{
		"sha256-" + sum(32): "sha256", "sha384-" + sum(48) + " sha256-" + sum(32): "sha384", "sha256-" + sum(32) + "\n\tsha512-" + sum(64) + "?ct": "sha512",
		"SHA256-" + sum(32): "sha256", "sha256-" + sum(31): "", "md5-" + sum(16): "", "": "", "sha256": "", "sha256-%": "",
	} {
		in, ok := ParseIntegrity(attribute)
		if ok != (want != "") || in.Algorithm != want {
			t.Errorf("%q: %q %v", attribute, in.Algorithm, ok)
		}
	}
}

func TestIntegrityIsKeptAndForgotten(t *testing.T) {
	c, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	url := func(s string) resource.URL {
		u, err := resource.ParseURL(s)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	a, b, page := url("https://example.org/a.js"), url("https://example.org/b.js"), url("https://example.org/"+strings.Repeat("é", 1000))
	in := Integrity{Algorithm: "sha256", Sum: make([]byte, 32), Page: page.String(), SeenAt: 5}
	newer := in
	newer.Sum, newer.SeenAt = []byte(strings.Repeat("n", 32)), 6
	for _, x := range []Integrity{newer, in} { // what an older page said comes too late
		if err := c.PutIntegrity(a.Key(), x); err != nil {
			t.Fatal(err)
		}
	}
	if got, ok := c.GetIntegrity(a.Key()); !ok || got.SeenAt != 6 || string(got.Sum) != string(newer.Sum) {
		t.Errorf("%+v %v", got, ok)
	}
	if _, ok := c.GetIntegrity(b.Key()); ok {
		t.Error("something is known of nothing")
	}
	if err := os.WriteFile(c.integrityPath(a.Key()), []byte(`{"algorithm":"sha256","sum":"AAAA"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, ok := c.GetIntegrity(a.Key()); ok {
		t.Error("a short hash passes")
	}
	c.PutIntegrity(b.Key(), newer)
	if err := c.RemoveIntegrity(page); err != nil {
		t.Fatal(err)
	}
	if _, ok := c.GetIntegrity(b.Key()); ok {
		t.Error("a forgotten page still speaks")
	}
}
