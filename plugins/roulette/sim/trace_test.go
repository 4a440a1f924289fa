package sim

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"nt/internal/testenv"
	"nt/plugins/roulette"
)

// TestTrace prints what readers of one experiment do by their age. NT_LAB=trace, and
// NT_LAB_RATE (32), NT_LAB_KBPS (800), NT_LAB_SIZE (131072), NT_LAB_SEED (1), NT_LAB_PROFILE (tuned),
// NT_LAB_LOSS, NT_LAB_SILENT (0).
func TestTrace(t *testing.T) {
	if os.Getenv("NT_LAB") != "trace" {
		t.Skip("set NT_LAB=trace")
	}
	params := roulette.Tuned()
	if os.Getenv("NT_LAB_PROFILE") == "classic" {
		params = roulette.Classic()
	}
	cfg := Config{Params: params, Seed: uint64(testenv.Number(t, "NT_LAB_SEED", 1)), Size: int64(testenv.Number(t, "NT_LAB_SIZE", 128<<10)),
		Rate: testenv.Number(t, "NT_LAB_RATE", 32), UpKbps: testenv.Number(t, "NT_LAB_KBPS", 800), Loss: testenv.Number(t, "NT_LAB_LOSS", 0), Silent: testenv.Number(t, "NT_LAB_SILENT", 0), Ages: new(Ages)}
	r := Run(cfg)
	fmt.Println(r.Line("roulette-"+os.Getenv("NT_LAB_PROFILE"), cfg))
	fmt.Printf("seed %d, %d readers, stable %v, pool up to %d, %d queue drops, %+v\n%v", cfg.Seed, r.Readers, r.Stable, r.PoolMax, r.QueueDrops, r.Stats, cfg.Ages)
}

// TestAgesAddUp: the bytes of all sorts are what readers received, and a traced run is the
// same run.
func TestAgesAddUp(t *testing.T) {
	cfg := small(1)
	plain := Run(cfg)
	cfg.Ages = new(Ages)
	r := Run(cfg)
	if r.Trace != plain.Trace {
		t.Error("being looked at changed the run")
	}
	all, _ := cfg.Ages.Received()
	got := all / float64(r.Finished) / float64(cfg.Size)
	if got < 0.999*r.Received || got > 1.001*r.Received {
		t.Errorf("%.4f bytes per byte in the trace, %.4f received", got, r.Received)
	}
	alive := 0.0
	for _, row := range cfg.Ages.rows {
		alive += row.alive
	}
	if want := r.Mean * float64(r.Finished); alive < 0.999*want || alive > 1.001*want {
		t.Errorf("%.3f s of readers' lives in the trace, %.3f lived", alive, want)
	}
	if s := cfg.Ages.String(); !strings.Contains(s, " STATUS ") || !strings.Contains(s, "\n40 readers received") {
		t.Error(s)
	}
}
