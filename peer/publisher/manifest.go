package publisher

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"nt/chunker"
	"nt/internal/resource"
)

const (
	// MaxManifestBytes and MaxEntries bound a manifest.
	MaxManifestBytes = 8 << 20
	MaxEntries       = 16 << 10

	manifestDomain = "nt-publisher-manifest-v1\n"
)

// Manifest is a publisher's list of everything there is below a scope. Pages and what they
// load are in one list with one number, so that nobody can serve a new page with an old
// script (the mix-and-match of The Update Framework), and a path that is not in it is not
// the publisher's.
type Manifest struct {
	Version   int                 `json:"version"` // 1
	Origin    string              `json:"origin"`
	Scope     string              `json:"scope"`
	Sequence  int64               `json:"sequence"`
	Expires   int64               `json:"expires"` // Unix seconds
	Entries   Entries             `json:"entries"` // by path, ascending
	Key       resource.WitnessKey `json:"key"`
	Signature resource.Signature  `json:"signature"`
}

// Entry is one path and the publisher's signed statement about it, without what follows
// from the place it stands in.
type Entry struct {
	Path       string             `json:"path"` // with its query, if there is one
	Object     chunker.ObjectID   `json:"object"`
	Size       int64              `json:"size"`
	Header     http.Header        `json:"header"`
	ObservedAt int64              `json:"observed_at"`
	Signature  resource.Signature `json:"signature"`
}

// Entries is the entries of a manifest.
type Entries []Entry

// UnmarshalJSON reads at most MaxEntries entries.
func (l *Entries) UnmarshalJSON(b []byte) (err error) {
	*l, err = decodeList[Entry](b, MaxEntries, "entries")
	return err
}

// ParseManifest reads a manifest and checks its form and its signature. Whether its key
// counts, and its number, is for Accepts. The entries' own signatures are checked where one is
// used. Errors wrap ErrBad.
func ParseManifest(b []byte) (Manifest, error) {
	var m Manifest
	if err := decode(b, MaxManifestBytes, &m); err != nil {
		return Manifest{}, err
	}
	return m, m.check()
}

func (m Manifest) check() error {
	if m.Version != 1 {
		return badf("version %d is not known", m.Version)
	}
	if err := checkOrigin(m.Origin); err != nil {
		return err
	}
	if err := checkSequence(m.Sequence, m.Expires); err != nil {
		return err
	}
	if err := checkScope(m.Origin, m.Scope); err != nil {
		return err
	}
	for i, e := range m.Entries {
		u, err := checkPath(m.Origin, e.Path)
		switch {
		case err != nil:
			return err
		case !strings.HasPrefix(u.Path(), m.Scope):
			return badf("the path %.100q is not below %s", e.Path, m.Scope)
		case i > 0 && m.Entries[i-1].Path >= e.Path:
			return badf("the paths are not in order at %.100q", e.Path)
		}
	}
	if !ed25519.Verify(m.Key[:], m.message(), m.Signature[:]) {
		return badf("the signature of key %s does not hold", m.Key.Short())
	}
	return nil
}

// NewManifest signs what is there: statements by their URL path.
func NewManifest(origin, scope string, sequence int64, expires time.Time, seen map[string]resource.Statement, key ed25519.PrivateKey) (Manifest, error) {
	m := Manifest{Version: 1, Origin: origin, Scope: scope, Sequence: sequence, Expires: expires.Unix(), Entries: make(Entries, 0, len(seen))}
	if len(seen) > MaxEntries {
		return m, badf("%d paths are over the limit of %d; sign parts of the site with keys of their own", len(seen), MaxEntries)
	}
	for path, s := range seen {
		s = s.Sign(key)
		m.Key = s.Witness
		m.Entries = append(m.Entries, Entry{Path: path, Object: s.Object, Size: s.Size, Header: s.Header, ObservedAt: s.ObservedAt, Signature: s.Signature})
	}
	slices.SortFunc(m.Entries, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	m.Key = resource.WitnessKey(key.Public().(ed25519.PublicKey))
	m.Signature = resource.Signature(ed25519.Sign(key, m.message()))
	return m, m.check()
}

// Encode writes what ParseManifest reads.
func (m Manifest) Encode() ([]byte, error) {
	b, err := json.Marshal(m)
	if err == nil && len(b) >= MaxManifestBytes {
		err = badf("%d bytes are over the limit of %d", len(b), MaxManifestBytes)
	}
	return append(b, '\n'), err
}

// message is what is signed. An entry's signature stands for what it signs.
func (m Manifest) message() []byte {
	b := appendText(appendText([]byte(manifestDomain), m.Origin), m.Scope)
	b = binary.BigEndian.AppendUint64(b, uint64(m.Sequence))
	b = binary.BigEndian.AppendUint64(b, uint64(m.Expires))
	h := sha256.New()
	var buf []byte
	for _, e := range m.Entries {
		buf = append(appendText(buf[:0], e.Path), e.Signature[:]...)
		h.Write(buf)
	}
	return h.Sum(b)
}

// Statement returns what the manifest says of a URL of its origin; false if nothing. The
// statement's signature is not checked.
func (m Manifest) Statement(u resource.URL) (resource.Statement, bool) {
	path := strings.TrimPrefix(u.String(), m.Origin)
	i, ok := slices.BinarySearchFunc(m.Entries, path, func(e Entry, path string) int { return strings.Compare(e.Path, path) })
	if !ok {
		return resource.Statement{}, false
	}
	e := m.Entries[i]
	return resource.Statement{Key: u.Key(), Object: e.Object, Size: e.Size, Status: http.StatusOK, Header: e.Header,
		ObservedAt: e.ObservedAt, Witness: m.Key, Signature: e.Signature}, true
}

// Accepts says whether a manifest, from wherever it came, is one of a key of k for that
// scope at now, and not older than sequence, the newest that is known. Errors wrap ErrBad.
func (k Keys) Accepts(m Manifest, sequence int64, now time.Time) error {
	switch {
	case m.Origin != k.Origin:
		return badf("the manifest is of %s", m.Origin)
	case !slices.ContainsFunc(k.Keys, func(e Key) bool { return e.Key == m.Key && e.Scope == m.Scope }):
		return badf("the manifest is signed by %s, which does not speak for %s", m.Key.Short(), m.Scope)
	case now.Unix() >= m.Expires:
		return badf("the manifest expired at %s", time.Unix(m.Expires, 0).UTC().Format(time.RFC3339))
	case m.Expires > now.Add(MaxLife).Unix():
		return badf("the manifest does not expire within %d days", MaxLife/(24*time.Hour))
	case m.Sequence < sequence:
		return badf("the manifest %d is older than %d, which is known", m.Sequence, sequence)
	}
	return nil
}
