package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// room is a folder of the house (docs/design.md) and what it may import of it.
type room struct {
	folder  string   // "a/*" stands for every folder below a
	imports []string // of this module, in the same notation
	why     string
}

// house lists the rooms, the most particular first: the first that fits counts.
var house = []room{
	{".", []string{"modes"}, "main.go only starts the command line"},
	{"modes", []string{"*"}, ""},
	{"chunker", nil, "content identity is std only, so that anybody can check it"},
	{"chunker/nois", nil, "the skiplist is a data structure and nothing else"},
	{"chunker/store", []string{"chunker", "chunker/nois", "transport"}, "the store proves and keeps chunks; it fills the transport's Sink and Source"},
	{"chunker/store/*", []string{"chunker", "chunker/nois", "chunker/store", "chunker/store/internal/*", "transport"}, "an implementation of the store knows no other seam"},
	{"transport", []string{"chunker", "chunker/nois"}, "the seam knows no transport, store or locator"},
	{"transport/transporttest", []string{"chunker", "chunker/nois", "transport"}, "the conformance suite is written against the seam alone"},
	{"transport/wire", []string{"transport", "chunker"}, "a wire carries datagrams; it does not know what Roulette says"},
	{"transport/wire/*", []string{"transport/wire", "transport/wire/*", "transport"}, "a wire carries datagrams; it does not know what Roulette says"},
	{"tracker", []string{"internal/resource", "internal/crowd", "chunker", "transport"}, "directory logic speaks the vocabulary and owns its Store seam"},
	{"tracker/rendezvous", []string{"transport", "transport/wire", "internal/crowd"}, "it knows peers and sessions, not what peers hold"},
	{"tracker/*", []string{"tracker", "tracker/*", "internal/resource", "internal/safedial", "chunker", "transport"}, "parts of the tracker never reach for the peer"},
	{"peer", []string{"chunker", "chunker/nois", "chunker/store", "transport", "internal/resource", "peer/trust", "peer/origin", "peer/cache", "peer/publisher"}, "the resolver knows seams, never a concrete transport, locator or tracker client"},
	{"peer/trust", []string{"internal/resource", "chunker"}, "trust is a pure verdict over statements"},
	{"peer/origin", []string{"internal/resource"}, "the origin client knows nothing of copies"},
	{"peer/publisher", []string{"internal/resource", "chunker"}, "documents and the file they are remembered in; it asks nobody"},
	{"peer/cache", []string{"internal/resource", "chunker", "peer/trust"}, "the HTTP cache names objects and does not hold them"},
	{"peer/*", []string{"peer", "peer/trust", "peer/origin", "internal/resource", "chunker"}, "front ends use the resolver"},
	{"plugins", []string{"plugins/*", "transport", "peer"}, "the one list a newcomer reads in a minute"},
	{"plugins/trackerlocator", []string{"peer", "peer/trust", "tracker", "tracker/client", "internal/resource", "transport", "chunker"}, "the tracker's client as a Locator"},
	{"plugins/roulette", []string{"chunker", "chunker/nois", "transport"}, "the core is pure: it knows no socket and no session"},
	{"plugins/roulette/sim", []string{"chunker", "chunker/nois", "transport", "plugins/roulette", "internal/crowd"}, "the simulation runs cores and nothing else"},
	{"plugins/roulette/swarm", []string{"chunker", "chunker/nois", "transport", "transport/wire", "transport/wire/kcp", "transport/wire/udp", "plugins/roulette", "internal/crowd"}, "the driver joins cores and sessions"},
	{"plugins/*", []string{"chunker", "chunker/nois", "transport", "plugins/roulette", "internal/gate"}, "a transport fills the transport seam"},
	{"internal/resource", []string{"chunker"}, "vocabulary judges nothing"},
	{"internal/safedial", nil, "the one dialer decides by addresses alone"},
	{"internal/lab", []string{"*"}, ""},
	{"internal/lab/*", []string{"*"}, ""},
	{"internal/simnet/tun", []string{"internal/simnet"}, "it joins emulated links and the kernel, and knows nothing of what is sent"},
	{"internal/*", nil, "helpers know no seam"},
	{"testscripts/browser", nil, "a browser drives the binary from outside"},
	{"testscripts", []string{"modes", "internal/*", "chunker", "transport"}, "scripts drive the binary from outside"},
}

// lodgers are modules that exactly one room may let in.
var lodgers = map[string]string{
	"github.com/alecthomas/kong":      "modes",
	"github.com/BurntSushi/toml":      "modes",
	"github.com/anacrolix":            "plugins/bittorrent",
	"github.com/xtaci/kcp-go/v5":      "transport/wire/kcp",
	"github.com/huin/goupnp":          "transport/wire/portmap",
	"github.com/jackpal/go-nat-pmp":   "transport/wire/portmap",
	"github.com/vbauerster/mpb/v8":    "modes",
	"github.com/gomodule/redigo":      "tracker/redis",
	"github.com/rogpeppe/go-internal": "testscripts",
}

func (r room) fits(folder string) bool { return match(r.folder, folder) }

