package proxy

import (
	"bytes"
	"io"
	"time"
)

// readAhead is a body that was read already, and how that ended.
type readAhead struct {
	r   *bytes.Reader
	err error // nil: it ended well
	io.Closer
}

// Read returns what was read, then the error.
func (b *readAhead) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err == io.EOF && b.err != nil {
		err = b.err
	}
	return n, err
}

var headEnd = []byte("\r\n\r\n")

// wholeHead reports whether p, read at the start of a request, is exactly one head.
func wholeHead(p []byte) bool {
	return len(p) <= maxHotHead && bytes.HasPrefix(p, []byte("GET ")) && bytes.HasSuffix(p, headEnd) && bytes.Index(p, headEnd) == len(p)-len(headEnd)
}

// readHot reads the reader's next bytes, and answers requests it can answer from
// the hot tier by itself, until there is one that it cannot. It runs in net/http's
// place between two requests; a read of one byte is net/http's watch over a reader
// who may go away while he is being answered.
func (g *gate) readHot(p []byte) (int, error) {
	if g.hot == nil || len(p) == 1 || g.raw || !g.scan.atStart() {
		return g.Conn.Read(p)
	}
	g.head = nil
	answered := false
	for {
		n, err := g.Conn.Read(p)
		if err != nil || !wholeHead(p[:n]) {
			return n, g.resume(answered, err)
		}
		a := g.hot.get(p[:n])
		if a == nil {
			g.head = append([]byte(nil), p[:n]...) // before the scanner hides percents in it
			return n, g.resume(answered, nil)
		}
		if err := g.answer(a); err != nil {
			return 0, err
		}
		answered = true
		g.hot.sent.Add(a.body)
	}
}

// answer sends a hot answer, which Close does not cut.
func (g *gate) answer(a *hotAnswer) error {
	g.answering.Lock()
	defer g.answering.Unlock()
	if _, err := g.Write(a.data); err != nil {
		return err
	}
	if now := time.Now(); g.idleUntil.Sub(now) < g.idle*7/8 {
		g.idleUntil = now.Add(g.idle)
		return g.Conn.SetReadDeadline(g.idleUntil)
	}
	return nil
}

// resume restores, for net/http, the bound on the time that a head may take.
func (g *gate) resume(answered bool, err error) error {
	if answered && err == nil {
		g.idleUntil = time.Time{}
		return g.Conn.SetReadDeadline(time.Now().Add(g.headTime))
	}
	return err
}

// lingerAnswer is how long Close waits for a hot answer that is being sent.
const lingerAnswer = time.Second

// finish waits for a hot answer under way.
func (g *gate) finish() {
	if g.answering.TryLock() {
		g.answering.Unlock()
		return
	}
	g.Conn.SetWriteDeadline(time.Now().Add(lingerAnswer))
	g.answering.Lock()
	g.answering.Unlock()
}
