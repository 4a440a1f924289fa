package peer

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"

	"nt/chunker"
	"nt/internal/resource"
	"nt/peer/cache"
	"nt/peer/trust"
)

var errChecksum = errors.New("the copy does not have the checksum asked for")

// pin is under which condition a candidate is fetched.
type pin struct {
	sum   *chunker.Hash // the content must have it; nil: the candidate's level is enough
	level trust.Level   // what the content is then
	// otherwise: without the condition the candidate would not be accepted.
	otherwise bool
	whole     *cache.Integrity // a hash that only the whole content tells; nil: none
	by        string           // who named the hash, for people; "" is the reader
}

// admit says whether and how a candidate may be fetched; nil, with a note in low, if not.
// What the reader names by its hash is accepted whoever vouches for it.
func (n *Node) admit(p *plan, c *trust.Candidate, low *UntrustedError, claim *trust.Claim) *pin {
	switch {
	case p.req.Object != nil && c.Statement.Object != *p.req.Object:
		return nil
	case p.req.Object != nil:
		c.Level = trust.Pinned
		return &pin{sum: p.req.Pin, level: trust.Pinned}
	case p.req.Pin != nil:
		return &pin{sum: p.req.Pin, level: trust.Pinned}
	case p.proving:
		c.Level = trust.Publisher // or what comes is rejected
		return &pin{}
	}
	risky := c.Level < trust.Notary && riskyName(p.url, c.Statement.Header)
	if !c.Disputed && !c.Unsigned && c.Level >= p.min && !risky {
		return &pin{}
	}
	if named := n.namedBy(p, c.Statement, c.Unsigned); named != nil {
		c.Witnesses = []string{named.by}
		return named
	}
	low.Found = append(low.Found, *c)
	low.Risky = low.Risky || risky && c.Level >= p.min
	if c.Unsigned {
		low.Publisher, low.Unsigned = claim.Publisher, claim.Why
	}
	return nil
}

// namedBy returns the condition under which a candidate is what somebody who can be believed
// named by its hash: the origin itself, or a page that loads it. nil if nobody did.
func (n *Node) namedBy(p *plan, s resource.Statement, unsigned bool) *pin {
	if sum := p.digest.Load(); sum != nil {
		return &pin{sum: sum, level: trust.Publisher, otherwise: true, by: "the origin's own Repr-Digest"}
	}
	if unsigned {
		return nil // the page that named it may be older than the manifest that does not
	}
	return n.integrityOf(p, s)
}

// admitCached decides whether a copy in the own cache is believable enough now. What a
// reader fetched itself stays; of what came from others the publisher has the last word.
func (n *Node) admitCached(ctx context.Context, p *plan, c *found) error {
	if p.proving {
		return nil
	}
	e := c.entry
	if e.Level == trust.Notary && n.said.proof(e.Statement.Witness) != "" {
		return errors.New("its notary keeps two accounts")
	}
	if e.Level != trust.Self {
		if claim := n.claim(ctx, p, false); claim != nil {
			if !claim.Signs(e.Statement) {
				return fmt.Errorf("the copy is not signed by %s", claim.Publisher)
			}
			c.entry.Statement, c.entry.Witnesses, c.level = *claim.Statement, []string{claim.Publisher}, max(c.level, trust.Publisher)
		}
	}
	if c.level < p.min || c.level < trust.Notary && riskyName(p.url, e.Header()) {
		c.pin = n.namedBy(p, e.Statement, false)
		if h, ok := c.obj.Header(); ok && c.pin != nil && c.pin.whole == nil && c.checkPin(h.SHA256) == nil {
			c.entry.Witnesses = []string{c.pin.by}
			return nil
		}
	}
	if c.level < p.min {
		return fmt.Errorf("the copy is %s, %s is asked for", c.level, p.min)
	}
	if c.level < trust.Notary && riskyName(p.url, e.Header()) {
		return &riskyError{}
	}
	return nil
}

// checkPin compares the content's hash with the one it must have.
func (c *found) checkPin(sum chunker.Hash) error {
	if c.pin == nil || c.pin.sum == nil {
		return nil
	}
	if sum != *c.pin.sum {
		return errChecksum
	}
	c.level = c.pin.level
	return nil
}

// riskyError refuses what runs, or unpacks into what runs, without a checksum.
type riskyError struct{}

func (*riskyError) Error() string {
	return "it is a program, a script or an archive, which needs a checksum"
}

