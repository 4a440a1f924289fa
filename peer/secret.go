package peer

import (
	"fmt"
	"net/url"
	"path"
	"strings"

	"nt/internal/resource"
)

// secretNames are query parameters whose value is a permission (security row 36).
// A name matches when one of its words does: "auth_token", "X-Amz-Signature".
var secretNames = map[string]bool{
	"token": true, "sig": true, "signature": true, "auth": true, "apikey": true, "key": true, "secret": true,
	"password": true, "passwd": true, "pwd": true, "pass": true, "session": true, "sessionid": true, "sid": true,
	"phpsessid": true, "jsessionid": true, "ticket": true, "credential": true, "credentials": true, "jwt": true,
	"otp": true, "code": true, "nonce": true, "invite": true, "hash": true, "hmac": true, "email": true,
	"accesskey": true, "accesstoken": true, "authtoken": true, "authkey": true, "state": true, "unsubscribe": true,
}

// Files that pages load under names with their hash in them. Only code and fonts:
// a secret link to a photo or a document looks the same.
var hashedAssets = map[string]bool{".js": true, ".mjs": true, ".css": true, ".woff": true, ".woff2": true, ".ttf": true}

const (
	tokenLength = 16 // shorter random words can be guessed anyway, and are often plain ids
	// A random word changes between upper, lower and digit at least this often:
	// once in so many characters.
	tokenRun = 4
)

// secretURL says whether whoever knows the URL may be the only one who should:
// "anyone with the link" pages, signed downloads, password resets. It errs on
// the side of not sharing.
func secretURL(u resource.URL) error {
	for pair := range strings.SplitSeq(strings.TrimPrefix(u.String()[len(u.Origin()+u.Path()):], "?"), "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, value = unescape(name), unescape(value)
		if value != "" && secretName(name) || looksRandom(value) || looksRandom(name) {
			return fmt.Errorf("%w: the query parameter %.40q looks like a permission", resource.ErrPrivate, name)
		}
	}
	segments := strings.Split(u.Path(), "/")
	for i, s := range segments {
		s = unescape(s)
		if ext := strings.ToLower(path.Ext(s)); i == len(segments)-1 && hashedAssets[ext] {
			continue
		}
		if looksRandom(s) || strings.Contains(s, ";") && secretName(strings.SplitN(s, ";", 2)[1]) {
			return fmt.Errorf("%w: the path holds what looks like a secret", resource.ErrPrivate)
		}
	}
	return nil
}

func unescape(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

// secretName splits a parameter's name into words at punctuation and at camelCase.
func secretName(name string) bool {
	var words []string
	start := 0
	for i := 1; i < len(name); i++ {
		if c, prev := name[i], name[i-1]; class(c) == upper && class(prev) == lower || class(c) == other {
			words, start = append(words, name[start:i]), i
		}
	}
	for _, w := range append(words, name[start:], name) {
		if secretNames[strings.ToLower(strings.Trim(w, "-_.[]$ =0123456789"))] {
			return true
		}
	}
	return false
}

// looksRandom reports whether s holds a word, or UUID, that nobody chose.
func looksRandom(s string) bool {
	punctuation := func(r rune) bool { return r > 0x7f || class(byte(r)) == other }
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return punctuation(r) && r != '-' }) {
		if isUUID(w) || isHexGroups(w) {
			return true
		}
	}
	for _, w := range strings.FieldsFunc(s, punctuation) {
		if len(w) >= tokenLength && mixed(w) && changes(w) >= len(w)/tokenRun {
			return true
		}
	}
	return false
}

func isUUID(s string) bool {
	parts := strings.Split(s, "-")
	if len(parts) < 5 {
		return false
	}
	for i := 0; i+5 <= len(parts); i++ {
		ok := true
		for j, n := range [...]int{8, 4, 4, 4, 12} {
			p := parts[i+j]
			ok = ok && (len(p) == n || (j == 0 || j == 4) && len(p) > n) && strings.Trim(p, "0123456789abcdefABCDEF") == ""
		}
		if ok {
			return true
		}
	}
	return false
}

// isHexGroups reports a token that is written in groups: 9f3c-2b7a-55d1-8e4f.
func isHexGroups(s string) bool {
	plain := strings.ReplaceAll(s, "-", "")
	return strings.Count(s, "-") >= 2 && len(plain) >= tokenLength && strings.Trim(plain, "0123456789abcdefABCDEF") == "" && mixed(plain)
}

type charClass uint8

const (
	other charClass = iota
	lower
	upper
	digit
)

func class(c byte) charClass {
	switch {
	case c >= 'a' && c <= 'z':
		return lower
	case c >= 'A' && c <= 'Z':
		return upper
	case c >= '0' && c <= '9':
		return digit
	}
	return other
}

// mixed reports whether w has letters and digits: a random word of letters alone
// is rare, and CamelCase is not.
func mixed(w string) bool {
	var seen [4]bool
	for i := range len(w) {
		seen[class(w[i])] = true
	}
	return seen[digit] && (seen[lower] || seen[upper])
}

func changes(w string) int {
	n := 0
	for i := 1; i < len(w); i++ {
		if class(w[i]) != class(w[i-1]) {
			n++
		}
	}
	return n
}
