package roulette

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestDocsParameters compares the table in docs/roulette.md with Params, its comments and the
// two profiles; with -rewrite it is written anew.
func TestDocsParameters(t *testing.T) {
	const file, begin, end = "../../docs/roulette.md", "<!-- parameters -->\n", "<!-- end -->"
	doc, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := bytes.Cut(doc, []byte(begin))
	_, tail, ok2 := bytes.Cut(rest, []byte(end))
	if !ok || !ok2 {
		t.Fatalf("%s has no %s", file, begin)
	}
	want := bytes.Join([][]byte{head, []byte(begin), parameterTable(t), []byte(end), tail}, nil)
	if *rewrite {
		err = os.WriteFile(file, want, 0o644)
	} else if !bytes.Equal(doc, want) {
		t.Errorf("%s is behind params.go: go test ./plugins/roulette -run Docs -rewrite", file)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func parameterTable(t *testing.T) []byte {
	src, err := parser.ParseFile(token.NewFileSet(), "params.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	says := map[string]string{}
	ast.Inspect(src, func(n ast.Node) bool {
		if f, ok := n.(*ast.Field); ok && len(f.Names) == 1 && f.Comment != nil {
			says[f.Names[0].Name] = strings.TrimSpace(f.Comment.Text())
		}
		return true
	})
	var b bytes.Buffer
	b.WriteString("| key | classic | tuned | what |\n|---|---|---|---|\n")
	p, classic, tuned := reflect.TypeFor[Params](), reflect.ValueOf(Classic()), reflect.ValueOf(Tuned())
	for i := range p.NumField() {
		if key := p.Field(i).Tag.Get("toml"); key != "-" {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", key, shown(classic.Field(i)), shown(tuned.Field(i)), says[p.Field(i).Name])
		}
	}
	return b.Bytes()
}

func shown(v reflect.Value) string {
	if v.IsZero() {
		return "-"
	}
	return fmt.Sprint(v.Interface())
}
