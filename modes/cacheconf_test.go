package modes

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const conformanceDoc = "../docs/experiments/cache-conformance.md"

var rewrite = flag.Bool("rewrite", false, "write the table of cache conformance to docs/experiments")

// TestCacheConformance plays the cases against nt, and against Squid and nginx where
// Debian's are installed. nt may break no rule; what the others do is reported.
func TestCacheConformance(t *testing.T) {
	o := newCaseOrigin(t)
	const fresh = "nt --serve-fresh"
	products := []product{ntProduct(t, o, "nt", false), ntProduct(t, o, fresh, true)}
	for name, start := range map[string]func(*testing.T, *caseOrigin, string) product{"squid": squidProduct, "nginx": nginxProduct} {
		program := "/usr/sbin/" + name
		if _, err := os.Stat(program); err != nil {
			t.Logf("without %s, which is not installed", name)
			continue
		}
		products = append(products, start(t, o, program))
	}
	cases := cacheCases()
	results := make(map[string][]string)
	for _, p := range products {
		for n, c := range cases {
			results[p.name] = append(results[p.name], p.run(o, n, c))
		}
	}
	shown := 0
	for _, name := range []string{"nt", fresh} {
		for n, why := range results[name] {
			if why != "" && !cases[n].optional {
				t.Errorf("%s: %s (%s): %s", name, cases[n].id, cases[n].rule, why)
			}
			if why == "" && cases[n].optional && name == fresh {
				shown++
			}
		}
	}
	if shown < 6 {
		t.Errorf("%s shows %d of the services a shared cache may do", fresh, shown)
	}
	for n, c := range cases { // what nt is for
		if strings.HasPrefix(c.id, "down: ") && results["nt"][n] != "" {
			t.Errorf("%s: %s", c.id, results["nt"][n])
		}
	}
	if *rewrite && len(products) == 4 {
		write(t, filepath.Dir(conformanceDoc), filepath.Base(conformanceDoc), conformanceTable(cases, results))
	}
}

// conformanceTable is the page with the results.
func conformanceTable(cases []cacheCase, results map[string][]string) string {
	var b strings.Builder
	names := []string{"nt", "nt --serve-fresh", "squid", "nginx"}
	b.WriteString("# Cache conformance\n\nOur own cases, modelled on those of http-tests/cache-tests, played by `go test ./modes -run TestCacheConformance -rewrite` against nt's proxy (which asks\n" +
		"the origin first unless it runs with --serve-fresh), Debian's Squid as a forward proxy and Debian's nginx as `proxy_cache` with revalidation and stale-on-error.\n" +
		"**yes**: as the rule says. **-**: an optional service or optimisation that it does not show. **NO**: a rule is broken, as we read it. A rule without a document is a section of RFC 9111.\n" +
		"nginx is a site's own gateway and by its makers' intention ignores what requests say about caching, and asks by GET for the whole where a reader asks by HEAD or for a part.\n\n")
	b.WriteString("| case | rule | " + strings.Join(names, " | ") + " |\n|---|---|---|---|---|---|\n")
	sums := map[string][3]int{}
	for n, c := range cases {
		fmt.Fprintf(&b, "| %s | %s |", c.id, c.rule)
		for _, name := range names {
			sum, cell := sums[name], "yes"
			switch why := results[name][n]; {
			case why == "":
				sum[0]++
			case c.optional:
				cell = "-"
				sum[1]++
			default:
				cell = "NO: " + why
				sum[2]++
			}
			sums[name] = sum
			b.WriteString(" " + cell + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
	b.WriteString("What nt does not show, and why ([ADR 20](../adr/0020-no-validators-of-our-own.md)): without --serve-fresh nothing is answered without asking the origin, ranges neither (the reader gets the newest, and the site\n" +
		"sees its readers), and the origin is asked with the reader's own validators alone (a tag of nt's own would tell it that this machine was there before). A reply with any Vary but Accept-Encoding is not kept.\n\n")
	for _, name := range names {
		fmt.Fprintf(&b, "* %s: %d yes, %d not shown, %d broken, of %d\n", name, sums[name][0], sums[name][1], sums[name][2], len(cases))
	}
	return b.String()
}
