package proxy

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// deadlines is a ResponseWriter that remembers the read deadline set last.
type deadlines struct {
	http.ResponseWriter
	last time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error { d.last = t; return nil }

// duringRead is a body during whose Read something else happens.
type duringRead func() (int, error)

func (f duringRead) Read([]byte) (int, error) { return f() }
func (duringRead) Close() error               { return nil }

// TestUploadLetsGo: when the handler ends while the last of the body is still being read, the deadline
// by which net/http ends its watch over the connection stays. Taken back, an answer that broke
// off would reach the reader only when he gave up.
func TestUploadLetsGo(t *testing.T) {
	d := &deadlines{ResponseWriter: httptest.NewRecorder()}
	past := time.Unix(7, 0)
	u := &upload{stall: time.Minute, rc: http.NewResponseController(d)}
	u.body = duringRead(func() (int, error) {
		u.stop()
		d.SetReadDeadline(past) // net/http
		return 0, io.EOF
	})
	if u.Read(nil); !d.last.Equal(past) {
		t.Errorf("the deadline is %v", d.last)
	}
	u.body = duringRead(func() (int, error) { return 1, nil })
	if u.Read(nil); !d.last.Equal(past) {
		t.Errorf("after the handler the deadline is %v", d.last)
	}
}
