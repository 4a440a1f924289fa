package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"nt/internal/resource"
	"nt/internal/testenv"
	"nt/tracker"
	"nt/tracker/storetest"
	"nt/transport"
)

// server is a redis-server that the test may stop and start again.
type server struct {
	t    *testing.T
	addr string
	cmd  *exec.Cmd
}

func startRedis(t *testing.T) *server {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	testenv.SkipUnless(t, err == nil, "needs redis-server")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	s := &server{t: t, addr: addr}
	s.start(path)
	t.Cleanup(s.stop)
	return s
}

func (s *server) start(path string) {
	s.t.Helper()
	_, port, _ := net.SplitHostPort(s.addr)
	s.cmd = exec.Command(path, "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", s.t.TempDir())
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	await(s.t, func() bool {
		c, err := net.Dial("tcp", s.addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

func (s *server) stop() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

func await(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not happen")
		}
	}
}

// node is one tracker of the cluster.
type node struct {
	*Cluster
	http   *httptest.Server
	cancel context.CancelFunc
	done   chan struct{}
	once   sync.Once
	broken atomic.Bool // it answers every node with an error
}

func startNode(t *testing.T, addr string) *node {
	t.Helper()
	n := &node{done: make(chan struct{})}
	n.http = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.broken.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		n.ServeHTTP(w, r)
	}))
	var err error
	n.Cluster, err = Open(Config{URL: "redis://" + addr, Self: n.http.Listener.Addr().String(), Lives: 3 * time.Second}) // longer than a slow machine takes to ask for every key
	if err != nil {
		t.Fatal(err)
	}
	n.http.Start()
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	go func() { n.Run(ctx); close(n.done) }()
	t.Cleanup(n.end)
	return n
}

// end leaves in good order.
func (n *node) end() {
	n.once.Do(func() {
		n.cancel()
		<-n.done
		n.http.Close()
	})
}

// kill ends the node as kill -9 does: it says nothing to anybody.
func (n *node) kill() {
	n.once.Do(func() {
		n.http.CloseClientConnections()
		n.http.Close()
		n.members.mu.Lock()
		n.members.list = []string{n.members.self} // it hands nothing over
		n.members.mu.Unlock()
		n.pool.Close()
	})
}

func sees(nodes ...*node) func() bool {
	return func() bool {
		for _, n := range nodes {
			if len(n.members.others()) != len(nodes)-1 {
				return false
			}
		}
		return true
	}
}

func count(t *testing.T, n *node, command string, args ...any) int {
	conn := n.pool.Get()
	defer conn.Close()
	got, err := redis.Int(conn.Do(command, args...))
	if err != nil {
		return -1 // Redis is not up yet
	}
	return got
}

const keys = 200

func peerOf(i int) storetest.Peer {
	return storetest.NewPeer(i, fmt.Sprintf("%d.%d.1.1:7000", 11+i%100, i))
}

// announceAll announces key i by peer i at any node; refusals are counted.
func announceAll(nodes []*node) (refused int) {
	now := time.Now()
	for i := range keys {
		p := peerOf(i)
		errs, err := nodes[i%len(nodes)].Announce(now, time.Hour, p.Announcer(now), []resource.Statement{p.State(fmt.Sprint("page", i), "object", now)})
		if err != nil || errs != nil {
			refused++
		}
	}
	return refused
}

// ask looks every key up at every node. Wrong is a holder that never announced the
// key; unsaid are answers without its statement.
func askAll(t *testing.T, nodes []*node) (missing, refused, unsaid int) {
	t.Helper()
	now, rnd := time.Now(), rand.New(rand.NewPCG(1, 1))
	for i := range keys {
		for _, n := range nodes {
			sw, err := n.Lookup(now, storetest.Key(fmt.Sprint("page", i)), 10, rnd)
			var r *tracker.RefusedError
			switch {
			case errors.As(err, &r):
				refused++
				continue
			case err != nil:
				t.Fatal(err)
			case len(sw.Holders) == 0:
				missing++
			case len(sw.Holders) != 1 || sw.Holders[0].ID != transport.PeerID(peerOf(i).ID()) || sw.Holders[0].Object != storetest.Object("object") || sw.Holders[0].Addr != peerOf(i).Addr:
				t.Fatalf("page%d: a wrong answer: %+v", i, sw.Holders)
			}
			if len(sw.Statements) == 0 {
				unsaid++
			}
		}
	}
	return missing, refused, unsaid
}

