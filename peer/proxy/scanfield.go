package proxy

import (
	"errors"
	"fmt"
	"strings"
)

// field checks a byte of the field section of a head or of a trailer.
func (s *scanner) field(b byte) error {
	switch s.state {
	case scanLine:
		if b == '\r' {
			s.state = scanHeadLF
			return nil
		}
		s.name.reset()
		s.value.reset()
		s.state = scanName
		return s.nameByte(b) // a space here is obs-fold, and no token
	case scanName:
		return s.nameByte(b)
	case scanSpace:
		if b == ' ' || b == '\t' {
			return nil
		}
		s.state = scanValue
		return s.valueByte(b)
	case scanValue:
		return s.valueByte(b)
	case scanValueLF:
		if b != '\n' {
			return errors.New("CR without LF")
		}
		s.state = scanLine
		return s.endField()
	default: // scanHeadLF
		if b != '\n' {
			return errors.New("CR without LF")
		}
		return s.endHead()
	}
}

func (s *scanner) nameByte(b byte) error {
	if b == ':' && s.name.n > 0 {
		s.state = scanSpace
		s.interest = framing(s.name.bytes())
		return nil
	}
	if !tokenByte(b) {
		return fmt.Errorf("byte 0x%02x in a field name", b)
	}
	if 'A' <= b && b <= 'Z' {
		b += 'a' - 'A'
	}
	s.name.add(b)
	return nil
}

func (s *scanner) valueByte(b byte) error {
	if b == '\r' {
		s.state = scanValueLF
		return nil
	}
	if b < ' ' && b != '\t' || b == 0x7f {
		return fmt.Errorf("byte 0x%02x in a field value", b)
	}
	if s.interest {
		s.value.add(b)
	}
	return nil
}

// framing reports whether a field, in lower case, frames or routes a request.
func framing(name []byte) bool {
	switch string(name) {
	case "host", "content-length", "transfer-encoding":
		return true
	}
	return false
}

func tokenByte(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' ||
		b > ' ' && b < 0x7f && strings.IndexByte("!#$%&'*+-.^_`|~", b) >= 0
}
