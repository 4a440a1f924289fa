package roulette

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nt/chunker/nois"
	"nt/transport"
)

var rewrite = flag.Bool("rewrite", false, "write what the scenarios show back to testdata")

// TestScenarios replays testdata/*.txt: a line that starts with "> " is a
// command, what follows up to the next command is what the core did. With
// -rewrite the files are written anew, to be reviewed as a diff.
func TestScenarios(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txt")
	if len(files) == 0 {
		t.Fatal("no scenarios in testdata")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, want)
			if *rewrite {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			} else if !bytes.Equal(got, want) {
				t.Errorf("%s: the core now does\n%s", file, got)
			}
		})
	}
}

func replay(t *testing.T, script []byte) []byte {
	var out bytes.Buffer
	s := &scenario{t: t, names: map[NeighbourID]string{}}
	for lines := bufio.NewScanner(bytes.NewReader(script)); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "#") || line == "" {
			fmt.Fprintln(&out, line)
		} else if cmd, ok := strings.CutPrefix(line, "> "); ok {
			fmt.Fprintln(&out, line)
			s.run(strings.Fields(cmd))
			s.report(&out)
		}
	}
	return out.Bytes()
}

// scenario is one core under test, and names for its neighbours.
type scenario struct {
	t     *testing.T
	core  *Core
	mem   *memContent
	now   time.Duration
	names map[NeighbourID]string
	// What report shows once, of the command that was just run.
	showCache bool
	drawn     string
}

func (s *scenario) run(f []string) {
	arg := func(i int) string {
		if i < len(f) {
			return f[i]
		}
		s.t.Fatalf("%v: argument %d is missing", f, i)
		return ""
	}
	switch f[0] {
	case "new": // new PROFILE SIZE [have=a-b,...] [seed] [quiet] [literal] [rescue=TIME]
		s.start(arg(1), f[2:])
	case "join":
		s.core.Join(s.now, []Introduction{{Peer: namedPeer(arg(1))}}, nil)
	case "meet":
		var in []Introduction
		for _, name := range f[1:] {
			in = append(in, Introduction{Peer: namedPeer(name)})
		}
		s.core.AddPeers(s.now, in)
	case "wait":
		d, err := time.ParseDuration(arg(1))
		if err != nil {
			s.t.Fatal(err)
		}
		s.wait(d)
	case "state":
	case "tab": // tab NAME sent received: sets the account
		v := s.core.byID[s.id(arg(1))]
		fmt.Sscan(arg(2)+" "+arg(3), &v.tab.key.Sent, &v.tab.key.Received)
	case "cache": // shows the Roulette cache
		s.showCache = true
	case "draw": // draw N recommendations: which neighbours come up how often
		s.draw(arg(1))
	case "leave":
		s.core.Leave(s.now)
	default: // NAME message...
		s.core.Receive(s.now, s.id(f[0]), s.message(f[1:]))
	}
}

func (s *scenario) start(profile string, f []string) {
	p := Classic()
	if profile == "tuned" {
		p = Tuned()
		p.KnownRate = 100e3
	} else {
		p.KnownRate = 1 << 30
	}
	var size int64
	fmt.Sscan(f[0], &size)
	s.mem = newMemContent(s.t, size)
	seed := false
	for _, o := range f[1:] {
		if o == "quiet" { // seeks no neighbours
			p.SeekEvery = time.Hour
		} else if o == "literal" { // tit-for-tat as printed
			p.TabLiteral = true
		} else if after, ok := strings.CutPrefix(o, "rescue="); ok {
			d, err := time.ParseDuration(after)
			if err != nil {
				s.t.Fatal(err)
			}
			p.RescueAfter = d
		} else if o == "seed" {
			seed = true
			s.mem.have.AddRange(nois.Interval{Start: 0, End: uint32(s.mem.tree.Header().NumChunks())})
		} else {
			for _, sp := range parseSpans(strings.TrimPrefix(o, "have=")) {
				s.mem.have.AddRange(nois.Interval(sp))
			}
		}
	}
	s.names = map[NeighbourID]string{}
	s.now = 0
	s.core = New(Config{Params: p, Rand: rand.New(rand.NewPCG(1, 2)), Object: s.mem.tree.Header().ID(), Content: s.mem,
		Seed: seed, Ledger: NewLedger(), Uplink: NewUplink(&p, 72)})
}

// draw picks from the Roulette cache n times.
func (s *scenario) draw(n string) {
	var times int
	fmt.Sscan(n, &times)
	count := map[string]int{}
	for range times {
		if id, ok := s.core.cache.pick(s.core.rng); ok {
			count[s.name(id)]++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(count)) {
		s.drawn += fmt.Sprintf(" %s %d", name, count[name])
	}
}

// wait lets time pass, deadline by deadline.
func (s *scenario) wait(d time.Duration) {
	end := s.now + d
	for {
		t, ok := s.core.NextDeadline()
		if !ok || t > end {
			break
		}
		s.now = t
		s.core.Advance(t)
	}
	s.now = end
	s.core.Advance(end)
}

func namedPeer(name string) transport.Peer {
	b := name[len(name)-1]
	return transport.Peer{ID: transport.PeerID{b}, Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, b, 1}), 7000)}
}

func (s *scenario) id(name string) NeighbourID {
	id, ok := s.core.Accept(s.now, namedPeer(name))
	if !ok {
		s.t.Fatalf("%s is not let in", name)
	}
	return id
}

func parseSpans(text string) (out []Span) {
	for _, part := range strings.Split(text, ",") {
		var sp Span
		if n, _ := fmt.Sscanf(part, "%d-%d", &sp.Start, &sp.End); n == 2 {
			sp.End++
			out = append(out, sp)
		} else if n == 1 {
			out = append(out, Span{sp.Start, sp.Start + 1})
		}
	}
	return out
}

func parseChunks(text string) (out []uint32) {
	for _, sp := range parseSpans(text) {
		for i := sp.Start; i < sp.End; i++ {
			out = append(out, i)
		}
	}
	return out
}
