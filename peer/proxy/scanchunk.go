package proxy

import (
	"errors"
	"fmt"
	"strings"
)

// chunkFrame checks the framing between chunks.
func (s *scanner) chunkFrame(b byte) error {
	switch s.state {
	case scanChunkSize:
		return s.chunkSize(b)
	case scanChunkExt:
		if b == '\r' {
			s.state = scanChunkSizeLF
			return nil
		}
		if s.line++; s.line > maxChunkLine || b < ' ' && b != '\t' || b == 0x7f {
			return fmt.Errorf("byte 0x%02x in a chunk extension", b)
		}
	case scanChunkSizeLF:
		if b != '\n' {
			return errors.New("CR without LF in a chunk size")
		}
		s.state = scanChunk
		if s.left == 0 {
			s.state, s.trailer = scanLine, true
		}
	case scanChunkCR:
		if b != '\r' {
			return errors.New("chunk longer than its size")
		}
		s.state = scanChunkLF
	case scanChunkLF:
		if b != '\n' {
			return errors.New("CR without LF after a chunk")
		}
		s.state, s.line, s.left = scanChunkSize, 0, 0
	}
	return nil
}

func (s *scanner) chunkSize(b byte) error {
	if s.line > 0 && b == '\r' {
		s.state = scanChunkSizeLF
		return nil
	}
	if s.line > 0 && b == ';' {
		s.state = scanChunkExt
		return nil
	}
	digit := strings.IndexByte("0123456789abcdef", b|0x20)
	if b < '0' || digit < 0 { // |0x20 maps control bytes 0x10-0x19 to digits
		return fmt.Errorf("byte 0x%02x in a chunk size", b)
	}
	if s.line++; s.line > maxChunkDigit {
		return errors.New("chunk size of too many digits")
	}
	s.left = s.left<<4 | int64(digit)
	return nil
}
