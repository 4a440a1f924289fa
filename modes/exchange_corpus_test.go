package modes

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

var rewriteExchanges = flag.Bool("rewrite-exchanges", false, "write testdata/exchanges.txt anew")

const exchangesFile = "testdata/exchanges.txt"

// corpusHead explains the file: of each exchange its five parts, as Go strings one after the other;
// 700*"long/" is that string 700 times.
const corpusHead = `# Five hundred exchanges, odd but legal: what a reader asks, and what the origin answers. Each part is
# Go strings in a row, and 700*"long/" is a string 700 times. Written by
#   go test ./modes -run FiveHundredExchanges -rewrite-exchanges
`

// corpusExchanges reads the corpus.
func corpusExchanges(t *testing.T) (all []rawExchange) {
	if *rewriteExchanges {
		var b strings.Builder
		b.WriteString(corpusHead)
		for i, e := range rawExchanges(500) {
			fmt.Fprintf(&b, "\nexchange %d\n", i)
			for k, part := range e.parts() {
				fmt.Fprintf(&b, "%s%s\n", partNames[k], inRow(*part))
			}
		}
		if err := os.WriteFile(exchangesFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(exchangesFile)
	if err != nil {
		t.Fatal(err)
	}
	for n, line := range strings.Split(string(text), "\n") {
		name, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "" || line[0] == '#':
		case name == "exchange":
			all = append(all, rawExchange{})
		default:
			parsed := false
			for k, part := range all[len(all)-1].parts() {
				if partNames[k] == name {
					*part, parsed = fromRow(t, n, rest), true
				}
			}
			if !parsed {
				t.Fatalf("%s:%d: no part is called %q", exchangesFile, n+1, name)
			}
		}
	}
	return all
}

var partNames = [...]string{"method", "path", "fields", "body", "reply"}

func (e *rawExchange) parts() [5]*string {
	return [...]*string{&e.method, &e.path, &e.fields, &e.body, &e.reply}
}

// inRow writes a string as Go strings in a row, repetitions by their number.
func inRow(s string) string {
	var b strings.Builder
	plain := 0
	for i := 0; i < len(s); {
		period, times := repeats(s[i:])
		if times == 0 {
			i++
			continue
		}
		if plain < i {
			b.WriteString(" " + strconv.QuoteToASCII(s[plain:i]))
		}
		fmt.Fprintf(&b, " %d*%s", times, strconv.QuoteToASCII(s[i:i+period]))
		i += period * times
		plain = i
	}
	if plain < len(s) {
		b.WriteString(" " + strconv.QuoteToASCII(s[plain:]))
	}
	return b.String()
}

// repeats returns the shortest string that s begins with eight times or more, or 0 times.
func repeats(s string) (period, times int) {
	for period = 1; period <= 24 && 8*period <= len(s); period++ {
		for times = 1; strings.HasPrefix(s[times*period:], s[:period]); times++ {
		}
		if times >= 8 {
			return period, times
		}
	}
	return 0, 0
}

// fromRow reads what inRow wrote.
func fromRow(t *testing.T, n int, row string) string {
	var b strings.Builder
	for row = strings.TrimSpace(row); row != ""; row = strings.TrimSpace(row) {
		times := 1
		if digits, rest, ok := strings.Cut(row, "*"); ok && row[0] != '"' {
			times, _ = strconv.Atoi(digits)
			row = rest
		}
		quoted, err := strconv.QuotedPrefix(row)
		if err != nil {
			t.Fatalf("%s:%d: %v", exchangesFile, n+1, err)
		}
		row = row[len(quoted):]
		s, _ := strconv.Unquote(quoted)
		b.WriteString(strings.Repeat(s, times))
	}
	return b.String()
}
