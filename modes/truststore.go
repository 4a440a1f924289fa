package modes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"nt/peer/intercept"
)

const (
	// systemCert is where Debian and its kin take local authorities from.
	systemCert = "/usr/local/share/ca-certificates/nt-device.crt"
	// storeTime bounds one run of a store's own tool, maxStores how many are asked.
	storeTime = 20 * time.Second
	maxStores = 64
)

// trustStores are where this user's programs look for authorities.
type trustStores struct {
	ca       *intercept.Authority
	file     string // the certificate, PEM
	certutil string // path of NSS's tool, "" if it is not here
	nss      []string
	own      string // the NSS database of Chromium, made if there is none
	system   bool
}

// trustStores finds the stores of Chromium and Firefox on this machine.
func (a *app) trustStores(ca *intercept.Authority, dir string, system bool) trustStores {
	s := trustStores{ca: ca, file: filepath.Join(dir, intercept.CertFile), system: system}
	s.certutil, _ = exec.LookPath("certutil") // its absence is told by install
	home := a.env["HOME"]
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" || !filepath.IsAbs(home) {
		s.certutil = "" // Windows' certutil is another program
		return s
	}
	s.own = filepath.Join(home, ".pki", "nssdb")
	for _, pattern := range []string{
		".pki/nssdb", ".local/share/pki/nssdb", "snap/chromium/current/.pki/nssdb",
		".mozilla/firefox/*", "snap/firefox/common/.mozilla/firefox/*", ".var/app/org.mozilla.firefox/.mozilla/firefox/*",
	} {
		dbs, _ := filepath.Glob(filepath.Join(home, pattern, "cert9.db")) // the patterns are good
		for _, db := range dbs {
			if len(s.nss) < maxStores {
				s.nss = append(s.nss, filepath.Dir(db))
			}
		}
	}
	return s
}

func (s trustStores) nickname() string { return "nt device authority " + s.ca.Fingerprint()[:16] }

// install makes every store trust the authority. It returns a line per store, and
// instructions for what it cannot do.
func (s trustStores) install(ctx context.Context) (lines []string) {
	if s.certutil == "" {
		lines = append(lines, s.byHand()...)
	} else {
		lines = append(lines, s.makeOwn(ctx)...)
		for _, db := range s.nss {
			lines = append(lines, storeLine("trusted by", db, s.run(ctx, s.certutil, "-A", "-d", "sql:"+db, "-t", "C,,", "-n", s.nickname(), "-i", s.file)))
		}
	}
	if s.system {
		lines = append(lines, storeLine("trusted by", "the system", s.installSystem(ctx)))
	}
	return lines
}

// makeOwn makes Chromium's database, which Chromium itself makes only when it is
// told of a certificate.
func (s *trustStores) makeOwn(ctx context.Context) []string {
	if _, err := os.Stat(filepath.Join(s.own, "cert9.db")); s.own == "" || err == nil {
		return nil
	}
	err := os.MkdirAll(s.own, 0o700)
	if err == nil {
		err = s.run(ctx, s.certutil, "-N", "-d", "sql:"+s.own, "--empty-password")
	}
	if err != nil {
		return []string{storeLine("made", s.own, err)}
	}
	s.nss = append(s.nss, s.own)
	return nil
}

func (s trustStores) installSystem(ctx context.Context) error {
	b, err := os.ReadFile(s.file)
	if err != nil {
		return err
	}
	if err := os.WriteFile(systemCert, b, 0o644); err != nil {
		return err
	}
	return s.run(ctx, "update-ca-certificates")
}

// remove takes the authority back from every store that has it.
func (s trustStores) remove(ctx context.Context) (lines []string) {
	for _, db := range s.holding(ctx) {
		lines = append(lines, storeLine("removed from", db, s.run(ctx, s.certutil, "-D", "-d", "sql:"+db, "-n", s.nickname())))
	}
	if s.inSystem() {
		if !s.system {
			return append(lines, "still trusted by the system: nt ca remove --system as root, or delete "+systemCert+" and run update-ca-certificates")
		}
		err := os.Remove(systemCert)
		if err == nil {
			err = s.run(ctx, "update-ca-certificates", "--fresh")
		}
		lines = append(lines, storeLine("removed from", "the system", err))
	}
	if s.certutil == "" {
		lines = append(lines, "delete \""+s.ca.Cert.Subject.CommonName+"\" from your browser's authorities")
	}
	return lines
}

// trusting names the stores that have the authority.
func (s trustStores) trusting(ctx context.Context) []string {
	out := s.holding(ctx)
	if s.inSystem() {
		out = append(out, "the system")
	}
	return out
}

func (s trustStores) holding(ctx context.Context) (dbs []string) {
	for _, db := range s.nss {
		if s.certutil != "" && s.run(ctx, s.certutil, "-L", "-d", "sql:"+db, "-n", s.nickname()) == nil {
			dbs = append(dbs, db)
		}
	}
	return dbs
}

func (s trustStores) inSystem() bool {
	there, err := os.ReadFile(systemCert)
	own, ownErr := os.ReadFile(s.file)
	return err == nil && ownErr == nil && bytes.Equal(there, own)
}

// run runs a store's tool. The user's own stores have no password; a tool that asks
// for one gets an empty answer and fails.
func (s trustStores) run(ctx context.Context, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("%s: %.200q", filepath.Base(name), line)
	}
	return err
}

func storeLine(what, where string, err error) string {
	if err != nil {
		return fmt.Sprintf("NOT %s %s: %v", what, where, err)
	}
	return what + " " + where
}

// byHand says what the user must do where nt cannot.
func (s trustStores) byHand() []string {
	const firefox = "Firefox: Settings, Privacy & Security, View Certificates, Authorities, Import: "
	switch runtime.GOOS {
	case "darwin":
		return []string{"run: security add-trusted-cert -r trustRoot -p ssl -k ~/Library/Keychains/login.keychain-db '" + s.file + "'", firefox + s.file}
	case "windows":
		return []string{`run: certutil -user -addstore Root "` + s.file + `"`, firefox + s.file}
	}
	return []string{
		"certutil is not here; install it (Debian: libnss3-tools) and run nt ca install again, or, by hand,",
		"Chromium: chrome://certificate-manager, Custom, Trusted Certificates, Import: " + s.file, firefox + s.file,
	}
}
