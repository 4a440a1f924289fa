package wire

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"nt/internal/simnet"
	"nt/transport"
)

// TestScenarios replays testdata/*.txt in virtual time: a line that starts with "> " is a command,
// what follows up to the next command is what it led to. With -rewrite the files are
// written anew, to be reviewed as a diff.
//
//	new                        another world, empty
//	host NAME [NAT]            a node, behind no NAT, a full-cone, port-restricted or symmetric one
//	far NAME DELAY             a node behind no NAT whose datagrams take so much of the way, either way
//	session A B                A opens a session with B and keeps it
//	connect A B [via I...]     A connects to B, as it would after B's tracker named B's outside address
//	nat A                      what A finds itself behind
//	forward A                  the user has A's router forward A's port (which makes it a full cone)
//	kill A                     A is gone without a word
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
			got := replayScenario(t, string(want))
			if *rewrite {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			} else if !bytes.Equal(got, want) {
				t.Errorf("%s: the nodes now do\n%s", file, got)
			}
		})
	}
}

func replayScenario(t *testing.T, script string) []byte {
	var out bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		s := &stage{t: t}
		defer s.close()
		for line := range strings.Lines(script) {
			line = strings.TrimSuffix(line, "\n")
			if strings.HasPrefix(line, "#") || line == "" {
				fmt.Fprintln(&out, line)
			} else if cmd, ok := strings.CutPrefix(line, "> "); ok {
				fmt.Fprintln(&out, line)
				out.WriteString(s.run(strings.Fields(cmd)))
			}
		}
	})
	return out.Bytes()
}

// stage is a world with nodes in it, and a record of what they send each other.
type stage struct {
	t      *testing.T
	net    *simnet.Net
	actors map[string]*actor
	began  time.Time // of the command

	mu   sync.Mutex
	sent []*sending
}

type actor struct {
	name string
	host *simnet.Host
	node *Node
	nat  simnet.NAT
	way  time.Duration // its part of every way
	key  byte
}

// sending is a datagram on its way.
type sending struct {
	at       time.Duration
	from, to string
	bytes    []byte
	came     bool
}

const (
	stagePort  = 4001
	stageDelay = 10 * time.Millisecond // of each host: 20 ms one way
	stageAfter = 500 * time.Millisecond
)

func (s *stage) close() {
	for _, a := range s.actors {
		a.node.Close()
	}
	if s.net != nil {
		s.net.Close()
	}
}

func (s *stage) run(f []string) string {
	s.began = time.Now()
	s.mu.Lock()
	s.sent = nil
	s.mu.Unlock()
	switch f[0] {
	case "new":
		s.close()
		s.mu.Lock()
		s.net, s.actors = simnet.New(simnet.Config{Seed: 1}), map[string]*actor{}
		s.mu.Unlock()
		return ""
	case "host":
		s.add(f[1], strings.Join(f[2:], ""), stageDelay, byte(len(s.actors)+1))
		return ""
	case "far":
		delay, err := time.ParseDuration(f[2])
		if err != nil {
			s.t.Fatal(err)
		}
		s.add(f[1], "", delay, byte(len(s.actors)+1))
		return ""
	case "session":
		return s.connect(f[1], f[2], nil, true)
	case "connect":
		var by []*Session
		for _, name := range f[min(4, len(f)):] {
			by = append(by, s.actor(f[1]).node.Session(s.actor(name).node.ID()))
		}
		return s.connect(f[1], f[2], by, false)
	case "nat":
		return fmt.Sprintf("  %v\n", s.actor(f[1]).node.NAT())
	case "forward":
		old := s.actor(f[1])
		old.node.Close()
		old.host.Close()
		s.add(f[1], "full-cone", stageDelay, old.key)
		return ""
	case "kill":
		s.actor(f[1]).host.Close()
		return ""
	}
	s.t.Fatalf("no such command: %v", f)
	return ""
}

func (s *stage) actor(name string) *actor {
	a := s.actors[name]
	if a == nil {
		s.t.Fatalf("there is no host %s", name)
	}
	return a
}

