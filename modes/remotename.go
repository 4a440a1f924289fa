package modes

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
)

// remoteName returns the file name -O uses: the last part of the URL's path as the
// user typed it, never of a redirect or a header (security row 43).
func remoteName(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", usagef("", "%q is not a URL", raw)
	}
	path := u.EscapedPath()
	name, err := url.PathUnescape(path[strings.LastIndexByte(path, '/')+1:])
	if err != nil {
		return "", usagef("name the file with -o", "%q has no usable file name", raw)
	}
	if why := badName(name); why != "" {
		return "", usagef("name the file with -o", "-O: the file name in %q %s", raw, why)
	}
	return name, nil
}

// badName says why a file must not be called so on any system, "" if it may.
func badName(name string) string {
	stem, _, _ := strings.Cut(strings.ToUpper(name), ".")
	stem = strings.TrimRight(stem, " ")
	switch {
	case name == "":
		return "is empty"
	case len(name) > 200:
		return "is too long"
	case strings.HasPrefix(name, "."):
		return "starts with a dot"
	case strings.HasSuffix(name, ".") || strings.HasSuffix(name, " "):
		return "ends with a dot or a space"
	case strings.ContainsAny(name, `/\:*?"<>|`):
		return "has a character that separates or matches files"
	case strings.ToValidUTF8(name, "") != name || strings.IndexFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0:
		return "has characters that cannot be shown"
	case isDevice(stem):
		return fmt.Sprintf("is that of the device %s", stem)
	}
	return ""
}

// isDevice reports the names that Windows reserves in every directory.
func isDevice(stem string) bool {
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	return len(stem) == 4 && (stem[:3] == "COM" || stem[:3] == "LPT") && stem[3] >= '0' && stem[3] <= '9'
}
