package lab

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestFill(t *testing.T) {
	const doc = "by hand\n<!-- lab: a -->\nold\n<!-- end -->\nmore\n<!-- lab: b -->\n<!-- end -->\nlast\n"
	got, err := Fill([]byte(doc), map[string]string{"a": "new\n", "b": "B\n"})
	want := "by hand\n<!-- lab: a -->\nnew\n<!-- end -->\nmore\n<!-- lab: b -->\nB\n<!-- end -->\nlast\n"
	if err != nil || string(got) != want {
		t.Errorf("%q, %v", got, err)
	}
	for _, sections := range []map[string]string{{"a": ""}, {"a": "", "b": "", "c": ""}, nil} {
		if got, err := Fill([]byte(doc), sections); err == nil {
			t.Errorf("%v: %q", sections, got)
		}
	}
	if _, err := Fill([]byte("<!-- lab: a -->\nno end"), map[string]string{"a": ""}); err == nil {
		t.Error("an open section was filled")
	}
}

// TestCrossCheckHasAPlace: the page that the cross-check fills can be filled.
func TestCrossCheckHasAPlace(t *testing.T) {
	filled(t, "cross-check.md", map[string]string{"cross-check": "|"})
}

// TestRunsAreKept: what was added is there when the store is opened again, once.
func TestRunsAreKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs")
	s, err := OpenRuns(dir)
	if err != nil {
		t.Fatal(err)
	}
	r := Result{System: "a", Wire: "kcp", Kbps: 800, Rate: 8, Seed: 2, Mean: 2, Bound: 1, Stable: true}
	for _, seed := range []uint64{2, 1, 1} {
		r.Seed, r.Mean = seed, r.Mean+1
		if err := s.Add("f", r); err != nil {
			t.Fatal(err)
		}
	}
	if s, err = OpenRuns(dir); err != nil {
		t.Fatal(err)
	}
	if got, ok := s.Find("f", r); !ok || got.Mean != 5 || len(s.figures["f"]) != 2 || s.figures["f"][0].Seed != 1 {
		t.Errorf("%+v", s.figures["f"])
	}
	if m, ok := s.At(Place{Figure: "f", System: "a/kcp", Rate: 8}); !ok || m.Runs != 2 || m.Steady != 2 || m.MeanLow != 3 || m.MeanHigh != 5 {
		t.Errorf("%+v", m)
	}
	if _, ok := s.Find("f", Result{System: "a", Wire: "kcp", Seed: 9}); ok {
		t.Error("found a run nobody made")
	}
	if err := os.WriteFile(filepath.Join(dir, "bad.csv"), []byte("system\nx\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenRuns(dir); err == nil || !strings.Contains(err.Error(), "bad.csv") {
		t.Errorf("a file that is no table: %v", err)
	}
}

func TestBoundOfACase(t *testing.T) {
	for _, c := range []struct {
		name string
		c    Case
		want float64
	}{
		{"stream, symmetric", Case{Size: 100_000, Kbps: 800, Rate: 8}, 1},
		{"stream, uplinks a tenth", Case{Size: 100_000, Kbps: 800, UpKbps: 80, SeedUp: 800, Rate: 10}, 9},
		{"crowd", Case{Size: 100_000, Kbps: 800, Readers: 100}, 1},
		{"crowd, uplinks a tenth", Case{Size: 100_000, Kbps: 800, UpKbps: 80, SeedUp: 800, Readers: 100}, 100.0 / 11},
		{"one reader, holders", Case{Size: 100_000, Kbps: 800, Readers: 1, Holders: 7}, 1},
	} {
		if got := c.c.Bound().Seconds(); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestGoalTable: a goal that is reached, one that is not, one behind a rival, one that is not stable, one
// not measured, one at a rate beyond what the rivals bear.
func TestGoalTable(t *testing.T) {
	s, err := OpenRuns(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	add := func(name string, rate, mean float64, stable bool) {
		system, wire, _ := strings.Cut(name, "/")
		if err := s.Add("f", Result{System: system, Wire: wire, Rate: rate, Seed: 1, Mean: mean, P95: mean, Bound: 1, Stable: stable, Readers: 9, Done: 8}); err != nil {
			t.Fatal(err)
		}
	}
	add(ours, 1, 1.4, true)
	add("bittorrent/tcp", 1, 2, true)
	add("http/tcp", 1, 9, false)
	add(ours, 2, 1.5, true)
	add("bittorrent/tcp", 2, 1.4, true)
	add("http/tcp", 2, 9, false)
	add(ours, 3, 1, false)
	add("bittorrent/tcp", 4, 9, false)
	add(ours, 5, 1.2, true)
	var goals []Goal
	for rate := 1.0; rate <= 5; rate++ {
		goals = append(goals, Goal{What: "case", Aim: "aim", At: []Place{{"f", ours, "", rate}}, Judge: within(1.45, 0)})
	}
	got := s.GoalTable(goals)
	for _, want := range []string{
		"\n2 of 5 goals are reached, 1 are not measured yet.\n",
		"\n| case | aim | 1.40x *(seed 1)* | yes | 2.00x | not | yes |\n",
		"\n| case | aim | 1.50x *(seed 1)* | **no** | 1.40x | not | **no** |\n",
		"\n| case | aim | not stable at 3/s: 8 of 9 done | **no** |  | not at 1/s |  |\n",
		"\n| case | aim |  |  | not | not at 1/s |  |\n",
		"\n| case | aim | 1.20x *(seed 1)* | yes | not at 4/s | not at 1/s | yes |\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
}

// TestGoalsHaveTrials: every place a goal looks at is measured by the lab.
func TestGoalsHaveTrials(t *testing.T) {
	have := map[Place]bool{}
	for _, x := range trials() {
		have[x.place()] = true
	}
	for _, g := range Goals() {
		for _, p := range g.At {
			if !have[p] {
				t.Errorf("%s: nothing measures %+v", g.What, p)
			}
		}
	}
}

// TestOneShotComesAtOnce: without a rate all of a crowd are there within 100 ms, in both worlds.
func TestOneShotComesAtOnce(t *testing.T) {
	c := Case{Seed: 1, Size: 8 * kib, Kbps: 8000, Readers: 20}
	if r := RunMem("tuned", c); r.Done != 20 || r.Worst > 2 {
		t.Errorf("%s %s", r.Line(), r.Note())
	}
	started := time.Now()
	if r := run(t, Roulette("tuned", "udp", nil), c); r.Done != 20 || r.Worst > 2 {
		t.Errorf("%s %s after %v", r.Line(), r.Note(), time.Since(started))
	}
}
