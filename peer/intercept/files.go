package intercept

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

const (
	// CertFile and KeyFile are an authority's files in its directory.
	CertFile = "ca.pem"
	KeyFile  = "ca.key"
	// maxPEM bounds what is read of either.
	maxPEM = 256 << 10
)

// Save writes the authority into dir, its key readable by the user alone, in place
// of what was there.
func (a *Authority) Save(dir string) error {
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return fmt.Errorf("saving the authority: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("saving the authority: %w", err)
	}
	// The key first: a certificate without its key is noticed, and not yet trusted.
	err = errors.Join(
		replace(filepath.Join(dir, KeyFile), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		replace(filepath.Join(dir, CertFile), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Cert.Raw})),
	)
	if err != nil {
		return fmt.Errorf("saving the authority: %w", err)
	}
	return nil
}

// Load reads what Save wrote. It wraps fs.ErrNotExist when there is none, and
// ErrBadAuthority for files that others can read or that do not belong together.
func Load(dir string) (*Authority, error) {
	keyDER, err := readPEM(filepath.Join(dir, KeyFile), "PRIVATE KEY", true)
	if err != nil {
		return nil, err
	}
	certDER, err := readPEM(filepath.Join(dir, CertFile), "CERTIFICATE", false)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(keyDER)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("%w: %s is no ECDSA key", ErrBadAuthority, KeyFile)
	}
	a, err := authority(certDER, key)
	if err != nil {
		return nil, err
	}
	pub, ok := a.Cert.PublicKey.(*ecdsa.PublicKey)
	switch {
	case !ok || !pub.Equal(key.Public()):
		return nil, fmt.Errorf("%w: %s is not the key of %s", ErrBadAuthority, KeyFile, CertFile)
	case !a.Cert.IsCA || a.Cert.NotAfter.Sub(a.Cert.NotBefore) > MaxLife:
		return nil, fmt.Errorf("%w: %s is no authority of at most %d days", ErrBadAuthority, CertFile, int(MaxLife.Hours()/24))
	}
	return a, nil
}

// Remove deletes the authority's files.
func Remove(dir string) error {
	var errs []error
	for _, name := range [...]string{KeyFile, CertFile, hostsFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func readPEM(path, kind string, secret bool) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the authority: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return nil, fmt.Errorf("reading the authority: %w", err)
	} else if secret && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w: %s can be read by others (%v)", ErrBadAuthority, path, info.Mode().Perm())
	}
	b, err := io.ReadAll(io.LimitReader(f, maxPEM))
	if err != nil {
		return nil, fmt.Errorf("reading the authority: %w", err)
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("%w: %s holds no %s", ErrBadAuthority, path, kind)
	}
	return block.Bytes, nil
}

// replace writes a file of mode 0600 under a temporary name and renames it.
func replace(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
