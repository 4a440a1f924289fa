package modes

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"nt/peer"
)

// shedMode is --shed.
type shedMode string

const (
	shedAuto   shedMode = "auto"
	shedAlways shedMode = "always"
	shedNever  shedMode = "never"
)

// When auto begins to shed, and when it ends: above the one bound, until it has been below the
// other for shedCalm.
const (
	shedFrom, shedUntil         = 32, 8    // answers being sent at a time
	shedFromRate, shedUntilRate = 0.8, 0.4 // of --uplink, over a second
	shedCalm                    = 5 * time.Second
)

// load is what a site's web server has to do, and whether that is too much. It is pure: every
// method takes the time.
type load struct {
	mode   shedMode
	uplink float64 // bytes per second; 0: not known

	sending  int
	second   time.Time // of sent
	sent     float64   // bytes in it
	last     float64   // bytes in the one before
	shedding bool
	calm     time.Time // when it was last above the lower bound
}

// begin and end say that an answer is being sent.
func (l *load) begin(now time.Time) { l.sending++; l.judge(now) }
func (l *load) end(now time.Time)   { l.sending--; l.judge(now) }

// wrote says that n bytes of it have left.
func (l *load) wrote(now time.Time, n int) {
	l.turn(now)
	l.sent += float64(n)
	l.judge(now)
}

// sheds reports whether readers who can are to serve each other.
func (l *load) sheds(now time.Time) bool {
	l.judge(now)
	return l.mode == shedAlways || l.mode == shedAuto && l.shedding
}

// turn begins a new second if it is time to.
func (l *load) turn(now time.Time) {
	switch gone := now.Sub(l.second); {
	case gone < time.Second:
		return
	case gone < 2*time.Second:
		l.last = l.sent
	default:
		l.last = 0
	}
	l.second, l.sent = now, 0
}

func (l *load) judge(now time.Time) {
	l.turn(now)
	rate := max(l.last, l.sent)
	above := func(sending int, share float64) bool {
		return l.sending >= sending || l.uplink > 0 && rate >= share*l.uplink
	}
	switch {
	case above(shedFrom, shedFromRate):
		l.shedding, l.calm = true, now
	case above(shedUntil, shedUntilRate):
		l.calm = now
	case now.Sub(l.calm) >= shedCalm:
		l.shedding = false
	}
}

// shedder is a site's web server that, when it is busy, has readers who run nt get its files from
// each other. It never turns away whoever cannot: a browser, a program, a reader that found no copy.
type shedder struct {
	next  http.Handler
	ready func() bool // readers can find each other
	// version returns the entity tag of the file that a path names, "" if there is none.
	version func(path string) string
	now     func() time.Time

	mu   sync.Mutex
	load load
}

// ServeHTTP implements http.Handler.
func (s *shedder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if tag := s.version(r.URL.Path); tag != "" && r.Method == http.MethodGet && canShare(r.Header) && s.ready() && s.sheds() {
		h := w.Header()
		h.Set(peer.FieldShed, tag)
		h.Set("Cache-Control", "no-store")
		h.Set("Retry-After", "1")
		http.Error(w, "this site is busy; its readers serve each other", http.StatusServiceUnavailable)
		return
	}
	s.during((*load).begin)
	defer s.during((*load).end)
	s.next.ServeHTTP(&meteredWriter{w, s}, r)
}

func (s *shedder) sheds() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.load.sheds(s.now())
}

func (s *shedder) during(what func(*load, time.Time)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	what(&s.load, s.now())
}

func (s *shedder) wrote(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.load.wrote(s.now(), n)
}

// canShare reports whether a request comes from nt, which gets a file from others when it is told
// to: nt fetch names itself, and nt's proxy in Via. Who asks for the site itself gets it.
func canShare(h http.Header) bool {
	if h.Get(peer.FieldShed) != "" {
		return false
	}
	if strings.HasPrefix(h.Get("User-Agent"), "nt/") {
		return true
	}
	for _, line := range h["Via"] {
		for via := range strings.SplitSeq(line, ",") {
			if f := strings.Fields(via); len(f) > 1 && strings.HasPrefix(f[1], "nt-") {
				return true
			}
		}
	}
	return false
}

// meteredWriter tells the shedder what leaves.
type meteredWriter struct {
	http.ResponseWriter
	to *shedder
}

// Unwrap lets http.ResponseController reach the connection.
func (w *meteredWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write implements io.Writer.
func (w *meteredWriter) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.to.wrote(n)
	return n, err
}

// meterBlock is how much of a file leaves between two looks, in bytes.
const meterBlock = 256 << 10

// ReadFrom implements io.ReaderFrom, so that files still leave by sendfile.
func (w *meteredWriter) ReadFrom(r io.Reader) (total int64, err error) {
	for {
		n, err := io.CopyN(w.ResponseWriter, r, meterBlock)
		w.to.wrote(int(n))
		if total += n; err != nil {
			if err == io.EOF {
				err = nil
			}
			return total, err
		}
	}
}
