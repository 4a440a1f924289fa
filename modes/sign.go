package modes

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"nt/chunker"
	"nt/internal/resource"
	"nt/peer"
	"nt/peer/publisher"
)

// signCmd makes the documents by which readers know a site's copies, for any web server.
type signCmd struct {
	Dir    string   `arg:"" help:"Folder that the web server serves. Files whose name starts with a dot are left out."`
	URL    string   `name:"url" required:"" placeholder:"BASE" help:"Its public URL, https://HOST/."`
	Key    string   `required:"" placeholder:"FILE" help:"Key that signs (nt keygen)."`
	OldKey []string `placeholder:"FILE" help:"Key that the new one takes the place of; repeatable. Readers who know it accept no other change."`
	Life   span     `default:"2160h" placeholder:"TIME" help:"How long the signature holds; sign again before."`
}

// signerOf reads the keys of a site. It fails with a hint if the site is not one that
// readers can learn a key of.
func signerOf(base *url.URL, keyFile string, oldFiles []string, life time.Duration) (*signer, error) {
	if base.Scheme != "https" || base.Path != "/" {
		return nil, usagef("keys are learnt from https://HOST/.well-known/nt.json", "%s is not the root of an https site", base)
	}
	if life <= 0 || life > publisher.MaxLife {
		return nil, usagef("", "a signature holds for up to %v, not %v", publisher.MaxLife, life)
	}
	u, err := resource.ParseURL(base.String())
	if err != nil {
		return nil, usagef("", "%s: %w", base, err)
	}
	s := &signer{origin: u.Origin(), life: life}
	if s.key, err = readKey(keyFile); err != nil {
		return nil, err
	}
	for _, file := range oldFiles {
		key, err := readKey(file)
		if err != nil {
			return nil, err
		}
		s.old = append(s.old, key)
	}
	return s, nil
}

// signer signs one site.
type signer struct {
	origin string
	key    ed25519.PrivateKey
	old    []ed25519.PrivateKey // that sign its succession
	life   time.Duration
}

// sign returns both documents over what the folder offers; sequence is their number.
func (s *signer) sign(offers []offer, sequence int64, now time.Time) (keys, manifest []byte, err error) {
	seen := make(map[string]resource.Statement, len(offers))
	for _, o := range offers {
		seen[strings.TrimPrefix(o.url.String(), s.origin)] = o.statement
	}
	expires := now.Add(s.life)
	m, err := publisher.NewManifest(s.origin, "/", sequence, expires, seen, s.key)
	if err != nil {
		return nil, nil, err
	}
	k := publisher.Keys{Version: 1, Origin: s.origin, Sequence: sequence, Expires: expires.Unix(),
		Keys: publisher.KeyList{{Key: m.Key, Scope: "/", Manifest: publisher.ManifestPath}}}
	k = k.Sign(s.key)
	for _, old := range s.old {
		k = k.Sign(old)
	}
	if keys, err = k.Encode(); err == nil {
		manifest, err = m.Encode()
	}
	return keys, manifest, err
}

// Run writes both documents below DIR/.well-known, the manifest first.
func (c *signCmd) Run(a *app) error {
	base, err := baseURL(c.URL, nil)
	if err != nil {
		return err
	}
	s, err := signerOf(base, c.Key, c.OldKey, time.Duration(c.Life))
	if err != nil {
		return err
	}
	f, err := openFolder(c.Dir, nil, peer.NewShelf(nil), a.log)
	if err != nil {
		return err
	}
	defer f.close()
	f.hash = hashOnly
	now := time.Now()
	if _, err := f.scan(a.ctx, now); err != nil {
		return err
	}
	offers := f.offers(base)
	sequence := max(now.Unix(), earlierSequence(filepath.Join(c.Dir, publisher.KeysPath), a.log)+1)
	keys, manifest, err := s.sign(offers, sequence, now)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(c.Dir, filepath.Dir(publisher.KeysPath)), 0o755); err != nil {
		return fileFault("writing the signature", err)
	}
	if err := replaceFile(filepath.Join(c.Dir, publisher.ManifestPath), manifest); err != nil {
		return fileFault("writing the manifest", err)
	}
	if err := replaceFile(filepath.Join(c.Dir, publisher.KeysPath), keys); err != nil {
		return fileFault("writing the keys", err)
	}
	return a.println(fmt.Sprintf("signed %d paths of %s as number %d, until %s, with key %s", len(offers), s.origin, sequence,
		now.Add(s.life).UTC().Format("2006-01-02"), keyHex(s.key)))
}

// earlierSequence returns the number of the documents that are there already, 0 if none are.
func earlierSequence(path string, log *slog.Logger) int64 {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	k, err := publisher.ParseKeys(b)
	if err != nil {
		log.Warn("the earlier key document is replaced", "file", path, "err", err)
		return 0
	}
	return k.Sequence
}

// hashOnly names a file's bytes without keeping them.
func hashOnly(_ context.Context, f *os.File) (chunker.Header, error) {
	info, err := f.Stat()
	if err != nil {
		return chunker.Header{}, err
	}
	tree, err := chunker.Build(io.LimitReader(f, info.Size()), info.Size())
	if err != nil {
		return chunker.Header{}, err
	}
	return tree.Header(), nil
}

// replaceFile puts a file that web servers may read in place whole.
func replaceFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".nt-sign-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
