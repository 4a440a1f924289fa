package modes

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"nt/peer/intercept"
)

// caCmd manages the device's authority.
type caCmd struct {
	Install caInstallCmd `cmd:"" help:"Make the authority if there is none, and let this user's browsers trust it."`
	Remove  caRemoveCmd  `cmd:"" help:"Take the authority back from the browsers and delete it."`
	Show    caShowCmd    `cmd:"" help:"Say what the authority is and where it is trusted."`
}

// renewBefore is how long before its end an authority is replaced by nt ca install.
const renewBefore = 30 * 24 * time.Hour

type caInstallCmd struct {
	Host   []string `placeholder:"HOST" help:"Let the authority vouch for HOST and what is below it only; repeatable."`
	Never  []string `placeholder:"HOST" help:"Let it vouch for anything but HOST and what is below it; repeatable."`
	System bool     `help:"Install into the system's store as well (needs root; then every program of every user trusts it)."`
	Renew  bool     `help:"Make a new authority even if there is a good one."`
}

// Run makes and installs.
func (c *caInstallCmd) Run(a *app) error {
	dir, err := a.env.authorityDir()
	if err != nil {
		return err
	}
	old, err := intercept.Load(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !c.Renew {
		return &fault{ExitFile, err, "nt ca install --renew replaces it"}
	}
	ca := old
	if old == nil || c.Renew || !c.fits(old) || !old.Valid(time.Now().Add(renewBefore)) {
		if ca, err = intercept.Create(time.Now(), c.Host, c.Never); err != nil {
			return usagef("write names like example.org", "nt ca install: %w", err)
		}
		if old != nil {
			a.trustStores(old, dir, c.System).remove(a.ctx)
		}
		if err := ca.Save(dir); err != nil {
			return err
		}
	}
	stores := a.trustStores(ca, dir, c.System)
	for _, line := range stores.install(a.ctx) {
		if err := a.println(line); err != nil {
			return err
		}
	}
	return c.show(a, ca, dir)
}

// fits reports whether the authority vouches for what the flags say; without flags any does.
func (c *caInstallCmd) fits(ca *intercept.Authority) bool {
	same := func(flags, names []string) bool {
		return slices.Equal(slices.Sorted(slices.Values(flags)), names)
	}
	return len(c.Host)+len(c.Never) == 0 || same(c.Host, ca.Cert.PermittedDNSDomains) && same(c.Never, ca.Cert.ExcludedDNSDomains)
}

func (c *caInstallCmd) show(a *app, ca *intercept.Authority, dir string) error {
	if err := a.println(describeAuthority(ca, dir)); err != nil {
		return err
	}
	return a.println("Whoever reads " + filepath.Join(dir, intercept.KeyFile) + " can pose as any site it vouches for to this user's browsers. nt ca remove ends that.")
}

type caRemoveCmd struct {
	System bool `help:"Remove from the system's store as well (needs root)."`
}

// Run takes the authority back.
func (c *caRemoveCmd) Run(a *app) error {
	dir, err := a.env.authorityDir()
	if err != nil {
		return err
	}
	ca, err := intercept.Load(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return &fault{ExitFile, errors.New("this device has no authority"), ""}
	}
	var lines []string
	if err == nil { // one that cannot be read cannot be looked for, and is deleted
		lines = a.trustStores(ca, dir, c.System).remove(a.ctx)
	}
	if err := intercept.Remove(dir); err != nil {
		return fmt.Errorf("removing the authority: %w", err)
	}
	for _, line := range append(lines, "removed "+filepath.Join(dir, intercept.KeyFile)) {
		if err := a.println(line); err != nil {
			return err
		}
	}
	return nil
}

type caShowCmd struct {
	JSON bool `name:"json" help:"One JSON object."`
}

// authorityReport is what nt ca show --json prints.
type authorityReport struct {
	Certificate string   `json:"certificate"` // path of the PEM file
	Fingerprint string   `json:"fingerprint"` // SHA-256 of the certificate, hexadecimal
	SPKI        string   `json:"spki"`        // SHA-256 of its public key, base64, as Chromium takes it
	NotAfter    string   `json:"not_after"`   // RFC 3339
	Hosts       []string `json:"hosts,omitempty"`
	Never       []string `json:"never,omitempty"`
	TrustedBy   []string `json:"trusted_by"`
}

// Run prints what there is.
func (c *caShowCmd) Run(a *app) error {
	dir, err := a.env.authorityDir()
	if err != nil {
		return err
	}
	ca, err := intercept.Load(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &fault{ExitFile, errors.New("this device has no authority"), "nt ca install makes one"}
	case err != nil:
		return err
	}
	trusted := a.trustStores(ca, dir, true).trusting(a.ctx)
	if !c.JSON {
		text := describeAuthority(ca, dir)
		for _, where := range trusted {
			text += "\ntrusted by " + where
		}
		if len(trusted) == 0 {
			text += "\ntrusted by no browser that nt can ask"
		}
		return a.println(text)
	}
	b, err := json.Marshal(authorityReport{
		Certificate: filepath.Join(dir, intercept.CertFile), Fingerprint: ca.Fingerprint(), SPKI: spki(ca), NotAfter: ca.Cert.NotAfter.UTC().Format(time.RFC3339),
		Hosts: ca.Cert.PermittedDNSDomains, Never: ca.Cert.ExcludedDNSDomains, TrustedBy: append([]string{}, trusted...),
	})
	if err != nil {
		return err
	}
	return a.println(string(b))
}

func spki(ca *intercept.Authority) string {
	sum := sha256.Sum256(ca.Cert.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func describeAuthority(ca *intercept.Authority, dir string) string {
	reach := "any host that is not denied"
	if names := ca.Cert.PermittedDNSDomains; len(names) > 0 {
		reach = "only " + strings.Join(names, ", ")
	}
	if names := ca.Cert.ExcludedDNSDomains; len(names) > 0 {
		reach += ", never " + strings.Join(names, ", ")
	}
	return fmt.Sprintf("authority %s\ncertificate %s\nSHA-256 %s\nvouches for %s\nvalid until %s", ca.Cert.Subject.CommonName,
		filepath.Join(dir, intercept.CertFile), ca.Fingerprint(), reach, ca.Cert.NotAfter.UTC().Format(time.DateOnly))
}
