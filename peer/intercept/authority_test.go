package intercept

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func makeAuthority(t *testing.T, names, never []string) *Authority {
	t.Helper()
	a, err := Create(time.Now(), names, never)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// accepted asks crypto/x509, as a browser's judgement, about a leaf for host.
func accepted(t *testing.T, a *Authority, host string) error {
	t.Helper()
	leaf, err := a.Leaf(host, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.Cert)
	_, err = leaf.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots})
	return err
}

func TestRow32_LeafOutsideTheConstraintFails(t *testing.T) {
	for _, c := range []struct {
		names, never []string
		good, bad    []string
	}{
		{nil, nil, []string{"example.org", "a.b.example.org", "127.0.0.1", "2001:db8::1"}, nil},
		{[]string{"example.org", "Other.Example."}, nil, []string{"example.org", "www.example.org", "other.example"},
			[]string{"example.com", "badexample.org", "org", "127.0.0.1", "2001:db8::1"}},
		{nil, []string{"bank.example"}, []string{"example.org", "127.0.0.1"}, []string{"bank.example", "www.bank.example"}},
		{[]string{"example.org"}, []string{"my.example.org"}, []string{"example.org"}, []string{"my.example.org", "x.my.example.org", "example.com"}},
	} {
		a := makeAuthority(t, c.names, c.never)
		for _, host := range c.good {
			if err := accepted(t, a, host); err != nil || !a.Covers(host) {
				t.Errorf("%v without %v, %s: %v, covers %v", c.names, c.never, host, err, a.Covers(host))
			}
		}
		for _, host := range c.bad {
			if err := accepted(t, a, host); err == nil || a.Covers(host) {
				t.Errorf("%v without %v, %s: %v, covers %v", c.names, c.never, host, err, a.Covers(host))
			}
		}
	}
}

func TestRow32_LifeAndFiles(t *testing.T) {
	a := makeAuthority(t, nil, nil)
	if life := a.Cert.NotAfter.Sub(a.Cert.NotBefore); life > MaxLife {
		t.Errorf("valid for %v", life)
	}
	if a.Valid(time.Now().Add(MaxLife)) || a.Valid(time.Now().Add(-2*time.Hour)) || !a.Valid(time.Now()) {
		t.Error("validity is not judged")
	}
	late, err := a.Leaf("example.org", a.Cert.NotAfter.Add(-time.Hour))
	if err != nil || late.Leaf.NotAfter.After(a.Cert.NotAfter) {
		t.Errorf("a leaf outlives its authority: %v, %v", late.Leaf.NotAfter, err)
	}
	dir := filepath.Join(t.TempDir(), "ca")
	if _, err := Load(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no authority: %v", err)
	}
	if err := a.Save(dir); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, KeyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info.Mode(), err)
	}
	b, err := Load(dir)
	if err != nil || b.Fingerprint() != a.Fingerprint() {
		t.Fatalf("%v", err)
	}
	os.Chmod(filepath.Join(dir, KeyFile), 0o644)
	if _, err := Load(dir); !errors.Is(err, ErrBadAuthority) {
		t.Errorf("a key that others can read: %v", err)
	}
	os.Chmod(filepath.Join(dir, KeyFile), 0o600)
	other := makeAuthority(t, nil, nil)
	if err := other.Save(filepath.Join(dir, "other")); err != nil {
		t.Fatal(err)
	}
	os.Rename(filepath.Join(dir, "other", CertFile), filepath.Join(dir, CertFile))
	if _, err := Load(dir); !errors.Is(err, ErrBadAuthority) {
		t.Errorf("another's certificate: %v", err)
	}
	if err := Remove(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Remove: %v", err)
	}
}

func TestBadNames(t *testing.T) {
	for _, name := range []string{"", "*.example.org", "127.0.0.1", "::1", "http://example.org", "a b", "example.org:443"} {
		if _, err := Create(time.Now(), []string{name}, nil); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
}
