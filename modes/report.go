package modes

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
)

// report writes one error line and, if there is one, one hint line. Whatever
// came from outside may hold line breaks or terminal escapes; they are
// written as Go would quote them (security row 44).
func report(w io.Writer, err error) {
	fmt.Fprintf(w, "nt: error: %s\n", printable(err.Error()))
	if hint := hintOf(err); hint != "" {
		fmt.Fprintf(w, "nt: hint: %s\n", printable(hint))
	}
}

// printable returns s on one line with every unprintable rune escaped.
func printable(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 && strings.ToValidUTF8(s, "") == s {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == unicode.ReplacementChar && s[i] != "\ufffd"[0]:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			q := strconv.QuoteRune(r)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	return b.String()
}