func match(pattern, folder string) bool {
	if below, all := strings.CutSuffix(pattern, "*"); all {
		return strings.HasPrefix(folder, below)
	}
	return pattern == folder
}

// goFiles calls f with every Go file of the module, its folder and its source.
func goFiles(t *testing.T, f func(folder, name string, src []byte)) {
	t.Helper()
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if _, err := os.Stat(filepath.Join(p, "go.mod")); p != "." && (err == nil || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		src, err := os.ReadFile(p)
		if err == nil {
			f(filepath.ToSlash(filepath.Dir(p)), filepath.ToSlash(p), src)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestImportArrows keeps the arrows of docs/design.md. Test files may import
// what they need.
func TestImportArrows(t *testing.T) {
	seen := 0
	goFiles(t, func(folder, name string, src []byte) {
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			seen++
			imp, _ := strconv.Unquote(spec.Path.Value)
			if why := forbidden(folder, imp); why != "" {
				t.Errorf("%s imports %s: %s", name, imp, why)
			}
		}
	})
	if seen < 20 {
		t.Fatalf("only %d imports seen: the test does not read the house", seen)
	}
}

// forbidden says why folder may not import imp, or "".
func forbidden(folder, imp string) string {
	for module, host := range lodgers {
		if (imp == module || strings.HasPrefix(imp, module+"/")) && folder != host {
			return "only " + host + " may"
		}
	}
	inside, ours := strings.CutPrefix(imp, "nt/")
	for _, r := range house {
		if !r.fits(folder) {
			continue
		}
		if !ours {
			if r.imports == nil && strings.Contains(strings.SplitN(imp, "/", 2)[0], ".") {
				return r.why + " (standard library only)"
			}
			return ""
		}
		for _, allowed := range r.imports {
			if match(allowed, inside) {
				return ""
			}
		}
		return fmt.Sprintf("%s (may import %v)", r.why, r.imports)
	}
	return "the folder is no room of the house: add it to the list in house_test.go and to docs/design.md"
}

func TestImportArrowsCanFail(t *testing.T) {
	for _, c := range [][2]string{
		{"chunker", "github.com/google/go-cmp/cmp"}, {"peer", "nt/plugins/http"}, {"peer", "nt/tracker/client"}, {"tracker/client", "nt/peer"},
		{"peer/proxy", "github.com/alecthomas/kong"}, {"nowhere", "fmt"}, {"peer/origin", "nt/peer"},
	} {
		if forbidden(c[0], c[1]) == "" {
			t.Errorf("%s may import %s", c[0], c[1])
		}
	}
	if why := forbidden("modes", "nt/peer/proxy"); why != "" {
		t.Error(why)
	}
}

// TestOnePackageComment: every folder says once what it owns.
func TestOnePackageComment(t *testing.T) {
	comments := map[string][]string{}
	goFiles(t, func(folder, name string, src []byte) {
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			t.Fatal(err)
		}
		comments[folder] = append(comments[folder], packageComment(f)...)
		if len(packageComment(f)) == 0 && comments[folder] == nil {
			comments[folder] = []string{}
		}
	})
	for folder, c := range comments {
		if len(c) != 1 {
			t.Errorf("%s has %d package comments, want one", folder, len(c))
		} else if !strings.HasPrefix(c[0], "Package "+path.Base(folder)+" ") && !strings.HasPrefix(c[0], "Command ") {
			t.Errorf("%s: the package comment starts %.40q", folder, c[0])
		}
	}
}

func packageComment(f *ast.File) []string {
	if f.Doc == nil {
		return nil
	}
	return []string{f.Doc.Text()}
}

// TestFormatted is gofmt as a test.
func TestFormatted(t *testing.T) {
	goFiles(t, func(_, name string, src []byte) {
		if out, err := format.Source(src); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !bytes.Equal(out, src) {
			t.Errorf("%s is not gofmt-ed", name)
		}
	})
}

// TestNoInitFunctions: what runs is wired in modes and plugins, where it can be read.
func TestNoInitFunctions(t *testing.T) {
	goFiles(t, func(_, name string, src []byte) {
		f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s has an init function", name)
			}
		}
	})
}

// TestPureCores: what decides takes time and chance as arguments.
func TestPureCores(t *testing.T) {
	impure := map[string]bool{"net": true, "os": true, "net/http": true, "sync": true, "context": true, "crypto/rand": true}
	pure := map[string]bool{"plugins/roulette": true, "plugins/roulette/sim": true, "peer/trust": true, "chunker": true, "chunker/nois": true}
	goFiles(t, func(folder, name string, src []byte) {
		if !pure[folder] || strings.HasSuffix(name, "_test.go") {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			if imp, _ := strconv.Unquote(spec.Path.Value); impure[imp] {
				t.Errorf("%s imports %s", name, imp)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "time" && (sel.Sel.Name == "Now" || sel.Sel.Name == "Sleep" || sel.Sel.Name == "After") {
					t.Errorf("%s calls time.%s", name, sel.Sel.Name)
				}
			}
			return true
		})
	})
}
