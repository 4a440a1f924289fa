package proxy

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

type closeWriter interface{ CloseWrite() error }

// connect opens a tunnel to the origin and leaves it untouched.
func (s *Server) connect(w http.ResponseWriter, r *http.Request) {
	host, portText, err := net.SplitHostPort(r.RequestURI)
	port, perr := strconv.ParseUint(portText, 10, 16)
	if err != nil || perr != nil || host == "" {
		s.refuse(w, r, &Refusal{Status: http.StatusBadRequest, Title: "CONNECT needs HOST:PORT"})
		return
	}
	if s.isSelf(host, uint16(port)) {
		s.refuse(w, r, loopRefusal())
		return
	}
	if !s.connectAllowed(uint16(port)) {
		s.refuse(w, r, &Refusal{Status: http.StatusForbidden, Title: "This proxy does not tunnel to port " + portText})
		return
	}
	if s.cfg.Intercept != nil {
		if conf := s.cfg.Intercept.Intercept(r.Context(), host, uint16(port)); conf != nil {
			s.intercept(w, r, host, uint16(port), conf)
			return
		}
	}
	up, err := s.cfg.Dial(r.Context(), "tcp", net.JoinHostPort(host, portText))
	if err != nil {
		s.refuse(w, r, s.passRefusal(r.RequestURI, err))
		return
	}
	s.splice(w, up, established)
}

// established answers a CONNECT.
var established = []byte("HTTP/1.1 200 Connection established\r\n\r\n")

// upgrade passes a request for another protocol on, and once the origin has
// switched, the bytes both ways.
func (s *Server) upgrade(w http.ResponseWriter, r, out *http.Request) {
	if r.ContentLength != 0 {
		s.refuse(w, r, &Refusal{Status: http.StatusBadRequest, Title: "An upgrade with a body is not forwarded"})
		return
	}
	out.Body = http.NoBody
	var conn net.Conn
	inform := &informer{w: w, r: r}
	res, err := s.fresh.RoundTrip(out.WithContext(httptrace.WithClientTrace(inform.trace(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { conn = info.Conn },
	})))
	inform.stop()
	if err != nil {
		s.refuse(w, r, s.passRefusal(out.URL.Host, err))
		return
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		s.write(w, r, res)
		return
	}
	body, ok := res.Body.(io.ReadWriteCloser)
	up := upgradeOf(res.Header)
	if !ok || up == "" {
		res.Body.Close()
		s.refuse(w, r, &Refusal{Title: "The origin switched protocols without saying to which"})
		return
	}
	s.splice(w, &upgraded{Conn: conn, body: body}, switching(res, up))
}

// upgraded is the connection to an origin that switched protocols: what net/http
// has read ahead, then the connection itself.
type upgraded struct {
	net.Conn
	body io.ReadWriteCloser
}

func (u *upgraded) Read(p []byte) (int, error)  { return u.body.Read(p) }
func (u *upgraded) Write(p []byte) (int, error) { return u.body.Write(p) }
func (u *upgraded) Close() error                { return u.body.Close() }

// CloseWrite passes the reader's half-close on.
func (u *upgraded) CloseWrite() error {
	if half, ok := u.Conn.(closeWriter); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// switching is the head of a 101.
func switching(res *http.Response, up string) []byte {
	h := res.Header.Clone()
	dropHopByHop(h)
	h["Connection"] = []string{"Upgrade"}
	h["Upgrade"] = []string{up}
	head := &headWriter{}
	io.WriteString(head, "HTTP/1.1 101 Switching Protocols\r\n")
	h.Write(head)
	io.WriteString(head, "\r\n")
	return head.b
}

type headWriter struct{ b []byte }

func (w *headWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}

// splice takes the reader's connection over, sends it hello and moves bytes both
// ways until both ends are done or neither sends any more.
func (s *Server) splice(w http.ResponseWriter, up net.Conn, hello []byte) {
	defer up.Close()
	plain, down, early, err := takeOver(w)
	if err != nil {
		s.cfg.Log.Error("taking a connection over", "err", err)
		panic(http.ErrAbortHandler)
	}
	defer down.Close()
	if !s.enter(down, up) {
		return
	}
	defer s.leave(down, up)
	if _, err := plain.Write(hello); err != nil {
		return
	}
	if len(early) > 0 {
		if _, err := up.Write(early); err != nil {
			return
		}
	}
	t := &tunnel{idle: s.cfg.TunnelTimeout, up: up, down: plain}
	t.run()
}

// takeOver takes the reader's connection from net/http: the plain connection to read and
// write, what to close, and what the reader has sent already.
func takeOver(w http.ResponseWriter) (plain net.Conn, down io.Closer, early []byte, err error) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, nil, err
	}
	if plain = conn; gateLike(conn) != nil {
		plain = gateLike(conn).hijacked()
	}
	early, err = buffered.Reader.Peek(buffered.Reader.Buffered())
	return plain, conn, early, err
}

func gateLike(c net.Conn) *gate {
	g, _ := c.(*gate)
	return g
}

// enter registers a tunnel for Shutdown; it refuses after that has begun.
func (s *Server) enter(ends ...io.Closer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	for _, c := range ends {
		s.tunnel[c] = struct{}{}
	}
	s.drain.Add(1)
	return true
}

func (s *Server) leave(ends ...io.Closer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range ends {
		delete(s.tunnel, c)
	}
	s.drain.Done()
}

// tunnel moves bytes between two ends.
type tunnel struct {
	idle     time.Duration
	up, down net.Conn
	last     atomic.Int64 // when bytes last moved in either direction, Unix nanoseconds
}

func (t *tunnel) run() {
	t.touch()
	var both sync.WaitGroup
	both.Go(func() { t.oneWay(t.up, t.down) })
	both.Go(func() { t.oneWay(t.down, t.up) })
	both.Wait()
}

// oneWay moves src's bytes to dst. The end of src is passed on as a half-close;
// a failure ends both ways, and so does silence of both for the idle time.
func (t *tunnel) oneWay(dst, src net.Conn) {
	buf := make([]byte, copyBufferBytes)
	for {
		src.SetReadDeadline(t.deadline())
		n, err := src.Read(buf)
		if n > 0 {
			dst.SetWriteDeadline(t.touch().Add(t.idle))
			if _, err := dst.Write(buf[:n]); err != nil {
				t.close()
				return
			}
			t.touch()
		}
		var late net.Error
		switch {
		case err == nil:
		case err == io.EOF && halfClose(dst):
			return
		case errors.As(err, &late) && late.Timeout() && time.Now().Before(t.deadline()): // the other way is busy
		default:
			t.close()
			return
		}
	}
}

func halfClose(c net.Conn) bool {
	half, ok := c.(closeWriter)
	return ok && half.CloseWrite() == nil
}

// touch notes that bytes move now.
func (t *tunnel) touch() time.Time {
	now := time.Now()
	t.last.Store(now.UnixNano())
	return now
}

// deadline is when the tunnel ends if no bytes move.
func (t *tunnel) deadline() time.Time { return time.Unix(0, t.last.Load()).Add(t.idle) }

func (t *tunnel) close() {
	t.up.Close()
	t.down.Close()
}
