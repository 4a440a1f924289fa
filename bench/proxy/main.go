// Command proxy compares nt's proxy with Squid and nginx on this machine, each on one
// core, and prints what it measured as Markdown:
//
//	cd bench && go run ./proxy > ../docs/experiments/proxy.md
//
// What there is to say about the figures is in notes.md, which it prints behind them.
//
// It needs Debian's squid, nginx-light, wrk and util-linux (taskset), and two cores: the
// server that is measured has the first to itself, wrk and the origin share
// the second. Rounds of the four alternate, so that what disturbs the machine
// disturbs all of them; the figures to trust are the ratios.
package main

import (
	_ "embed"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

var (
	rounds  = flag.Int("rounds", 3, "rounds of every load; the best counts")
	seconds = flag.Int("seconds", 4, "length of a round")
	probes  = flag.Int("probes", 3000, "requests per way for the added latency")
)

// sizes of the files, in bytes; of those that are to be asked about, one is enough.
var (
	sizes = []int{1 << 10, 16 << 10, 256 << 10}
	asked = []int{16 << 10}
)

//go:embed notes.md
var notes string

func main() {
	flag.Parse()
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	dir, err := os.MkdirTemp("", "nt-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o777); err != nil { // Squid and nginx change their user
		return err
	}
	origin, err := startOrigin()
	if err != nil {
		return err
	}
	servers, err := startServers(dir, origin)
	defer func() {
		for _, s := range servers {
			s.stop()
		}
	}()
	if err != nil {
		return err
	}
	hits, err := measure(dir, origin, "", sizes, servers)
	if err != nil {
		return err
	}
	asks, err := measure(dir, origin, "/ask", asked, servers)
	if err != nil {
		return err
	}
	delays, err := latencies(servers, origin, *probes)
	if err != nil {
		return err
	}
	report(servers, hits, asks, delays)
	return nil
}

// measure plays all rounds of some files, at /SIZE and a suffix, and returns what each server did
// in each, by its name and the size.
func measure(dir, origin, suffix string, sizes []int, servers []*server) (map[string][]sample, error) {
	out := map[string][]sample{}
	for round := range *rounds {
		for _, size := range sizes {
			for _, s := range servers {
				m, err := load(dir, s, origin, fmt.Sprintf("/%d%s", size, suffix))
				if err != nil {
					return nil, fmt.Errorf("%s, %d bytes%s, round %d: %w", s.name, size, suffix, round, err)
				}
				key := fmt.Sprint(s.name, size)
				out[key] = append(out[key], m)
			}
		}
	}
	return out, nil
}

// report prints the tables, and the notes on them.
func report(servers []*server, hits, asks map[string][]sample, delays map[string]time.Duration) {
	fmt.Printf("# nt's proxy beside Squid and nginx\n\nMade by `cd bench && go run ./proxy > ../docs/experiments/proxy.md` on %s: %s; load average %s.\n"+
		"Each server on one core (nt with GOMAXPROCS=1), wrk with %d connections and the origin on the other; %d rounds of %d s in turn, the best counts.\n\n",
		time.Now().UTC().Format(time.DateOnly), machine(), loadAverage(), connections, *rounds, *seconds)
	fmt.Print("## Cache hits\n\nFiles that are fresh for an hour. nt without `--serve-fresh` asks the origin all the same.\n\n")
	table(servers, hits, sizes)
	fmt.Print("\n## Hits that ask the origin\n\nFiles with `max-age=0` and an ETag; the origin answers a question with that tag by 304.\n\n")
	table(servers, asks, asked)
	fmt.Printf("\n## Pass-through\n\nOne connection, 1 KiB with `no-store`, %d requests each way, one way after the other request by request: medians.\n\n| way | median | added |\n|---|---|---|\n", *probes)
	direct := delays["direct"]
	fmt.Printf("| direct | %v | |\n", direct.Round(100*time.Nanosecond))
	for _, s := range servers {
		fmt.Printf("| %s | %v | %v |\n", s.name, delays[s.name].Round(100*time.Nanosecond), (delays[s.name] - direct).Round(100*time.Nanosecond))
	}
	fmt.Print(notes)
}

// table prints the best rounds.
func table(servers []*server, rounds map[string][]sample, sizes []int) {
	fmt.Print("| KiB | server | requests/s | requests per CPU second | of Squid's | of nginx's |\n|---|---|---|---|---|---|\n")
	for _, size := range sizes {
		bests := map[string]sample{}
		for _, s := range servers {
			bests[s.name] = best(rounds[fmt.Sprint(s.name, size)])
		}
		for _, s := range servers {
			m := bests[s.name]
			fmt.Printf("| %d | %s | %.0f | %.0f | %.2f | %.2f |\n", size>>10, s.name, m.perSecond, m.perCPU, m.perCPU/bests["squid"].perCPU, m.perCPU/bests["nginx"].perCPU)
		}
	}
}

func best(all []sample) (b sample) {
	for _, m := range all {
		if m.perCPU > b.perCPU {
			b = m
		}
	}
	return b
}

func machine() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.SplitSeq(string(b), "\n") {
		if name, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return fmt.Sprintf("%s, %d cores, %s", strings.TrimSpace(v), runtime.NumCPU(), version())
		}
	}
	return fmt.Sprintf("%d cores, %s", runtime.NumCPU(), version())
}

func version() string {
	out := []string{runtime.Version()}
	for _, c := range [][]string{{"/usr/sbin/squid", "-v"}, {"/usr/sbin/nginx", "-v"}} {
		if b, err := exec.Command(c[0], c[1]).CombinedOutput(); err == nil {
			line, _, _ := strings.Cut(string(b), "\n")
			out = append(out, filepath.Base(c[0])+" "+line[strings.LastIndexAny(line, " /")+1:])
		}
	}
	return strings.Join(out, ", ")
}

func loadAverage() string {
	b, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(b), " ")
	return first
}
