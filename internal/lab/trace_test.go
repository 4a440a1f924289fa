package lab

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"nt/internal/testenv"
)

// TestLabTrace prints what readers of one run do by their age. NT_LAB=trace, and NT_LAB_SYSTEM
// (roulette-tuned/kcp), NT_LAB_RATE (32), NT_LAB_KBPS (800), NT_LAB_SIZE (131072), NT_LAB_SEED (1), NT_LAB_LOSS,
// NT_LAB_SILENT (0), NT_LAB_UP (kbit/s of the readers' uplinks, where they are slower), NT_LAB_READERS (as the stabilised pool test has them). Of systems other than
// Roulette it shows the links only. The core alone has such a trace in plugins/roulette/sim.
func TestLabTrace(t *testing.T) {
	wants(t, "trace")
	c := Case{Seed: uint64(testenv.Number(t, "NT_LAB_SEED", 1)), Size: int64(testenv.Number(t, "NT_LAB_SIZE", 128*kib)), Kbps: int(testenv.Number(t, "NT_LAB_KBPS", 800)), PoolMax: 1000,
		Rate: testenv.Number(t, "NT_LAB_RATE", 32), Readers: int(testenv.Number(t, "NT_LAB_READERS", 0)), Loss: testenv.Number(t, "NT_LAB_LOSS", 0), Silent: testenv.Number(t, "NT_LAB_SILENT", 0), Trace: new(Trace)}
	if up := int(testenv.Number(t, "NT_LAB_UP", 0)); up > 0 {
		c.UpKbps, c.SeedUp = up, c.Kbps
	}
	name := os.Getenv("NT_LAB_SYSTEM")
	if name == "" {
		name = "roulette-tuned/kcp"
	}
	for _, s := range []System{Roulette("tuned", "kcp", startKCPClock), Roulette("tuned", "udp", nil), Roulette("classic", "kcp", startKCPClock), Roulette("classic", "udp", nil), BitTorrent(), PluginHTTP(), PlainHTTP()} {
		if s.Name+"/"+s.Wire == name {
			fmt.Printf("%s\n%v", run(t, s, c).Line(), c.Trace)
			return
		}
	}
	t.Errorf("there is no system %q", name)
}

// TestTraceAddsUp: the trace of a run over kcp has all bytes that its readers received, and as
// much new content as they wanted.
func TestTraceAddsUp(t *testing.T) {
	c := Case{Seed: 1, Size: 64 * kib, Kbps: 800, Rate: 4, Readers: 8, Trace: new(Trace)}
	r := run(t, Roulette("tuned", "kcp", startKCPClock), c)
	all, payload := c.Trace.ages.Received()
	if got := all / float64(r.Done) / float64(c.Size); got < 0.999*r.Received || got > 1.001*r.Received {
		t.Errorf("%.4f bytes per byte in the trace, %.4f received", got, r.Received)
	}
	if want := float64(r.Done) * float64(c.Size); payload < want || payload > 1.1*want { // what waits for its proof may come twice
		t.Errorf("%.0f bytes of content in the trace, want %.0f", payload, want)
	}
	if s := c.Trace.String(); !strings.Contains(s, "\n8 readers received") {
		t.Error(s)
	}
}
