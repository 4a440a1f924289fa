package peer

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"nt/internal/resource"
	"nt/peer/trust"
)

// Two readers of two faces of one notary find it out, as soon as one of them asks the other.
func TestGossipFindsAnEquivocatingNotary(t *testing.T) {
	a, b := newRig(t), (*rig)(nil)
	url := deadURL(t) + "/k"
	at := time.Now().Add(-time.Hour).Unix()
	tell := func(r *rig, body string) resource.Statement {
		s := r.publish(url, []byte(body), nil, testKey(9))
		f := r.locator.found[s.Key]
		s.ObservedAt = at
		s = s.Sign(testKey(9))
		f.Evidence[0].Statement = s
		r.locator.found[s.Key] = f
		return s
	}
	tell(a, "what a is told")
	a.mustGet(url, []byte("what a is told"), SourcePeers)
	a.settle()
	asked := 0
	b = newRig(t, func(c *Config) {
		c.Gossip = func(_ context.Context, _ netip.AddrPort, question []byte) ([]byte, error) {
			asked++
			if strings.Contains(string(question), mustURL(t, url).Key().String()) {
				t.Error("the question names the key")
			}
			return a.node.AnswerGossip(question)
		}
	})
	tell(b, "what b is told")
	b.mustGet(url, []byte("what b is told"), SourcePeers)
	b.settle()
	if asked != 1 {
		t.Fatalf("%d questions", asked)
	}
	liars := b.cfg.Cache.Liars()
	file := liars[witnessOf(testKey(9))]
	if len(liars) != 1 || file == "" {
		t.Fatalf("%v", liars)
	}
	if _, err := b.get(url); err == nil || !strings.Contains(err.Error(), "unverified") {
		t.Errorf("it is believed still: %v", err)
	}
	again := NewNode(b.cfg) // after a restart, too
	defer again.Close()
	if again.said.proof(witnessOf(testKey(9))) != file {
		t.Error("forgotten")
	}
	if err := os.WriteFile(file, []byte("[]"), 0o600); err != nil {
		t.Fatal(err)
	}
	if len(b.cfg.Cache.Liars()) != 0 {
		t.Error("a file that proves nothing counts")
	}
}

// What is not shared is not talked about, and who does not ask for a key by its salted name hears
// nothing of it.
func TestGossipTellsOnlyWhatIsShared(t *testing.T) {
	for _, c := range []struct {
		name   string
		share  bool
		forget bool
		want   int
	}{{"shared", true, false, 1}, {"not shared", false, false, 0}, {"forgotten", true, true, 0}} {
		r := newRig(t, func(cfg *Config) { cfg.Sharing.Enabled = c.share })
		url := deadURL(t) + "/k"
		r.publish(url, []byte("page"), nil, testKey(9))
		r.mustGet(url, []byte("page"), SourcePeers)
		r.settle()
		if c.forget {
			r.node.Forget(mustURL(t, url))
		}
		nonce := make([]byte, saidNonce)
		for key, want := range map[resource.Key]int{mustURL(t, url).Key(): c.want, {1}: 0} {
			q, _ := json.Marshal(saidQuestion{Nonce: "00000000000000000000000000000000", Keys: []string{salted(nonce, key)}})
			b, err := r.node.AnswerGossip(q)
			var a saidAnswer
			if err != nil || json.Unmarshal(b, &a) != nil || len(a.Statements) != want {
				t.Errorf("%s: %s, %v; want %d", c.name, b, err, want)
			}
		}
	}
}

