package notary

import (
	"net/http"
	"testing"

	"nt/internal/resource"
)

func TestNoTwoContentsInOneSecond(t *testing.T) {
	var in instants
	st := func(object, key byte, at int64, encoding string) resource.Statement {
		return resource.Statement{Key: resource.Key{key}, Object: [32]byte{object}, ObservedAt: at, Header: http.Header{"Content-Encoding": {encoding}, "Etag": {"x"}}}
	}
	for i, c := range []struct {
		st   resource.Statement
		want int64
	}{
		{st(1, 1, 100, ""), 100}, {st(1, 1, 100, ""), 100}, {st(2, 1, 100, ""), 101}, {st(3, 1, 100, ""), 102}, {st(2, 1, 101, ""), 101},
		{st(2, 2, 100, ""), 100}, {st(2, 1, 100, "gzip"), 100}, {st(1, 1, 102, ""), 103},
	} {
		if got := in.place(c.st).ObservedAt; got != c.want {
			t.Errorf("%d: at %d, want %d", i, got, c.want)
		}
	}
	for n := range 3 * maxInstants {
		in.place(st(1, 3, int64(n), ""))
	}
	if len(in.now)+len(in.past) > 2*maxInstants {
		t.Errorf("%d seconds are remembered", len(in.now)+len(in.past))
	}
	if got := in.place(st(2, 3, 3*maxInstants-1, "")).ObservedAt; got != 3*maxInstants {
		t.Errorf("at %d", got)
	}
}