func TestStoreConformance(t *testing.T) {
	r := startRedis(t)
	storetest.Run(t, func(t *testing.T) tracker.Store {
		n := startNode(t, r.addr)
		conn := n.pool.Get()
		defer conn.Close()
		if _, err := conn.Do("FLUSHDB"); err != nil {
			t.Fatal(err)
		}
		return n
	})
}

// TestSeveralNodes is the story of issue 6: every node finds every key, whatever comes
// and goes; what is missing is logged and comes back with the next announcements.
func TestSeveralNodes(t *testing.T) {
	r := startRedis(t)
	a, b, c := startNode(t, r.addr), startNode(t, r.addr), startNode(t, r.addr)
	await(t, sees(a, b, c))
	say := func(when string, nodes ...*node) (missing, refused, unsaid int) {
		t.Helper()
		for _, n := range nodes {
			n.hot = hotCache{}
		}
		missing, refused, unsaid = askAll(t, nodes)
		t.Logf("| %s | %d | %d | %d | %d |", when, len(nodes)*keys, missing, refused, unsaid)
		return missing, refused, unsaid
	}
	if n := announceAll([]*node{a, b, c}); n != 0 {
		t.Fatalf("%d announcements were refused", n)
	}
	if m, ref, un := say("three nodes", a, b, c); m+ref+un != 0 {
		t.Error("not every node finds every key")
	}
	for _, n := range []*node{a, b, c} {
		if st := n.Stats(time.Now()); st.Peers < keys/6 || st.Peers > keys/2 {
			t.Errorf("one of three nodes owns %d of %d", st.Peers, keys)
		}
	}
	await(t, func() bool { return count(t, a, "DBSIZE") == keys+3 }) // every key's statements, nodes, born, secret
	share := c.Stats(time.Now()).Peers
	c.kill()
	if m, ref, _ := say("just after one was killed", a, b); m != 0 || ref == 0 {
		t.Errorf("%d missing, %d refused: the others cannot know yet", m, ref)
	}
	await(t, sees(a, b))
	await(t, func() bool { return !a.LostAt().IsZero() && !b.LostAt().IsZero() })
	m, ref, un := say("the others have noticed", a, b)
	if ref != 0 || un != 0 || m != 2*share {
		t.Errorf("%d missing, %d refused, %d without statement; its share was %d", m, ref, un, share)
	}
	announceAll([]*node{a, b})
	if m, ref, un := say("an interval later", a, b); m+ref+un != 0 {
		t.Error("after everybody has announced again something is missing")
	}
	d := startNode(t, r.addr)
	await(t, sees(a, b, d))
	await(t, func() bool { return d.Stats(time.Now()).Peers > keys/6 })
	await(t, func() bool { m, ref, un := say("one was added", a, b, d); return m+ref+un == 0 })
	r.stop()
	if m, ref, un := say("Redis is down", a, b, d); m+ref+un != 0 {
		t.Error("without Redis something is missing")
	}
	path, _ := exec.LookPath("redis-server")
	r.start(path)
	await(t, func() bool { return count(t, a, "ZCARD", nodesKey) == 3 })
	if m, ref, un := say("Redis was restarted empty", a, b, d); m+ref+un != 0 || !sees(a, b, d)() {
		t.Error("after Redis was restarted something is missing")
	}
	b.end()
	await(t, sees(a, d))
	if m, ref, un := say("one has left in good order", a, d); m+ref+un != 0 {
		t.Error("what a node handed over is missing")
	}
	if !d.LostAt().IsZero() {
		t.Error("a node that handed over is taken for lost")
	}
}

