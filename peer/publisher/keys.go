package publisher

import (
	"crypto/ed25519"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"nt/internal/resource"
)

const (
	// KeysPath is where a site's key document is.
	KeysPath = "/.well-known/nt.json"
	// ManifestPath is where nt puts a manifest; a document may name another path.
	ManifestPath = "/.well-known/nt-manifest.json"

	// MaxKeysBytes bounds a key document.
	MaxKeysBytes = 16 << 10
	// MaxLife is how far ahead a document may expire: a mistake must end one day.
	MaxLife = 400 * 24 * time.Hour

	maxKeys       = 8
	maxSignatures = 16
	keysDomain    = "nt-publisher-keys-v1\n"
)

// Keys is a site's key document: whose signature counts for which paths. It is taken
// only from the site itself, over a valid certificate.
//
// It is signed by every key it lists, which proves that they are its author's, and at a
// change also by an old key for every scope that changes (Succeeds).
type Keys struct {
	Version    int        `json:"version"` // 1
	Origin     string     `json:"origin"`  // "https://example.org"
	Sequence   int64      `json:"sequence"`
	Expires    int64      `json:"expires"` // Unix seconds
	Keys       KeyList    `json:"keys"`
	Signatures Signatures `json:"signatures"`
}

// Key is a key and the paths it speaks for. Where scopes overlap the longest one that
// covers a path decides alone.
type Key struct {
	Key      resource.WitnessKey `json:"key"`
	Scope    string              `json:"scope"`    // "/" or "/blog/"
	Manifest string              `json:"manifest"` // path of the manifest it signs
}

// Signature is one key's signature.
type Signature struct {
	Key       resource.WitnessKey `json:"key"`
	Signature resource.Signature  `json:"signature"`
}

// KeyList is the keys of a document.
type KeyList []Key

// UnmarshalJSON reads at most maxKeys keys.
func (l *KeyList) UnmarshalJSON(b []byte) (err error) {
	*l, err = decodeList[Key](b, maxKeys, "keys")
	return err
}

// Signatures is the signatures of a document.
type Signatures []Signature

// UnmarshalJSON reads at most maxSignatures signatures.
func (l *Signatures) UnmarshalJSON(b []byte) (err error) {
	*l, err = decodeList[Signature](b, maxSignatures, "signatures")
	return err
}

// ParseKeys reads a key document and checks its form and its signatures, but not who
// may publish it for how long: that is Succeeds. Errors wrap ErrBad.
func ParseKeys(b []byte) (Keys, error) {
	var k Keys
	if err := decode(b, MaxKeysBytes, &k); err != nil {
		return Keys{}, err
	}
	return k, k.check()
}

func (k Keys) check() error {
	if k.Version != 1 {
		return badf("version %d is not known", k.Version)
	}
	if err := checkOrigin(k.Origin); err != nil {
		return err
	}
	if err := checkSequence(k.Sequence, k.Expires); err != nil {
		return err
	}
	if len(k.Keys) == 0 {
		return badf("it lists no key")
	}
	for i, e := range k.Keys {
		if err := checkScope(k.Origin, e.Scope); err != nil {
			return err
		}
		if _, err := checkPath(k.Origin, e.Manifest); err != nil || len(e.Manifest) > maxScope {
			return badf("the manifest %.100q is not a path", e.Manifest)
		}
		if slices.Contains(k.Keys[:i], e) {
			return badf("key %s is listed twice", e.Key.Short())
		}
		if !k.signedBy(e.Key) {
			return badf("key %s has not signed it", e.Key.Short())
		}
	}
	return nil
}

// Encode writes what ParseKeys reads.
func (k Keys) Encode() ([]byte, error) {
	b, err := json.MarshalIndent(k, "", " ")
	return append(b, '\n'), err
}

