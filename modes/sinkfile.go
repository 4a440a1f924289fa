package modes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// fileSink writes to .NAME.nt-part beside the file and renames it when the
// content is whole and safely on disk, so that the name never holds half a
// file. All names are resolved inside one directory (security row 43).
type fileSink struct {
	root *os.Root
	name string
	f    *os.File // the part; nil until begin, or when there was one to go on from
	at   int64    // bytes in it
	mark string
	from string // name of a file to go on from that is not the part
}

// partMark is the sidecar of a part: what its bytes belong to.
type partMark struct {
	Validator string `json:"validator"` // ETag or Last-Modified
}

func partName(name string) string { return "." + name + ".nt-part" }
func markName(name string) string { return "." + name + ".nt-part.json" }

// openFile prepares name in dir. With follow false nothing but a regular file is
// replaced.
func openFile(dir, name string, off offset, follow bool) (sink, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fileFault("opening the output directory", err)
	}
	s := &fileSink{root: root, name: name}
	if info, err := root.Lstat(name); err == nil && !follow && !info.Mode().IsRegular() {
		root.Close()
		return nil, &fault{ExitFile, fmt.Errorf("%s exists and is no regular file", name), "name another with -o"}
	}
	if off == (offset{}) {
		return s, nil
	}
	if err := s.resume(off); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// resume finds what there is to go on from: the part of an earlier attempt, else
// the file itself.
func (s *fileSink) resume(off offset) error {
	info, err := s.root.Lstat(partName(s.name))
	switch {
	case err == nil && info.Mode().IsRegular():
		if err := s.openPart(); err != nil {
			return err
		}
		s.at, s.mark = info.Size(), s.readMark()
	case err == nil || errors.Is(err, fs.ErrNotExist):
		if info, err = s.root.Lstat(s.name); err == nil && info.Mode().IsRegular() {
			s.at, s.from = info.Size(), s.name
		}
	default:
		return fileFault("looking for what is there", err)
	}
	if off.auto {
		return nil
	}
	if s.at < off.at {
		return &fault{ExitFile, fmt.Errorf("-C %d: there are only %d bytes of %s", off.at, s.at, s.name), "-C - goes on from what is there"}
	}
	s.at = off.at
	return nil
}

func (s *fileSink) have() (int64, string) { return s.at, s.mark }

// openPart opens and locks the part: a new file, or the regular file that an
// earlier attempt left. (os.Root follows links inside its directory, whatever
// the flags, so a link has to be told by looking.)
func (s *fileSink) openPart() error {
	name := partName(s.name)
	f, err := s.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		f, err = s.root.OpenFile(name, os.O_RDWR, 0)
	}
	if err != nil {
		return fileFault("opening the part file", err)
	}
	there, err := s.root.Lstat(name)
	opened, err2 := f.Stat()
	switch {
	case err != nil || err2 != nil || !there.Mode().IsRegular() || !os.SameFile(there, opened):
		err = &fault{ExitFile, fmt.Errorf("%s is in the way", name), "remove it, or choose another file with -o"}
	case lockFile(f) != nil:
		err = &fault{ExitFile, fmt.Errorf("%s is being written by another process", s.name), ""}
	}
	if err != nil {
		f.Close()
		return err
	}
	s.f = f
	return nil
}

func (s *fileSink) begin(start int64, mark string) error {
	if s.f == nil {
		if err := s.openPart(); err != nil {
			return err
		}
		if err := s.adopt(start); err != nil {
			return fileFault("copying what is there", err)
		}
	}
	if err := s.f.Truncate(start); err != nil {
		return fileFault("writing the part file", err)
	}
	if _, err := s.f.Seek(start, io.SeekStart); err != nil {
		return fileFault("writing the part file", err)
	}
	s.at = start
	if mark != "" || start == 0 {
		s.mark = mark
		return s.writeMark()
	}
	return nil
}

// adopt copies the first n bytes of the file that is there into the part.
func (s *fileSink) adopt(n int64) error {
	if n == 0 || s.from == "" {
		return nil
	}
	old, err := s.root.Open(s.from)
	if err != nil {
		return err
	}
	defer old.Close()
	if err := s.f.Truncate(0); err != nil {
		return err
	}
	_, err = io.CopyN(s.f, old, n)
	return err
}

func (s *fileSink) Write(p []byte) (int, error) {
	n, err := s.f.Write(p)
	s.at += int64(n)
	if err != nil {
		return n, fileFault("writing "+s.name, err)
	}
	return n, nil
}

func (s *fileSink) prefix(n int64) (io.Reader, error) { return io.NewSectionReader(s.f, 0, n), nil }

func (s *fileSink) commit() error {
	if s.f == nil {
		return s.close()
	}
	defer s.close()
	if err := s.f.Sync(); err != nil {
		return fileFault("writing "+s.name, err)
	}
	if err := s.root.Rename(partName(s.name), s.name); err != nil {
		return fileFault("putting the file in place", err)
	}
	s.root.Remove(markName(s.name))
	return syncDir(s.root)
}

func (s *fileSink) abort(keep bool) bool {
	defer s.close()
	if s.f == nil {
		return false
	}
	if keep && s.at > 0 {
		return true
	}
	s.root.Remove(partName(s.name))
	s.root.Remove(markName(s.name))
	return false
}

func (s *fileSink) close() error {
	if s.f != nil {
		s.f.Close()
	}
	return s.root.Close()
}

func (s *fileSink) readMark() string {
	b, err := s.root.ReadFile(markName(s.name))
	var m partMark
	if err != nil || json.Unmarshal(b, &m) != nil || !validFieldValue(m.Validator) {
		return ""
	}
	return m.Validator
}

func (s *fileSink) writeMark() error {
	b, err := json.Marshal(partMark{s.mark})
	if err != nil {
		return err
	}
	s.root.Remove(markName(s.name)) // never through a link that somebody put there
	f, err := s.root.OpenFile(markName(s.name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return fileFault("writing the part file", err)
	}
	if _, err = f.Write(b); err == nil {
		err = f.Close()
	} else {
		f.Close()
	}
	if err != nil {
		return fileFault("writing the part file", err)
	}
	return nil
}

// validFieldValue reports whether s can stand in a header field.
func validFieldValue(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return len(s) < 1<<10
}

// syncDir makes a rename last.
func syncDir(root *os.Root) error {
	d, err := root.Open(".")
	if err != nil {
		return fileFault("putting the file in place", err)
	}
	defer d.Close()
	d.Sync() // not every system can; the file itself is safe
	return nil
}