func TestEquivocates(t *testing.T) {
	base := resource.Statement{Key: resource.Key{1}, Object: [32]byte{1}, Status: 200, ObservedAt: 100, Header: http.Header{"Content-Type": {"text/html"}}}
	for name, c := range map[string]struct {
		change func(*resource.Statement)
		want   bool
	}{
		"other content": {func(s *resource.Statement) { s.Object[0]++ }, true},
		"other type":    {func(s *resource.Statement) { s.Header = http.Header{"Content-Type": {"text/plain"}} }, true},
		"the same":      {func(*resource.Statement) {}, false},
		"a second on":   {func(s *resource.Statement) { s.Object[0]++; s.ObservedAt++ }, false},
		"another page":  {func(s *resource.Statement) { s.Object[0]++; s.Key[0]++ }, false},
		"encoded":       {func(s *resource.Statement) { s.Object[0]++; s.Header = http.Header{"Content-Encoding": {"gzip"}} }, false},
	} {
		other := base
		c.change(&other)
		if got := trust.Equivocates(base.Sign(testKey(1)), other.Sign(testKey(1))); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		if trust.Equivocates(base.Sign(testKey(1)), other.Sign(testKey(2))) {
			t.Errorf("%s: two witnesses contradict each other, not themselves", name)
		}
	}
}

// What places in a log prove, whatever the seconds.
func TestEquivocatesByPlace(t *testing.T) {
	say := func(object, page byte, at int64, place resource.Place) resource.Statement {
		return resource.Statement{Key: resource.Key{page}, Object: [32]byte{object}, Status: 200, ObservedAt: at, Place: place}.Sign(testKey(1))
	}
	first := say(1, 1, 100, resource.Place{Log: 90, Seq: 1})
	second := say(1, 1, 200, resource.Place{Log: 90, Seq: 2, Prev: first.Digest()})
	for name, c := range map[string]struct {
		a, b resource.Statement
		want bool
	}{
		"one after the other":              {first, second, false},
		"two first ones":                   {first, say(2, 1, 3000, resource.Place{Log: 90, Seq: 1}), true},
		"the same content twice first":     {first, say(1, 1, 101, resource.Place{Log: 90, Seq: 1}), true},
		"a second one after another first": {first, say(2, 1, 200, resource.Place{Log: 90, Seq: 2, Prev: resource.Digest{7}}), true},
		"with a gap":                       {first, say(2, 1, 300, resource.Place{Log: 90, Seq: 3, Prev: second.Digest()}), false},
		"with a gap, and earlier":          {second, say(2, 1, 150, resource.Place{Log: 90, Seq: 4, Prev: resource.Digest{7}}), true},
		"another page":                     {first, say(2, 2, 95, resource.Place{Log: 90, Seq: 1}), false},
		"the next log":                     {second, say(2, 1, 201, resource.Place{Log: 201, Seq: 1}), false},
		"a log beside the log":             {second, say(2, 1, 300, resource.Place{Log: 150, Seq: 1}), true},
		"beside it, about another page":    {second, say(2, 2, 300, resource.Place{Log: 150, Seq: 1}), true},
		"before there were logs":           {first, say(2, 1, 80, resource.Place{}), false},
		"without a place, later":           {first, say(2, 2, 500, resource.Place{}), true},
	} {
		if got, back := trust.Equivocates(c.a, c.b), trust.Equivocates(c.b, c.a); got != c.want || back != c.want {
			t.Errorf("%s: %v, %v", name, got, back)
		}
	}
}

func TestSaidIsBounded(t *testing.T) {
	var s said
	for n := range 3 * maxSaid {
		s.hear(resource.Statement{ObservedAt: int64(n), Signature: resource.Signature{byte(n), byte(n >> 8)}})
	}
	got := s.latest(2)
	if len(s.list) != maxSaid || len(s.known) != maxSaid || got[0].ObservedAt != 3*maxSaid-1 || got[1].ObservedAt != 3*maxSaid-2 {
		t.Errorf("%d, %d, %d", len(s.list), len(s.known), got[0].ObservedAt)
	}
}

func FuzzGossip(f *testing.F) {
	f.Add([]byte(`{"nonce":"00000000000000000000000000000000","keys":["aa"]}`))
	f.Add([]byte(`{"statements":[{"key":"00"}]}`))
	n := NewNode(Config{})
	defer n.Close()
	f.Fuzz(func(t *testing.T, b []byte) {
		if answer, err := n.AnswerGossip(b); err == nil && len(answer) > MaxSaidBytes {
			t.Fatal("a long answer")
		}
		var a saidAnswer
		if decodeSaid(b, &a) == nil {
			n.hear(map[resource.WitnessKey]string{{}: "x"}, a.Statements)
		}
	})
}
