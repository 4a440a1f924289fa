package intercept

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// origins dials every host to one server, or fails.
func judgeFor(t *testing.T, s *httptest.Server, change func(*Config)) (*Judge, uint16) {
	t.Helper()
	cfg := Config{Authority: makeAuthority(t, nil, nil), Dir: t.TempDir(), Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.Listener.Addr().String())
	}}
	cfg.Roots = x509.NewCertPool()
	if s.Certificate() != nil {
		cfg.Roots.AddCert(s.Certificate())
	}
	if change != nil {
		change(&cfg)
	}
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	n, _ := strconv.Atoi(port)
	return New(cfg), uint16(n)
}

func tlsServer(t *testing.T, conf *tls.Config) *httptest.Server {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.TLS = conf
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func TestRow32_WhoIsNotRead(t *testing.T) {
	s := tlsServer(t, &tls.Config{})
	clientCert := tlsServer(t, &tls.Config{ClientAuth: tls.RequestClientCert})
	down := tlsServer(t, &tls.Config{})
	down.Close()
	denied := func(c *Config) {
		c.Rule = func(host string) error {
			if strings.HasSuffix(host, ".com") {
				return errors.New("denied")
			}
			return nil
		}
	}
	for _, c := range []struct {
		why    string
		s      *httptest.Server
		host   string
		change func(*Config)
		read   bool
	}{
		{"an ordinary site", s, "example.com", nil, true},
		{"on the deny-list", s, "example.com", denied, false},
		{"outside the authority's names", s, "example.com", func(c *Config) { c.Authority = makeAuthority(t, []string{"example.org"}, nil) }, false},
		{"an expired authority", s, "example.com", func(c *Config) { c.Now = func() time.Time { return time.Now().Add(MaxLife) } }, false},
		{"a certificate for another name", s, "other.test", nil, false},
		{"an authority nobody knows", s, "example.com", func(c *Config) { c.Roots = x509.NewCertPool() }, false},
		{"asks for client certificates", clientCert, "example.com", nil, false},
		{"down", down, "example.com", nil, true},
	} {
		j, port := judgeFor(t, c.s, c.change)
		if conf := j.Intercept(t.Context(), c.host, port); (conf != nil) != c.read {
			t.Errorf("%s: read %v", c.why, conf != nil)
		}
	}
}

func TestRow32_RefusedCertificatesAreRemembered(t *testing.T) {
	s := tlsServer(t, &tls.Config{})
	dir := t.TempDir()
	same := makeAuthority(t, nil, nil)
	j, port := judgeFor(t, s, func(c *Config) { c.Dir, c.Authority = dir, same })
	read := func(j *Judge) bool { return j.Intercept(t.Context(), "Example.com", port) != nil }
	// A real client that does not know the authority.
	ours, theirs := net.Pipe()
	refusal := make(chan error, 1)
	conf := j.Intercept(t.Context(), "example.com", port)
	go func() {
		err := tls.Server(ours, conf).HandshakeContext(context.Background())
		ours.Close()
		refusal <- err
	}()
	if err := tls.Client(theirs, &tls.Config{ServerName: "example.com", RootCAs: x509.NewCertPool()}).Handshake(); err == nil {
		t.Fatal("an unknown authority was taken")
	}
	theirs.Close()
	if !read(j) {
		t.Fatal("not read before the refusal")
	}
	j.Refused("example.com", <-refusal)
	if read(j) {
		t.Error("read after a refusal")
	}
	again, _ := judgeFor(t, s, func(c *Config) { c.Dir, c.Authority = dir, same })
	if read(again) {
		t.Error("forgotten across a restart")
	}
	later, _ := judgeFor(t, s, func(c *Config) {
		c.Dir, c.Authority = dir, same
		c.Now = func() time.Time { return time.Now().Add(remembered) }
	})
	if !read(later) {
		t.Error("remembered for ever")
	}
	other, _ := judgeFor(t, s, func(c *Config) { c.Dir = dir })
	if !read(other) {
		t.Error("what was said of another authority counts")
	}
}

func TestReadersThatGoAwaySilently(t *testing.T) {
	s := tlsServer(t, &tls.Config{})
	j, port := judgeFor(t, s, nil)
	read := func() bool { return j.Intercept(t.Context(), "example.com", port) != nil }
	j.Refused("example.com", io.EOF)
	j.Taken("example.com")
	j.Refused("example.com", io.EOF)
	j.Refused("example.com", context.DeadlineExceeded)
	if !read() {
		t.Error("one silent end is taken for a refusal")
	}
	j.Refused("example.com", io.EOF)
	if read() {
		t.Error("two silent ends are not taken for a refusal")
	}
}

func FuzzParseHosts(f *testing.F) {
	f.Add("nt-passed-1 ab\n1700000000 example.com\n")
	f.Add("nt-passed-1 \n-1 a\n1 \n9 a b\n")
	f.Fuzz(func(t *testing.T, text string) {
		m := parseHosts(strings.NewReader(text), "ab")
		if len(m) > maxHosts || len(m) > 0 && !strings.HasPrefix(text, hostsHead+"ab") {
			t.Errorf("%d hosts", len(m))
		}
		for h := range m {
			if h == "" || len(h) > maxHost || strings.ContainsAny(h, " \n") {
				t.Errorf("host %q", h)
			}
		}
	})
}
