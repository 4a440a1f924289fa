package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// globalMux are the names of net/http that serve or change http.DefaultServeMux.
var globalMux = map[string]bool{"DefaultServeMux": true, "Handle": true, "HandleFunc": true, "ListenAndServe": true, "ListenAndServeTLS": true, "Serve": true, "ServeTLS": true}

// TestRow49_NobodyServesTheDefaultMux: libraries put profiles and variables on
// http.DefaultServeMux. A server of ours always names its own handler.
func TestRow49_NobodyServesTheDefaultMux(t *testing.T) {
	servers := 0
	goFiles(t, func(_, name string, src []byte) {
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		n, faults := defaultMuxFaults(f)
		servers += n
		for _, fault := range faults {
			t.Errorf("%s: %s", name, fault)
		}
	})
	if servers == 0 {
		t.Error("no http.Server was seen: the test does not read the house")
	}
}

// defaultMuxFaults returns how many servers a file makes, and what is wrong with them.
func defaultMuxFaults(f *ast.File) (servers int, faults []string) {
	pkg := ""
	for _, spec := range f.Imports {
		if spec.Path.Value == `"net/http"` {
			if pkg = "http"; spec.Name != nil {
				pkg = spec.Name.Name
			}
		}
	}
	of := func(e ast.Expr) string { // NAME of http.NAME
		if s, ok := e.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && pkg != "" && x.Name == pkg {
				return s.Sel.Name
			}
		}
		return ""
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if name := of(n); globalMux[name] {
				faults = append(faults, "it uses http."+name)
			}
		case *ast.CompositeLit:
			if of(n.Type) == "Server" {
				if servers++; !namesHandler(n) {
					faults = append(faults, "an http.Server without a Handler serves http.DefaultServeMux")
				}
			}
		}
		return true
	})
	return servers, faults
}

func namesHandler(lit *ast.CompositeLit) bool {
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "Handler" {
				return true
			}
		}
	}
	return false
}

func TestRow49_TheMuxTestCanFail(t *testing.T) {
	for _, body := range []string{`var s = http.Server{Addr: "x"}`, `var m = http.DefaultServeMux`, `func f() { http.HandleFunc("/", nil) }`} {
		f, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\nimport \"net/http\"\n"+body, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, faults := defaultMuxFaults(f); len(faults) == 0 {
			t.Errorf("%s passes", body)
		}
	}
}
