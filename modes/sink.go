package modes

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// sink is a place for content. One goroutine uses it; commit or abort ends it.
type sink interface {
	// have returns how much of the content is there, and what it was part of ("" is
	// not known).
	have() (n int64, mark string)
	// begin takes content from offset start on, dropping what is there behind it.
	begin(start int64, mark string) error
	// Write wraps ExitFile errors.
	Write(p []byte) (int, error)
	// prefix returns the first n bytes, or nil if they are elsewhere.
	prefix(n int64) (io.Reader, error)
	// commit puts the whole in place.
	commit() error
	// abort leaves the place as it was; with keep, what came stays for a later
	// attempt. It reports whether something did.
	abort(keep bool) (kept bool)
}

// openSink opens what the flags ask for.
func (t *transfer) openSink(raw string) (sink, error) {
	off, err := parseOffset(t.cmd.ContinueAt)
	if err != nil {
		return nil, usagef("", "-C: %w", err)
	}
	if t.cmd.RemoteName {
		name, err := remoteName(raw)
		if err != nil {
			return nil, err
		}
		return openFile(t.dirOr("."), name, off, false)
	}
	if t.cmd.Output == "" || t.cmd.Output == "-" {
		return t.stdoutSink(off)
	}
	path := t.cmd.Output
	if !filepath.IsAbs(path) {
		path = filepath.Join(t.dirOr(""), path)
	}
	return openPath(path, off)
}

func (t *transfer) dirOr(other string) string {
	if t.cmd.OutputDir != "" {
		return t.cmd.OutputDir
	}
	return other
}

// stdoutSink returns standard output, or nothing when --json has it.
func (t *transfer) stdoutSink(off offset) (sink, error) {
	if t.cmd.Checksum.set && off.at > 0 {
		return nil, usagef("write to a file with -o", "--checksum needs all bytes, -C %d to standard output leaves some out", off.at)
	}
	w := t.app.stdout
	if t.cmd.JSON {
		w = io.Discard
	}
	s := &stream{w: w, name: "standard output", at: off.at}
	if t.cmd.Checksum.set {
		s.hold = copyBlock
	}
	return s, nil
}

// openPath opens -o FILE. What is no regular file (a device, a pipe) is written
// to directly; a symbolic link leads to the file it names, as the user asked.
func openPath(path string, off offset) (sink, error) {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		return nil, &fault{ExitFile, fmt.Errorf("%s is a directory", path), "use --output-dir with -O"}
	}
	if err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return nil, fileFault("opening the output", err)
		}
		return &stream{w: f, close: f.Close, name: path, at: off.at}, nil
	}
	if err == nil {
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return nil, fileFault("opening the output", err)
		}
	}
	return openFile(filepath.Dir(path), filepath.Base(path), off, true)
}

// stream is a sink that cannot take anything back.
type stream struct {
	w     io.Writer
	close func() error
	name  string
	at    int64  // offset of the next byte
	hold  int    // so many bytes are held back until commit
	held  []byte // not yet written
}

func (s *stream) have() (int64, string) { return s.at, "" }

func (s *stream) begin(start int64, _ string) error {
	if start != s.at {
		return &fault{ExitProtocol, fmt.Errorf("the server starts at byte %d again, and %s has had %d", start, s.name, s.at), "write to a file with -o"}
	}
	return nil
}

// Write writes through, but for the bytes held back.
func (s *stream) Write(p []byte) (int, error) {
	s.at += int64(len(p))
	if s.hold == 0 {
		return s.write(p)
	}
	s.held = append(s.held, p...)
	if ready := len(s.held) - s.hold; ready > 0 {
		if _, err := s.write(s.held[:ready]); err != nil {
			return 0, err
		}
		s.held = append(s.held[:0], s.held[ready:]...)
	}
	return len(p), nil
}

func (s *stream) write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return n, fileFault("writing to "+s.name, err)
	}
	return n, nil
}

func (s *stream) prefix(int64) (io.Reader, error) { return nil, nil }

func (s *stream) commit() error {
	var err error
	if len(s.held) > 0 {
		_, err = s.write(s.held)
	}
	if s.close != nil {
		if closeErr := s.close(); err == nil && closeErr != nil {
			err = fileFault("writing to "+s.name, closeErr)
		}
	}
	return err
}

func (s *stream) abort(bool) bool {
	if s.close != nil {
		s.close()
	}
	return false
}

// fileFault is the error of a file, with a hint for the usual reasons.
func fileFault(doing string, err error) error {
	hint := ""
	switch {
	case errors.Is(err, syscall.ENOSPC):
		hint = "make room, then go on with -C -"
	case errors.Is(err, fs.ErrPermission):
		hint = "choose another file with -o"
	}
	return &fault{ExitFile, fmt.Errorf("%s: %w", doing, err), hint}
}
