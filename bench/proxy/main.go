// Command proxy compares nt's proxy with Squid and nginx on this machine, each on one
// core, and prints what it measured as Markdown:
//
//	cd bench && go run ./proxy > ../docs/experiments/proxy.md
//
// It needs Debian's squid, nginx-light, wrk and util-linux (taskset), and two cores: the
// server that is measured has the first to itself, wrk and the origin share
// the second. Rounds of the three alternate, so that what disturbs the machine
// disturbs all of them; the figures to trust are the ratios.
package main

import (
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

// sizes of the files, in bytes.
var sizes = []int{1 << 10, 16 << 10, 256 << 10}

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
	hits := map[string][]sample{}
	for round := range *rounds {
		for _, size := range sizes {
			for _, s := range servers {
				m, err := load(dir, s, origin, size)
				if err != nil {
					return fmt.Errorf("%s, %d bytes, round %d: %w", s.name, size, round, err)
				}
				key := fmt.Sprint(s.name, size)
				hits[key] = append(hits[key], m)
			}
		}
	}
	delays, err := latencies(servers, origin, *probes)
	if err != nil {
		return err
	}
	report(servers, hits, delays)
	return nil
}

// report prints the tables.
func report(servers []*server, hits map[string][]sample, delays map[string]time.Duration) {
	fmt.Printf("# nt's proxy beside Squid and nginx\n\nMade by `cd bench && go run ./proxy > ../docs/experiments/proxy.md` on %s: %s; load average %s.\n"+
		"Each server on one core (nt with GOMAXPROCS=1 and `--serve-fresh`), wrk with 64 connections and the origin on the other; %d rounds of %d s in turn, the best counts.\n\n",
		time.Now().UTC().Format(time.DateOnly), machine(), loadAverage(), *rounds, *seconds)
	fmt.Print("## Cache hits\n\n| KiB | server | requests/s | requests per CPU second | of Squid's | of nginx's |\n|---|---|---|---|---|---|\n")
	for _, size := range sizes {
		var bests = map[string]sample{}
		for _, s := range servers {
			bests[s.name] = best(hits[fmt.Sprint(s.name, size)])
		}
		for _, s := range servers {
			m := bests[s.name]
			fmt.Printf("| %d | %s | %.0f | %.0f | %.2f | %.2f |\n", size>>10, s.name, m.perSecond, m.perCPU, m.perCPU/bests["squid"].perCPU, m.perCPU/bests["nginx"].perCPU)
		}
	}
	fmt.Printf("\n## Pass-through\n\nOne connection, 1 KiB with `no-store`, %d requests each way, one way after the other request by request: medians.\n\n| way | median | added |\n|---|---|---|\n", *probes)
	direct := delays["direct"]
	fmt.Printf("| direct | %v | |\n", direct.Round(100*time.Nanosecond))
	for _, s := range servers {
		fmt.Printf("| %s | %v | %v |\n", s.name, delays[s.name].Round(100*time.Nanosecond), (delays[s.name] - direct).Round(100*time.Nanosecond))
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