// checkBeginning looks at the first bytes of what would be handed out without a notary or a
// checksum: a program that calls itself a picture is still one.
func (c *found) checkBeginning() error {
	if c.level >= trust.Notary || c.p.proving || c.entry.Encoding() != "" {
		return nil
	}
	b, err := c.obj.ReadChunk(0, nil)
	if err != nil {
		return err
	}
	if riskyBytes(b) {
		c.fetch.reject()
		return &riskyError{}
	}
	return nil
}

// Types, extensions and beginnings of programs, scripts and archives.
var (
	riskyTypes = map[string]bool{
		"application/x-msdownload": true, "application/x-executable": true, "application/x-elf": true, "application/x-sh": true,
		"application/x-msi": true, "application/vnd.microsoft.portable-executable": true, "application/x-apple-diskimage": true,
		"application/java-archive": true, "application/vnd.android.package-archive": true, "application/x-debian-package": true,
		"application/vnd.debian.binary-package": true, "application/x-rpm": true, "application/zip": true, "application/gzip": true,
		"application/x-gzip": true, "application/x-tar": true, "application/x-xz": true, "application/x-bzip2": true,
		"application/x-7z-compressed": true, "application/vnd.rar": true, "application/zstd": true, "text/x-shellscript": true,
		"text/javascript": true, "application/javascript": true, "application/x-javascript": true, "application/ecmascript": true,
		"text/ecmascript": true, "application/wasm": true, "text/x-python": true, "application/x-python-code": true,
		"application/x-perl": true, "application/x-ruby": true, "application/x-php": true, "application/x-csh": true, "application/hta": true,
	}
	riskyExtensions = map[string]bool{
		".exe": true, ".msi": true, ".dll": true, ".bat": true, ".cmd": true, ".ps1": true, ".sh": true, ".run": true, ".appimage": true,
		".dmg": true, ".pkg": true, ".deb": true, ".rpm": true, ".apk": true, ".jar": true, ".zip": true, ".gz": true, ".tgz": true,
		".bz2": true, ".xz": true, ".zst": true, ".7z": true, ".rar": true, ".tar": true, ".iso": true, ".img": true, ".whl": true, ".gem": true,
		".js": true, ".mjs": true, ".cjs": true, ".wasm": true, ".py": true, ".pyz": true, ".pl": true, ".rb": true, ".vbs": true, ".wsf": true,
		".hta": true, ".scr": true, ".com": true, ".lnk": true, ".bash": true, ".zsh": true, ".fish": true, ".reg": true, ".so": true, ".dylib": true,
	}
	riskyBeginnings = []string{
		"#!", "MZ", "\x7fELF", "PK\x03\x04", "\x1f\x8b", "\xfd7zXZ\x00", "BZh", "7z\xbc\xaf\x27\x1c", "Rar!\x1a\x07", "\x28\xb5\x2f\xfd", "!<arch>\n",
		"MSCF", "\xed\xab\xee\xdb", "\xca\xfe\xba\xbe", "\xfe\xed\xfa\xce", "\xfe\xed\xfa\xcf", "\xce\xfa\xed\xfe", "\xcf\xfa\xed\xfe", "\x00asm",
		"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
	}
)

// riskyName reports whether a copy calls itself a program, a script or an archive.
func riskyName(u resource.URL, h http.Header) bool {
	return riskyTypes[mediaType(h)] || riskyExtensions[strings.ToLower(path.Ext(u.Path()))]
}

// riskyBytes reports whether content begins like a program, a script or an archive.
func riskyBytes(b []byte) bool {
	for _, s := range riskyBeginnings {
		if bytes.HasPrefix(b, []byte(s)) {
			return true
		}
	}
	const tarMagic, tarAt = "ustar", 257
	return len(b) > tarAt+len(tarMagic) && string(b[tarAt:tarAt+len(tarMagic)]) == tarMagic
}

// reprDigest reads the SHA-256 of a Repr-Digest field (RFC 9530).
func reprDigest(h http.Header) *chunker.Hash {
	for _, v := range h.Values("Repr-Digest") {
		for item := range strings.SplitSeq(v, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(item), "=")
			text, ok := strings.CutPrefix(value, ":")
			text, closed := strings.CutSuffix(text, ":")
			sum, err := base64.StdEncoding.DecodeString(text)
			if name == "sha-256" && ok && closed && err == nil && len(sum) == len(chunker.Hash{}) {
				return (*chunker.Hash)(sum)
			}
		}
	}
	return nil
}