// TestNewNodesAskBeforeTheySayNobody: a node that has just come owns keys whose holders
// it may not have been handed yet.
func TestNewNodesAskBeforeTheySayNobody(t *testing.T) {
	r := startRedis(t)
	a, b := startNode(t, r.addr), startNode(t, r.addr)
	await(t, sees(a, b))
	announceAll([]*node{a, b})
	now, rnd := time.Now(), rand.New(rand.NewPCG(1, 1))
	asked := 0
	for i := range keys {
		p := peerOf(i)
		key := storetest.Key(fmt.Sprint("page", i))
		if b.members.owner(key) != b.members.self {
			continue
		}
		b.local.Leave(now, p.ID(), now.Unix()) // as if it had not been handed over
		a.local.Announce(now, time.Hour, p.Announcer(now), []resource.Statement{p.State(fmt.Sprint("page", i), "object", now)})
		b.members.came = now
		if sw, err := b.Lookup(now, key, 10, rnd); err != nil || len(sw.Holders) != 1 || sw.Holders[0].ID != p.ID() {
			t.Fatalf("page%d: %+v, %v", i, sw, err)
		}
		b.members.came = now.Add(-time.Hour)
		if sw, err := b.Lookup(now, key, 10, rnd); err != nil || len(sw.Holders) != 0 {
			t.Fatalf("page%d, an old node: %+v, %v", i, sw, err)
		}
		asked++
	}
	if asked == 0 {
		t.Fatal("nothing is b's")
	}
}

// TestAnnouncementsThatComeToTheOldOwnerReachTheNewOne: a node whose list is older sends
// them to who has handed the key over already.
func TestAnnouncementsThatComeToTheOldOwnerReachTheNewOne(t *testing.T) {
	r := startRedis(t)
	a, b := startNode(t, r.addr), startNode(t, r.addr)
	await(t, sees(a, b))
	now, rnd, sent := time.Now(), rand.New(rand.NewPCG(1, 1)), 0
	b.members.came = now.Add(-time.Hour)
	for i := range 20 {
		p, key := peerOf(i), storetest.Key(fmt.Sprint("page", i))
		if a.members.owner(key) == a.members.self {
			continue
		}
		sent++
		if _, err := a.do(message{Do: "announce", Now: now, TTL: time.Hour, Announcer: p.Announcer(now), Items: []resource.Statement{p.State(fmt.Sprint("page", i), "object", now)}}); err != nil {
			t.Fatal(err)
		}
		if sw, err := b.local.Lookup(now, key, 10, rnd); err != nil || len(sw.Holders) != 1 {
			t.Errorf("page%d: %+v, %v", i, sw, err)
		}
	}
	if sent == 0 {
		t.Fatal("nothing is b's")
	}
}

func TestHotSamplesAreRemembered(t *testing.T) {
	r := startRedis(t)
	a, b := startNode(t, r.addr), startNode(t, r.addr)
	await(t, sees(a, b))
	announceAll([]*node{a})
	other := func() int { return int(b.local.Stats(time.Now()).Peers) }
	if other() == 0 {
		t.Fatal("nothing is b's")
	}
	now, rnd := time.Now(), rand.New(rand.NewPCG(1, 1))
	b.broken.Store(true)
	var key resource.Key
	for i := range keys {
		if key = storetest.Key(fmt.Sprint("page", i)); a.members.owner(key) != a.members.self {
			break
		}
	}
	if _, err := a.Lookup(now, key, 10, rnd); err == nil {
		t.Fatal("a node that fails is believed")
	}
	b.broken.Store(false)
	first, err := a.Lookup(now, key, 10, rnd)
	if err != nil || len(first.Holders) != 1 {
		t.Fatal(first, err)
	}
	b.broken.Store(true)
	if again, err := a.Lookup(now.Add(900*time.Millisecond), key, 10, rnd); err != nil || len(again.Holders) != 1 {
		t.Error("within a second:", again, err)
	}
	if _, err := a.Lookup(now.Add(1100*time.Millisecond), key, 10, rnd); err == nil {
		t.Error("after a second the sample still counts")
	}
}

func TestStrangersAreNoNodes(t *testing.T) {
	r := startRedis(t)
	a := startNode(t, r.addr)
	for name, change := range map[string]func(*http.Request){
		"unsigned": func(*http.Request) {},
		"wrong": func(r *http.Request) {
			r.Header.Set(nodeHeader, "00")
			r.Header.Set(timeHeader, fmt.Sprint(time.Now().Unix()))
		},
		"old": func(r *http.Request) {
			r.Header.Set(nodeHeader, a.sign("1700000000", []byte(`{"Do":"lookup"}`)))
			r.Header.Set(timeHeader, "1700000000")
		},
	} {
		req := httptest.NewRequest("POST", Path, bytes.NewReader([]byte(`{"Do":"lookup"}`)))
		change(req)
		w := httptest.NewRecorder()
		a.ServeHTTP(w, req)
		if w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	if a.Secret() == (tracker.Secret{}) {
		t.Error("there is no secret")
	}
}
