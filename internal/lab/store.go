package lab

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Runs is the store of results: every run that was measured, a file of the folder for each figure. What
// is added is on the disk at once, so that the lab goes on where it was stopped.
type Runs struct {
	dir     string
	figures map[string][]Result
}

// OpenRuns reads the store in a folder; one that does not exist is empty.
func OpenRuns(dir string) (*Runs, error) {
	r := &Runs{dir: dir, figures: map[string][]Result{}}
	files, err := filepath.Glob(filepath.Join(dir, "*.csv"))
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		if err := r.load(strings.TrimSuffix(filepath.Base(name), ".csv")); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (s *Runs) file(figure string) string { return filepath.Join(s.dir, figure+".csv") }

func (s *Runs) load(figure string) error {
	b, err := os.ReadFile(s.file(figure))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	all, err := ReadCSV(bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("reading %s: %w", s.file(figure), err)
	}
	s.figures[figure] = all
	return nil
}

// Is reports whether both are the same run of the same system, whatever they showed.
func (r Result) Is(o Result) bool {
	return r.System == o.System && r.Wire == o.Wire && r.Case == o.Case && r.Kbps == o.Kbps && r.Size == o.Size && r.Rate == o.Rate && r.Seed == o.Seed
}

// order puts a table's rows.
func (r Result) order(o Result) int {
	return cmp.Or(cmp.Compare(r.System, o.System), cmp.Compare(r.Wire, o.Wire), cmp.Compare(r.Size, o.Size), cmp.Compare(r.Case, o.Case), cmp.Compare(r.Rate, o.Rate), cmp.Compare(r.Seed, o.Seed))
}

// Find returns the run of a figure that Is like.
func (s *Runs) Find(figure string, like Result) (Result, bool) {
	i := slices.IndexFunc(s.figures[figure], like.Is)
	if i < 0 {
		return Result{}, false
	}
	return s.figures[figure][i], true
}

// Add keeps a run instead of the one it Is, beside what others have written meanwhile, and writes the figure's file.
func (s *Runs) Add(figure string, r Result) error {
	if err := s.load(figure); err != nil {
		return err
	}
	all := append(slices.DeleteFunc(s.figures[figure], r.Is), r)
	slices.SortFunc(all, Result.order)
	s.figures[figure] = all
	var b bytes.Buffer
	if err := WriteCSV(&b, all); err != nil {
		return err
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	name := s.file(figure)
	if err := os.WriteFile(name+".new", b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return os.Rename(name+".new", name)
}

// Place is one cell of a figure: a case of a system, however often it was run.
type Place struct {
	Figure, System string // System with its wire: "roulette-tuned/kcp"
	Case           string
	Rate           float64
}

// At joins the runs at a place; false if there are none.
func (s *Runs) At(p Place) (Result, bool) {
	var all []Result
	for _, r := range s.figures[p.Figure] {
		if r.Name() == p.System && r.Case == p.Case && r.Rate == p.Rate {
			all = append(all, r)
		}
	}
	if len(all) == 0 {
		return Result{}, false
	}
	return Median(all), true
}

// Name is the system and its wire.
func (r Result) Name() string { return r.System + "/" + r.Wire }

// values returns what get says of a figure's runs, each once, in the order of first, then as they come.
func values[T comparable](runs []Result, get func(Result) T, first ...T) (out []T) {
	for _, v := range first {
		if slices.ContainsFunc(runs, func(r Result) bool { return get(r) == v }) {
			out = append(out, v)
		}
	}
	for _, r := range runs {
		if v := get(r); !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}
