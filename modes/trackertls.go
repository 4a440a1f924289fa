package modes

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"nt/internal/sniff"
)

// tlsFlags are a tracker's certificate: from files, or from an authority that speaks ACME.
type tlsFlags struct {
	TLSHost []string `name:"tls-host" placeholder:"NAME" help:"Serve TLS and HTTP/2 too, with a certificate for this name that an ACME authority gives; it connects to port 443 of the name. Repeatable."`
	TLSCert string   `name:"tls-cert" placeholder:"FILE" help:"Serve TLS and HTTP/2 too, with this certificate chain (PEM)."`
	TLSKey  string   `name:"tls-key" placeholder:"FILE" help:"The private key of --tls-cert (PEM)."`
	AcmeURL string   `name:"acme-url" placeholder:"URL" default:"https://acme-v02.api.letsencrypt.org/directory" help:"Directory of the ACME authority. Its terms of service are accepted by using it."`
}

// acmeDir is where keys and certificates of the ACME authority are kept, in the state directory.
const acmeDir = "acme"

// certificates makes what handshakes are answered with, or nil for a tracker without TLS.
func (f tlsFlags) certificates(env environ) (*certificates, error) {
	switch {
	case len(f.TLSHost) > 0 && f.TLSCert+f.TLSKey != "":
		return nil, usagef("files, or an authority: not both", "--tls-host and --tls-cert exclude each other")
	case (f.TLSCert == "") != (f.TLSKey == ""):
		return nil, usagef("give both files", "--tls-cert and --tls-key go together")
	case f.TLSCert != "":
		c := &certificates{cert: f.TLSCert, key: f.TLSKey}
		return c, c.reload()
	case len(f.TLSHost) > 0:
		dir, err := env.statePath(acmeDir)
		if err != nil {
			return nil, err
		}
		return &certificates{acme: &autocert.Manager{Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(filepath.Clean(dir)),
			HostPolicy: autocert.HostWhitelist(f.TLSHost...), Client: &acme.Client{DirectoryURL: f.AcmeURL, UserAgent: "nt",
				HTTPClient: &http.Client{Timeout: 30 * time.Second}}}}, nil
	}
	return nil, nil
}

// certificates answers handshakes. Certificates in files are read again by reload;
// the authority's are renewed by autocert before they expire.
type certificates struct {
	acme      *autocert.Manager // nil: files
	cert, key string
	loaded    atomic.Pointer[tls.Certificate]
}

// reload reads the files again; on an error the old certificate stays.
func (c *certificates) reload() error {
	if c == nil || c.acme != nil {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return &fault{ExitFile, fmt.Errorf("reading the certificate: %w", err), "--tls-cert and --tls-key take PEM files that belong together"}
	}
	c.loaded.Store(&pair)
	return nil
}

func (c *certificates) config() *tls.Config {
	if c.acme != nil {
		conf := c.acme.TLSConfig() // with the protocol of the authority's question (RFC 8737)
		conf.MinVersion = tls.VersionTLS12
		return conf
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return c.loaded.Load(), nil
	}}
}

// tlsRecord begins every TLS connection: a handshake record (RFC 8446, 5.1).
const tlsRecord = "\x16\x03"

// splitTLS tells TLS connections from plain ones on one port: nodes of a cluster and
// BitTorrent clients may go on without.
func splitTLS(l net.Listener) (plain, secure net.Listener) {
	s := sniff.New(l, sniff.Options{Wait: headTimeout, Pending: maxConns})
	secure = s.Prefix([]byte(tlsRecord))
	return s.Rest(), secure
}

// serve answers on the TCP socket, with TLS beside plain HTTP where there is a certificate.
func (r *runningTracker) serve() {
	var err error
	if c := r.options.certs; c != nil {
		err = r.server.ServeBoth(r.options.tcp, c.config(), splitTLS)
	} else {
		err = r.server.Serve(r.options.tcp)
	}
	if err != nil {
		r.options.log.Error("the tracker serves no TCP any more", "err", err)
	}
}
