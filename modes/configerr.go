package modes

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/BurntSushi/toml"
)

// syntaxFault turns an error of the TOML parser into one line with file and line.
func (c *config) syntaxFault(err error) error {
	var p toml.ParseError
	if !errors.As(err, &p) {
		return &fault{ExitUsage, fmt.Errorf("%s: %w", c.path, err), ""}
	}
	hint := ""
	if strings.Contains(p.Message, "transport") && strings.Contains(p.Message, "already") {
		hint = `TOML has no place for both a value and a table of one name: write [transport] with use = "NAME" beside [transport.NAME]`
	}
	return &fault{ExitUsage, fmt.Errorf("%s:%d: %s", c.path, p.Position.Line, p.Message), hint}
}

// fault is an error about one key, with its file and line.
func (c *config) fault(key []string, what, hint string) error {
	return &fault{ExitUsage, fmt.Errorf("%s:%d: key %q: %s", c.path, lineOf(c.text, key), strings.Join(key, "."), what), hint}
}

// unknown is the error about a key that nobody knows.
func (c *config) unknown(key, known []string) error {
	hint := ""
	if n := nearest(key[len(key)-1], known); n != "" {
		hint = fmt.Sprintf("did you mean %q?", n)
	}
	return c.fault(key, "nt does not know it", hint)
}

// lineOf returns the line on which a key is set, counted from 1; the line of its table
// or 1 if it cannot be told.
func lineOf(text string, key []string) int {
	table, found := "", 1
	want, last := strings.Join(key, "."), key[len(key)-1]
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			table = bare(strings.Trim(line[:strings.LastIndex(line+"]", "]")], "[]")) + "."
			if table == want+"." {
				return i + 1
			}
			continue
		}
		name, _, isSet := strings.Cut(line, "=")
		if !isSet {
			continue
		}
		if full := strings.TrimPrefix(table+bare(name), "."); full == want || strings.HasPrefix(full, want+".") {
			return i + 1
		} else if bare(name) == last && found == 1 {
			found = i + 1
		}
	}
	return found
}

// bare returns a key without spaces and quotes.
func bare(key string) string {
	return strings.NewReplacer(" ", "", "\t", "", `"`, "", "'", "").Replace(key)
}

// structKeys returns the TOML keys that decode into a struct or a pointer to one.
func structKeys(v any) []string {
	t := reflect.TypeOf(v)
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	var keys []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
		switch {
		case name == "-":
		case name != "":
			keys = append(keys, name)
		case f.Anonymous:
			keys = append(keys, structKeys(reflect.Zero(f.Type).Interface())...)
		default:
			keys = append(keys, strings.ToLower(f.Name))
		}
	}
	return keys
}

// nearest returns the word most like s, "" if none is like it.
func nearest(s string, words []string) string {
	best, bestDistance := "", len(s)/2+1
	for _, w := range words {
		if d := distance(s, w); d < bestDistance {
			best, bestDistance = w, d
		}
	}
	return best
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
