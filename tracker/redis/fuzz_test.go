package redis

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"nt/internal/resource"
	"nt/tracker/memory"
)

// FuzzNodeMessage lets a node that knows the secret say anything: the answer is one
// of the four, and nothing panics. Redis does not answer.
func FuzzNodeMessage(f *testing.F) {
	for _, do := range []string{"announce", "keep", "lookup", "peek", "report", "leave", "settle", ""} {
		f.Add([]byte(fmt.Sprintf(`{"Do":%q,"Now":"2026-01-01T00:00:00Z","N":3,"Items":[{}]}`, do)))
	}
	c := &Cluster{cfg: Config{Now: time.Now, Lives: time.Second, Log: slog.New(slog.DiscardHandler)}, members: newMembers("a:1", time.Now()),
		local: memory.New(memory.Config{}), loaded: map[resource.Key]time.Time{}, writes: make(chan write, 1),
		pool: &redis.Pool{Dial: func() (redis.Conn, error) { return nil, errors.New("down") }}}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest("POST", Path, bytes.NewReader(body))
		when := fmt.Sprint(time.Now().Unix())
		r.Header.Set(timeHeader, when)
		r.Header.Set(nodeHeader, c.sign(when, body))
		w := httptest.NewRecorder()
		c.ServeHTTP(w, r)
		if w.Code != 200 && w.Code != 400 && w.Code != 500 {
			t.Errorf("%d for %q", w.Code, body)
		}
	})
}
