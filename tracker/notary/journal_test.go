package notary

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"pgregory.net/rapid"

	"nt/internal/resource"
	"nt/peer/trust"
)

// paper is a ledger that survives what it is given to.
type paper struct {
	until  int64
	broken bool
}

func (p *paper) Open(context.Context) (int64, error) { return p.until, nil }
func (p *paper) Close() error                        { return nil }
func (p *paper) Reserve(until int64) error {
	if p.broken {
		return errors.New("disk full")
	}
	p.until = until
	return nil
}

func seen(object, page byte, at time.Time, encoding string) resource.Statement {
	return resource.Statement{Key: resource.Key{page}, Object: [32]byte{object}, Status: 200, ObservedAt: at.Unix(),
		Header: http.Header{"Content-Encoding": {encoding}, "Etag": {"x"}}}
}

func TestStatementsAreAChain(t *testing.T) {
	j := &journal{key: key(9)}
	var last resource.Statement
	for i, c := range []struct {
		object, page byte
		encoding     string
		after        time.Duration // since the start
		at           time.Duration // what it is dated
		seq          uint32
	}{
		{1, 1, "", 0, 0, 1}, {1, 1, "", 0, 0, 2}, {2, 1, "", 0, time.Second, 3}, {3, 1, "", time.Second, 2 * time.Second, 4},
		{2, 2, "", 0, 0, 1}, {2, 1, "gzip", 0, 0, 1}, {3, 1, "", 10 * time.Second, 10 * time.Second, 5}, {3, 1, "", 5 * time.Second, 10 * time.Second, 6},
	} {
		st, err := j.sign(start.Add(c.after), seen(c.object, c.page, start.Add(c.after), c.encoding))
		if err != nil || st.Verify() != nil || st.Place.Seq != c.seq || st.Place.Log != start.Unix() || st.ObservedAt != start.Add(c.at).Unix() {
			t.Fatalf("%d: %+v at %d, %v", i, st.Place, st.ObservedAt-start.Unix(), err)
		}
		if c.page == 1 && c.encoding == "" {
			if c.seq > 1 && st.Place.Prev != last.Digest() {
				t.Errorf("%d names another one as the one before", i)
			}
			last = st
		}
	}
}

func TestALogBeginsAnew(t *testing.T) {
	j := &journal{key: key(9)}
	sign := func(page int) resource.Statement {
		st, err := j.sign(start, resource.Statement{Key: resource.Key{byte(page)}, Status: 200, ObservedAt: start.Unix()})
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	sign(0)
	for i := range maxChains - 1 {
		j.chains[chain{key: resource.Key{0, byte(i), byte(i >> 8), 1}}] = link{}
	}
	if st := sign(0); st.Place.Seq != 2 || st.Place.Log != start.Unix() {
		t.Errorf("what is known goes on as %+v", st.Place)
	}
	if st := sign(1); st.Place.Seq != 1 || st.Place.Log != start.Unix()+1 || st.ObservedAt != st.Place.Log {
		t.Errorf("the new log: %+v at %d", st.Place, st.ObservedAt)
	}
	if len(j.chains) != 1 {
		t.Errorf("%d chains are remembered", len(j.chains))
	}
}

func TestAClockThatIsSetBack(t *testing.T) {
	p := &paper{until: start.Add(time.Hour).Unix()}
	j := &journal{key: key(9), ledger: p}
	if err := j.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st, err := j.sign(start, seen(1, 1, start, "")); !errors.Is(err, errNotKept) {
		t.Errorf("signed %+v, %v", st, err)
	}
	later := start.Add(time.Hour)
	if st, err := j.sign(later, seen(1, 1, later, "")); err != nil || st.ObservedAt != later.Unix()+1 {
		t.Errorf("%+v, %v", st, err)
	}
	p.broken = true
	later = later.Add(time.Minute)
	if _, err := j.sign(later, seen(1, 1, later, "")); !errors.Is(err, errNotKept) {
		t.Errorf("signed without a ledger: %v", err)
	}
}

// Whatever pages do, however often it is killed or ended and its clock is set, an honest notary
// never says two things that prove it a liar.
func TestAnHonestNotaryNeverEquivocates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now, p := start, &paper{}
		var all []resource.Statement
		j := &journal{key: key(9), ledger: p}
		restart := func() {
			j = &journal{key: key(9), ledger: p}
			j.open(context.Background())
		}
		restart()
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"look", "look", "look", "wait", "kill", "end", "clock"}).Draw(t, "step") {
			case "look":
				encoding := rapid.SampledFrom([]string{"", "gzip"}).Draw(t, "encoding")
				st, err := j.sign(now, seen(rapid.Byte().Draw(t, "object")%3, rapid.Byte().Draw(t, "page")%2, now, encoding))
				if err == nil {
					all = append(all, st)
				}
			case "wait":
				now = now.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "seconds")) * time.Second)
			case "kill":
				restart()
			case "end":
				j.close()
				restart()
			case "clock":
				now = now.Add(time.Duration(rapid.IntRange(-400, 400).Draw(t, "set by")) * time.Second)
			}
		}
		for i, a := range all {
			if err := a.Verify(); err != nil {
				t.Fatal(err)
			}
			for _, b := range all[:i] {
				if trust.Equivocates(a, b) || trust.Equivocates(b, a) {
					t.Fatalf("%+v at %d contradicts %+v at %d", a.Place, a.ObservedAt, b.Place, b.ObservedAt)
				}
			}
		}
	})
}
