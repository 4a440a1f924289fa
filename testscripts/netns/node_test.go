package netns

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"nt/modes"
	"nt/tracker/rendezvous"
	"nt/transport"
	"nt/transport/wire"
)

// roleVar makes the test binary a node in a namespace: its value is the role and the
// address to listen on.
const roleVar = "NT_NETNS_ROLE"

func TestMain(m *testing.M) {
	switch role := os.Getenv(roleVar); role {
	case "":
	case "nt":
		os.Exit(modes.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ()))
	case "origin":
		fmt.Println("err", http.ListenAndServe(os.Args[1], http.FileServer(http.Dir(os.Args[2]))))
		os.Exit(1)
	case "get":
		if err := get(os.Args[1], os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	default:
		if err := play(role); err != nil {
			fmt.Println("err", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// get writes a page to stdout.
func get(page, proxy string) error {
	transport := &http.Transport{}
	if proxy != "" {
		transport.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: proxy})
	}
	resp, err := (&http.Client{Transport: transport}).Get(page)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err = io.Copy(os.Stdout, resp.Body); err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return err
}

// play runs a node that obeys lines on stdin until they end.
func play(role string) error {
	kind, at, _ := strings.Cut(role, " ")
	addr, err := netip.ParseAddrPort(at)
	if err != nil {
		return err
	}
	c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return err
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	if kind == "tracker" {
		s, err := rendezvous.New(rendezvous.Config{Conn: c, Key: key})
		if err != nil {
			return err
		}
		fmt.Println("ok", s.Key(), c.LocalAddr())
		io.Copy(io.Discard, os.Stdin)
		return s.Close()
	}
	p := &player{known: map[string]*wire.Session{}}
	if p.node, err = wire.Listen(wire.Config{Conn: c, Key: key, Accept: echo}); err != nil {
		return err
	}
	defer p.node.Close()
	fmt.Println("ok", p.node.ID(), c.LocalAddr())
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if answer, err := p.obey(strings.Fields(lines.Text())); err != nil {
			fmt.Println("err", strings.ReplaceAll(err.Error(), "\n", "; "))
		} else {
			fmt.Println("ok", answer)
		}
	}
	return nil
}

// echo answers every message with itself.
func echo(s *wire.Session) bool {
	s.Handle(wire.ChannelDatagram, func(p []byte) { s.Send(wire.ChannelDatagram, p) })
	return true
}

// player is a node that obeys.
type player struct {
	node  *wire.Node
	known map[string]*wire.Session // introducers, by key
}

func (p *player) obey(f []string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	switch {
	case len(f) == 1 && f[0] == "nat":
		return p.node.NAT().String(), nil
	case len(f) == 3 && f[0] == "dial":
		peer, err := peerOf(f[1], f[2])
		if err != nil {
			return "", err
		}
		s, err := p.node.Dial(ctx, peer.Addr, peer.ID, wire.Token{}, wire.ChannelDatagram, nil)
		if err != nil {
			return "", err
		}
		s.KeepAlive(10 * time.Second)
		p.known[f[1]] = s
		return "", nil
	case len(f) >= 3 && f[0] == "connect":
		return p.connect(ctx, f)
	case len(f) == 3 && f[0] == "try": // shortly
		ctx, cancel := context.WithTimeout(ctx, 1500*time.Millisecond)
		defer cancel()
		return p.connect(ctx, f)
	}
	return "", fmt.Errorf("unknown order %q", f)
}

// connect opens a session with a peer and waits for the echo of one message.
func (p *player) connect(ctx context.Context, f []string) (string, error) {
	peer, err := peerOf(f[1], f[2])
	if err != nil {
		return "", err
	}
	var by []*wire.Session
	for _, id := range f[3:] {
		by = append(by, p.known[id])
	}
	start := time.Now()
	s, err := p.node.Connect(ctx, peer, wire.Token{}, wire.ChannelDatagram, nil, by...)
	switch {
	case errors.Is(err, wire.ErrSymmetric):
		return "", fmt.Errorf("symmetric after %v: %w", time.Since(start).Round(time.Millisecond), err)
	case errors.Is(err, wire.ErrNoAnswer):
		return "", fmt.Errorf("noanswer after %v: %w", time.Since(start).Round(time.Millisecond), err)
	case err != nil:
		return "", err
	}
	opened := time.Since(start)
	got := make(chan struct{}, 1)
	s.Handle(wire.ChannelDatagram, func([]byte) { got <- struct{}{} })
	if err := s.Send(wire.ChannelDatagram, []byte("hello")); err != nil {
		return "", err
	}
	select {
	case <-got:
		return fmt.Sprintf("%v %v %v", opened, time.Since(start), s.Addr()), nil
	case <-ctx.Done():
		return "", errors.New("no echo")
	}
}

// peerOf reads a key and an address; "-" is no address.
func peerOf(key, addr string) (p transport.Peer, err error) {
	if err := p.ID.UnmarshalText([]byte(key)); err != nil {
		return p, err
	}
	if addr != "-" {
		p.Addr, err = netip.ParseAddrPort(addr)
	}
	return p, err
}

// process is a node in a namespace.
type process struct {
	t     *testing.T
	in    io.WriteCloser
	out   *bufio.Scanner
	id    string
	addr  string
	close func()
}

// start runs a node in a box; it ends with t, or by close.
func (l *lab) start(box, role, addr string) *process {
	l.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		l.t.Fatal(err)
	}
	cmd := exec.Command("ip", "netns", "exec", l.ns(box), exe)
	cmd.Env = append(os.Environ(), roleVar+"="+role+" "+addr)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	p := &process{t: l.t, in: in, out: bufio.NewScanner(out)}
	closed := false
	p.close = func() {
		if !closed {
			closed = true
			in.Close()
			cmd.Wait()
		}
	}
	l.t.Cleanup(p.close)
	f := strings.Fields(p.read())
	if len(f) != 3 || f[0] != "ok" {
		l.t.Fatalf("the node in %s says %q", box, f)
	}
	p.id, p.addr = f[1], f[2]
	return p
}

func (p *process) read() string {
	p.t.Helper()
	if !p.out.Scan() {
		p.t.Fatalf("a node ended: %v", p.out.Err())
	}
	return p.out.Text()
}

// say orders something and returns the answer after "ok", or the error.
func (p *process) say(order ...string) (string, error) {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.in, strings.Join(order, " ")); err != nil {
		p.t.Fatal(err)
	}
	answer := p.read()
	if rest, bad := strings.CutPrefix(answer, "err "); bad {
		return "", errors.New(rest)
	}
	return strings.TrimSpace(strings.TrimPrefix(answer, "ok")), nil
}

// must is say for what cannot fail.
func (p *process) must(order ...string) string {
	p.t.Helper()
	answer, err := p.say(order...)
	if err != nil {
		p.t.Fatalf("%q: %v", order, err)
	}
	return answer
}
