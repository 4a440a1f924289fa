package lab

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"nt/internal/testenv"
)

const (
	docsDir = "../../docs/experiments"
	runsDir = docsDir + "/runs"
)

// TestLab runs every trial that the store does not have yet, once each in the order of trials(), then with
// the other seeds, and writes the report. It can be stopped and started again at any time.
//
//	NT_LAB_ONLY   a regular expression over "figure system case rate=N": only those
//	NT_LAB_SEEDS  runs of each trial, if fewer than it asks for
//	NT_LAB_ANEW   1: also what is there, but was measured with another state of the code
//	NT_LAB_FOR    a duration, after which nothing more is started
func TestLab(t *testing.T) {
	wants(t, "full")
	store := openRuns(t)
	only, err := regexp.Compile(os.Getenv("NT_LAB_ONLY"))
	if err != nil {
		t.Fatal(err)
	}
	end := time.Now().Add(time.Duration(math.MaxInt64))
	if s := os.Getenv("NT_LAB_FOR"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatal(err)
		}
		end = time.Now().Add(d)
	}
	all := trials()
	for seed := 1; seed <= atMost(t, "NT_LAB_SEEDS"); seed++ {
		for _, x := range all {
			if seed > x.runs || !only.MatchString(x.String()) || !missing(t, store, x, seed) || x.beyond(store) {
				continue
			}
			if time.Now().After(end) {
				report(t, store)
				return
			}
			attempt(t, store, x, seed)
		}
	}
	report(t, store)
}

// mostRuns is as often as any trial is run.
const mostRuns = 5

func atMost(t *testing.T, variable string) int {
	return min(mostRuns, int(testenv.Number(t, variable, mostRuns)))
}

func openRuns(t *testing.T) *Runs {
	t.Helper()
	store, err := OpenRuns(runsDir)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// missing reports whether a run is to be made.
func missing(t *testing.T, store *Runs, x trial, seed int) bool {
	r, ok := store.Find(x.figure, Result{System: strings.Split(x.runner.name, "/")[0], Wire: strings.Split(x.runner.name, "/")[1],
		Case: x.name, Kbps: x.Kbps, Size: x.Size, Rate: x.Rate, Seed: uint64(seed)})
	return !ok || os.Getenv("NT_LAB_ANEW") != "" && r.State != state(t, x.runner.name)
}

// beyond reports whether a lower rate was too much already.
func (x trial) beyond(store *Runs) bool {
	return x.sweep && slices.ContainsFunc(store.figures[x.figure], func(r Result) bool {
		return r.Name() == x.runner.name && r.Case == x.name && !r.Stable && r.Rate < x.Rate
	})
}

func attempt(t *testing.T, store *Runs, x trial, seed int) {
	fmt.Printf("# %s seed=%d, %s\n", x, seed, time.Now().Format("15:04:05"))
	var r Result
	if !t.Run(x.String(), func(t *testing.T) { r = x.once(t, seed) }) {
		return
	}
	fmt.Printf("%s\n# %s; %.0f s of this machine\n", r.Line(), r.Note(), r.Real)
	if err := store.Add(x.figure, r); err != nil {
		t.Fatal(err)
	}
}

// code is what a system is made of: files without their ending.
var code = map[string][]string{
	"mem":        {"plugins/roulette/*", "plugins/roulette/sim/*"},
	"udp":        {"plugins/roulette/*", "plugins/roulette/swarm/*", "transport/wire/*", "transport/wire/udp/*", "internal/simnet/*", "internal/lab/world", "internal/lab/roulette"},
	"kcp":        {"plugins/roulette/*", "plugins/roulette/swarm/*", "transport/wire/*", "transport/wire/kcp/*", "internal/simnet/*", "internal/lab/world", "internal/lab/roulette"},
	"bittorrent": {"internal/simnet/*"},
	"http":       {"internal/simnet/*"},
	"nt-http":    {"internal/simnet/*", "plugins/http/*"},
}

// state names what a system is made of now: a hash over its code.
func state(t *testing.T, name string) string {
	t.Helper()
	system, wire, _ := strings.Cut(name, "/")
	h := sha256.New()
	for _, part := range append(slices.Clone(code[system]), code[wire]...) {
		files, err := filepath.Glob("../../" + part + ".go")
		if err != nil || len(files) == 0 {
			t.Fatalf("%s has no code: %v", part, err)
		}
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(h, "%s %d\n%s", filepath.Base(f), len(b), b)
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:4])
}

// TestLabReport writes tables and pictures from the store.
func TestLabReport(t *testing.T) {
	wants(t, "report")
	report(t, openRuns(t))
}

func report(t *testing.T, store *Runs) {
	t.Helper()
	for name, b := range rendered(t, store) {
		if err := os.WriteFile(filepath.Join(docsDir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReportIsCurrent: tables and pictures in docs/experiments are what the store says.
func TestReportIsCurrent(t *testing.T) {
	for name, want := range rendered(t, openRuns(t)) {
		got, err := os.ReadFile(filepath.Join(docsDir, name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is behind %s: make lab-report (%v)", name, runsDir, err)
		}
	}
}

// rendered returns the generated files by name: the pages with their tables, and the pictures.
func rendered(t *testing.T, store *Runs) map[string][]byte {
	t.Helper()
	sections := map[string]string{"goals": store.GoalTable(Goals()), "states": store.States()}
	for _, s := range []series{s128at800, s128at400, s64at800, s4at800, s1mat800} {
		sections[s.figure] = store.SweepTable(s.figure, systems)
	}
	var bad []string
	for _, x := range adverse {
		bad = append(bad, x.name)
	}
	for _, figure := range []string{"adverse", "crowd", "longfat"} {
		sections[figure] = store.CaseTable(figure, bad, systems)
	}
	files := store.Pictures()
	files["README.md"] = filled(t, "README.md", sections)
	files["roulette.md"] = filled(t, "roulette.md", variantTables(store))
	return files
}

func variantTables(store *Runs) map[string]string {
	var columns []Cell
	for _, at := range cells {
		columns = append(columns, Cell{ablationFigure(at.kbps), at.rate, fmt.Sprintf("%d kbit/s, %g/s", at.kbps, at.rate)})
	}
	names := func(all []variant) (out []string) {
		for _, v := range all {
			out = append(out, v.name)
		}
		return out
	}
	return map[string]string{
		"ablation": store.VariantTable(oursCore, names(variants()), columns),
		"classic":  store.VariantTable("roulette-classic/mem", names(classics()), []Cell{{"classic", 8, "800 kbit/s, 8/s"}}),
	}
}

func filled(t *testing.T, name string, sections map[string]string) []byte {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join(docsDir, name))
	if err == nil {
		doc, err = Fill(doc, sections)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return doc
}

// systems is the order of the tables and of the pictures' lines.
var systems = []string{"roulette-tuned/kcp", "roulette-tuned/udp", "roulette-tuned/mem", "bittorrent/tcp", "nt-http/tcp", "http/tcp", "roulette-classic/mem", "roulette-classic/udp", "roulette-classic/kcp"}
