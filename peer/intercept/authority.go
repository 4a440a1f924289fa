package intercept

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

const (
	// MaxLife is the longest an authority may be valid.
	MaxLife = 90 * 24 * time.Hour
	// leafLife is how long a site's certificate is valid; it is made anew before.
	leafLife = 7 * 24 * time.Hour
	// skew is how far a reader's clock may be behind ours.
	skew = time.Hour
	// maxNames bounds the names an authority is bound to.
	maxNames = 1000
)

// ErrBadAuthority is wrapped when an authority's files do not hold a usable one.
var ErrBadAuthority = errors.New("intercept: bad authority")

// Authority signs sites' certificates for the readers of one device. It is safe for
// concurrent use.
type Authority struct {
	Cert *x509.Certificate
	key  *ecdsa.PrivateKey // of the authority
	leaf *ecdsa.PrivateKey // of every site's certificate; never stored
}

// Create makes an authority. names, if there are any, are the only hosts it can
// vouch for, with everything below them; never are hosts it cannot vouch for. Both
// stand in the certificate as critical name constraints (RFC 5280, 4.2.1.10).
func Create(now time.Time, names, never []string) (*Authority, error) {
	permitted, err := hostNames(names)
	if err != nil {
		return nil, err
	}
	excluded, err := hostNames(never)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the authority's key: %w", err)
	}
	t := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{Organization: []string{"nt"}, CommonName: "nt, this device only, " + now.UTC().Format("2006-01-02")},
		NotBefore: now.Add(-skew), NotAfter: now.Add(MaxLife - skew), IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		PermittedDNSDomains: permitted, ExcludedDNSDomains: excluded,
	}
	if len(permitted) > 0 { // a constraint on names says nothing about addresses
		t.ExcludedIPRanges = []*net.IPNet{{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}, {IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)}}
	}
	t.PermittedDNSDomainsCritical = len(permitted)+len(excluded) > 0
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making the authority: %w", err)
	}
	return authority(der, key)
}

func authority(der []byte, key *ecdsa.PrivateKey) (*Authority, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadAuthority, err)
	}
	leaf, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key for sites: %w", err)
	}
	return &Authority{Cert: cert, key: key, leaf: leaf}, nil
}

// hostNames checks names for a constraint.
func hostNames(in []string) (out []string, err error) {
	if len(in) > maxNames {
		return nil, fmt.Errorf("intercept: %d names, the limit is %d", len(in), maxNames)
	}
	for _, name := range in {
		name = strings.ToLower(strings.Trim(name, ". "))
		if _, err := netip.ParseAddr(name); err == nil || name == "" || strings.ContainsAny(name, "/:* @") {
			return nil, fmt.Errorf("intercept: %q is not a host name", name)
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func serial() *big.Int {
	var b [16]byte
	rand.Read(b[:])
	b[0] &= 0x7f // positive
	return new(big.Int).SetBytes(b[:])
}

// Fingerprint is the SHA-256 of the certificate in hexadecimal.
func (a *Authority) Fingerprint() string {
	sum := sha256.Sum256(a.Cert.Raw)
	return hex.EncodeToString(sum[:])
}

// Valid reports whether the authority can be used at now.
func (a *Authority) Valid(now time.Time) bool {
	return !now.Before(a.Cert.NotBefore) && now.Before(a.Cert.NotAfter)
}

// Covers reports whether the authority's constraints let it vouch for host, a name
// or an address. It judges like crypto/x509, which the test holds it to.
func (a *Authority) Covers(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	below := func(list []string) bool {
		return slices.ContainsFunc(list, func(d string) bool { return strings.HasSuffix("."+host, "."+d) })
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Zone() == "" && len(a.Cert.ExcludedIPRanges) == 0
	}
	return host != "" && !below(a.Cert.ExcludedDNSDomains) && (len(a.Cert.PermittedDNSDomains) == 0 || below(a.Cert.PermittedDNSDomains))
}

// Leaf makes a certificate for host. It does not ask Covers: whether a reader takes
// a leaf outside the constraints is the reader's matter, and a test's.
func (a *Authority) Leaf(host string, now time.Time) (*tls.Certificate, error) {
	until := now.Add(leafLife)
	if until.After(a.Cert.NotAfter) {
		until = a.Cert.NotAfter
	}
	t := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{Organization: []string{"nt, read on this device"}}, NotBefore: now.Add(-skew), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(host); ip != nil {
		t.IPAddresses = []net.IP{ip}
	} else {
		t.DNSNames = []string{strings.TrimSuffix(host, ".")}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.Cert, a.leaf.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("certifying %s: %w", host, err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("certifying %s: %w", host, err)
	}
	return &tls.Certificate{Certificate: [][]byte{der, a.Cert.Raw}, PrivateKey: a.leaf, Leaf: parsed}, nil
}