func (s *stage) add(name, nat string, delay time.Duration, key byte) {
	kinds := map[string]simnet.NAT{"": simnet.NoNAT, "full-cone": simnet.FullCone, "port-restricted": simnet.PortRestricted, "symmetric": simnet.Symmetric}
	kind, ok := kinds[nat]
	if !ok {
		s.t.Fatalf("no such NAT: %s", nat)
	}
	a := &actor{name: name, host: s.net.Host(simnet.Link{Delay: delay, NAT: kind}), nat: kind, way: delay, key: key}
	c, err := a.host.ListenPacket(stagePort)
	if err != nil {
		s.t.Fatal(err)
	}
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = key
	a.node, err = Listen(Config{Conn: &recorded{c, s, name}, Key: ed25519.NewKeyFromSeed(seed), Accept: func(*Session) bool { return true }})
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.actors[name] = a
}

// connect opens a session and tells what passed until stageAfter later.
func (s *stage) connect(from, to string, by []*Session, keep bool) string {
	a, b := s.actor(from), s.actor(to)
	peer := transport.Peer{ID: b.node.ID(), Addr: netip.AddrPortFrom(b.host.Addr(), stagePort)}
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	session, err := a.node.Connect(ctx, peer, Token{}, ChannelDatagram, nil, by...)
	took := time.Since(s.began)
	time.Sleep(stageAfter)
	var out strings.Builder
	s.tell(&out, from, took)
	if err != nil {
		text := err.Error()
		for name, x := range s.actors {
			text = strings.ReplaceAll(text, x.node.ID().Short(), name)
		}
		fmt.Fprintf(&out, "  after %v: %s\n", took, text)
		return out.String()
	}
	fmt.Fprintf(&out, "  after %v: a session\n", took)
	if keep {
		session.KeepAlive(10 * time.Second)
	}
	return out.String()
}

// tell writes what was sent until a moment after the command's end.
func (s *stage) tell(out *strings.Builder, asker string, until time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.SortStableFunc(s.sent, func(a, b *sending) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to), cmp.Compare(a.kind(), b.kind()))
	})
	for _, d := range s.sent {
		if d.at > until {
			continue
		}
		lost := ""
		if !d.came {
			lost = ", which does not get in"
		}
		kind := d.kind()
		if kind == "INTRODUCE" && d.from != asker {
			kind = "STRANGER" // of the same length
		}
		fmt.Fprintf(out, "  %4d ms  %s > %s  %s%s\n", d.at.Milliseconds(), d.from, d.to, kind, lost)
	}
}

// kind names a datagram; control packets are sealed and known by their length.
func (d *sending) kind() string {
	names := map[byte]string{typeAsk: "Ask", typeToken: "Token", typeInit: "Init", typeReply: "Reply"}
	name := names[d.bytes[0]]
	if isData(d.bytes[0]) {
		name = "Data"
		sealed := map[int]string{1: "BYE", 2: "CONFIRM", 9: "PING", 33: "INTRODUCE", 52: "INTRO"}
		if control := sealed[len(d.bytes)-dataHead-aeadTag]; control != "" {
			return control
		}
	}
	if d.bytes[0] == typeToken {
		if m, err := parseToken(d.bytes); err == nil && m.nonce == ([nonceSize]byte{}) {
			return "Token (punch)"
		}
	}
	return name
}

// recorded is a socket whose datagrams the stage sees.
type recorded struct {
	net.PacketConn
	stage *stage
	name  string
}

func (c *recorded) WriteTo(b []byte, to net.Addr) (int, error) {
	c.stage.mu.Lock()
	d := &sending{at: time.Since(c.stage.began), from: c.name, to: "nobody", bytes: bytes.Clone(b)}
	for _, a := range c.stage.actors {
		if a.host.Addr() == to.(*net.UDPAddr).AddrPort().Addr() {
			d.to = a.name
		}
	}
	c.stage.sent = append(c.stage.sent, d)
	c.stage.mu.Unlock()
	return c.PacketConn.WriteTo(b, to)
}

func (c *recorded) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.PacketConn.ReadFrom(b)
	if err == nil {
		now := time.Since(c.stage.began)
		c.stage.mu.Lock()
		for _, d := range c.stage.sent {
			if d.to == c.name && d.at == now-c.stage.actors[d.from].way-c.stage.actors[d.to].way && bytes.Equal(d.bytes, b[:n]) {
				d.came = true
			}
		}
		c.stage.mu.Unlock()
	}
	return n, from, err
}
