package proxy

import (
	"errors"
	"fmt"
)

// errRefused reports bytes that no request of a well-behaved client contains.
// They are refused instead of repaired: what two parsers repair differently is
// what smuggling lives on (security row 27).
var errRefused = errors.New("proxy: refused request")

// Limits on what the scanner keeps of a head, in bytes. Longer names are of no
// interest to it; longer values of fields that are of interest are refused.
const (
	maxScanName   = 32
	maxScanValue  = 320 // a host name has at most 255
	maxChunkLine  = 256
	maxChunkDigit = 15
)

type scanState uint8

const (
	scanMethod scanState = iota
	scanTarget
	scanVersion
	scanVersionLF
	scanLine // at the start of a field line
	scanName
	scanSpace // between the colon and the value
	scanValue
	scanValueLF
	scanHeadLF
	// From here on the bytes belong to a body.
	scanBody
	scanChunkSize
	scanChunkExt
	scanChunkSizeLF
	scanChunk
	scanChunkCR
	scanChunkLF
	scanRaw // the rest of the connection is not HTTP
)

// scanner checks the requests of one connection as their bytes pass, before
// net/http sees them: net/http takes bare LF, obs-fold, Content-Length with
// Transfer-Encoding and a Host that disagrees with the target. It keeps a bounded
// part of each head and nothing of a body. The zero scanner stands at the start
// of a connection.
type scanner struct {
	state    scanState
	trailer  bool // the field lines belong to a trailer section
	left     int64
	line     int // bytes of the current chunk line
	slashes  int // in the target, a "?" behind the host among them
	method   capture
	target   capture
	version  capture
	name     capture
	value    capture
	host     string
	hosts    int
	length   int64
	sized    bool
	chunked  bool
	interest bool // the current field is one of those that frame or route
	inner    bool // inside a tunnel: targets are in origin-form
}

// capture keeps the beginning of an element and counts the rest.
type capture struct {
	b [maxScanValue]byte
	n int
}

func (c *capture) add(b byte) {
	if c.n < len(c.b) {
		c.b[c.n] = b
	}
	c.n++
}

func (c *capture) whole() bool      { return c.n <= len(c.b) }
func (c *capture) bytes() []byte    { return c.b[:min(c.n, len(c.b))] }
func (c *capture) string() string   { return string(c.bytes()) }
func (c *capture) is(s string) bool { return string(c.bytes()) == s } // does not allocate
func (c *capture) reset()           { c.n = 0 }

// atStart reports whether the next byte is the first of a request.
func (s *scanner) atStart() bool { return s.state == scanMethod && s.method.n == 0 }

// inHead reports whether the next byte belongs to a request's head.
func (s *scanner) inHead() bool { return s.state < scanBody && !s.trailer }

// scan checks the next bytes of the connection. It returns how many of them are
// good; if that is not all, the error says what is wrong with the next one and
// wraps errRefused.
func (s *scanner) scan(p []byte) (int, error) {
	for i := 0; i < len(p); {
		switch s.state {
		case scanRaw:
			return len(p), nil
		case scanBody, scanChunk:
			i += s.skip(len(p) - i)
			continue
		case scanValue:
			if !s.interest { // most bytes of a head: do not step through them
				i += plainPrefix(p[i:])
			}
			if i == len(p) {
				return i, nil
			}
		case scanTarget:
			if p[i] == hiddenPercent {
				return i, fmt.Errorf("%w: byte 0x%02x in the request target", errRefused, p[i])
			}
			if p[i] == '%' && s.inPath() {
				p[i] = hiddenPercent
			}
		}
		if err := s.step(p[i]); err != nil {
			return i, fmt.Errorf("%w: %w", errRefused, err)
		}
		i++
	}
	return len(p), nil
}

// hiddenPercent stands for "%" in the path and query of an absolute-form target
// on the way through net/http, which refuses a "%" that begins no escape, as in
// "/100%". Browsers send that, and origins may answer it (N5). The byte is in no
// UTF-8 text.
const hiddenPercent = 0xff

// inPath reports whether the target so far is in absolute form and past its host.
func (s *scanner) inPath() bool {
	if s.inner {
		return s.slashes > 0 && s.target.b[0] == '/'
	}
	return s.slashes > 2 && s.target.b[0] != '/'
}

// plainPrefix returns how many bytes at the start of p may be in a field's value.
func plainPrefix(p []byte) int {
	for i, b := range p {
		if b < ' ' && b != '\t' || b == 0x7f {
			return i
		}
	}
	return len(p)
}

// skip passes up to n bytes of a body.
func (s *scanner) skip(n int) int {
	if int64(n) >= s.left {
		n = int(s.left)
	}
	s.left -= int64(n)
	if s.left > 0 {
		return n
	}
	if s.state == scanChunk {
		s.state = scanChunkCR
	} else {
		s.next()
	}
	return n
}

// next stands at the start of the next request.
func (s *scanner) next() {
	s.state, s.trailer = scanMethod, false
	s.method.reset()
	s.target.reset()
	s.version.reset()
	s.host, s.hosts, s.slashes = "", 0, 0
	s.length, s.sized, s.chunked = 0, false, false
}

func (s *scanner) step(b byte) error {
	switch {
	case s.state <= scanVersionLF:
		return s.requestLine(b)
	case s.state < scanBody:
		return s.field(b)
	default:
		return s.chunkFrame(b)
	}
}

// requestLine checks a byte of METHOD SP TARGET SP VERSION CR LF.
func (s *scanner) requestLine(b byte) error {
	switch s.state {
	case scanMethod:
		if b == ' ' && s.method.n > 0 {
			s.state = scanTarget
			return nil
		}
		if !tokenByte(b) || s.method.n >= maxScanName {
			return fmt.Errorf("byte 0x%02x in the method", b)
		}
		s.method.add(b)
	case scanTarget:
		if b == ' ' && s.target.n > 0 {
			s.state = scanVersion
			return nil
		}
		if b <= ' ' || b == 0x7f {
			return fmt.Errorf("byte 0x%02x in the request target", b)
		}
		if b == '/' || b == '?' && s.slashes > 1 {
			s.slashes++
		}
		s.target.add(b)
	case scanVersion:
		return s.versionByte(b)
	case scanVersionLF:
		if b != '\n' {
			return errors.New("CR without LF")
		}
		s.state = scanLine
	}
	return nil
}

func (s *scanner) versionByte(b byte) error {
	if b == '\r' {
		if !s.version.is("HTTP/1.1") && !s.version.is("HTTP/1.0") {
			return fmt.Errorf("version %q", s.version.bytes())
		}
		s.state = scanVersionLF
		return nil
	}
	if s.version.n >= len("HTTP/1.1") || b <= ' ' || b >= 0x7f {
		return fmt.Errorf("byte 0x%02x in the version", b)
	}
	s.version.add(b)
	return nil
}