// Sign adds the key's signature, in place of an earlier one.
func (k Keys) Sign(key ed25519.PrivateKey) Keys {
	s := Signature{Key: resource.WitnessKey(key.Public().(ed25519.PublicKey)), Signature: resource.Signature(ed25519.Sign(key, k.message()))}
	k.Signatures = append(slices.DeleteFunc(slices.Clone(k.Signatures), func(o Signature) bool { return o.Key == s.Key }), s)
	return k
}

func (k Keys) signedBy(key resource.WitnessKey) bool {
	return slices.ContainsFunc(k.Signatures, func(s Signature) bool {
		return s.Key == key && ed25519.Verify(key[:], k.message(), s.Signature[:])
	})
}

func (k Keys) message() []byte {
	b := appendText([]byte(keysDomain), k.Origin)
	b = binary.BigEndian.AppendUint64(b, uint64(k.Sequence))
	b = binary.BigEndian.AppendUint64(b, uint64(k.Expires))
	b = binary.AppendUvarint(b, uint64(len(k.Keys)))
	for _, e := range k.Keys {
		b = append(b, e.Key[:]...)
		b = appendText(appendText(b, e.Scope), e.Manifest)
	}
	return b
}

// Covering returns the keys that speak for a path: those with the longest scope that
// covers it. Nobody is an empty list.
func (k Keys) Covering(path string) []Key {
	var out []Key
	for _, e := range k.Keys {
		if !strings.HasPrefix(path, e.Scope) {
			continue
		}
		switch {
		case len(out) == 0 || len(e.Scope) == len(out[0].Scope):
			out = append(out, e)
		case len(e.Scope) > len(out[0].Scope):
			out = []Key{e}
		}
	}
	return out
}

// Expired reports whether the document binds nobody any more.
func (k Keys) Expired(now time.Time) bool { return now.Unix() >= k.Expires }

// Succeeds says whether next, which the site shows over a valid certificate, may take
// the place of k at now. An error wraps ErrBad and names the reason: an older sequence, one
// that was used for something else, an expiry that has passed or is too far away, a change of
// keys that no old key has signed. The zero Keys is no document: anything valid succeeds it.
func (k Keys) Succeeds(next Keys, now time.Time) error {
	switch {
	case next.Expired(now):
		return badf("the key document expired at %s", time.Unix(next.Expires, 0).UTC().Format(time.RFC3339))
	case next.Expires > now.Add(MaxLife).Unix():
		return badf("the key document does not expire within %d days", MaxLife/(24*time.Hour))
	case k.Version == 0 || k.Expired(now):
		return nil // what has expired binds nobody
	case next.Origin != k.Origin:
		return badf("the key document is of %s", next.Origin)
	case next.Sequence < k.Sequence:
		return badf("the key document %d is older than %d, which is known", next.Sequence, k.Sequence)
	case next.Sequence == k.Sequence && string(next.message()) != string(k.message()):
		return badf("there are two key documents with the number %d", k.Sequence)
	}
	for _, scope := range append(scopes(k.Keys), scopes(next.Keys)...) {
		if err := k.handsOver(scope, next); err != nil {
			return err
		}
	}
	return nil
}

// handsOver checks the change of one scope: those who spoke for it must have signed it.
func (k Keys) handsOver(scope string, next Keys) error {
	was, will := k.Covering(scope), next.Covering(scope)
	if len(was) == 0 || slices.Equal(keySet(was), keySet(will)) {
		return nil
	}
	for _, e := range was {
		if next.signedBy(e.Key) {
			return nil
		}
	}
	return badf("the keys for %s change, and no old key (%s) has signed that", scope, was[0].Key.Short())
}

func scopes(keys []Key) []string {
	var out []string
	for _, e := range keys {
		out = append(out, e.Scope)
	}
	return out
}

func keySet(keys []Key) []string {
	var out []string
	for _, e := range keys {
		out = append(out, e.Key.String())
	}
	slices.Sort(out)
	return slices.Compact(out)
}
