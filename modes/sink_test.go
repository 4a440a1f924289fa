package modes

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"nt/internal/testenv"
)

func TestRow43_RemoteName(t *testing.T) {
	good := map[string]string{
		"http://h/a/b.txt":        "b.txt",
		"http://h/b%20c.txt?x=/y": "b c.txt",
		"http://h/x;v=1":          "x;v=1",
		"http://h/%E4%B8%96.html": "世.html",
		"http://h/a.txt#../../x":  "a.txt",
	}
	for raw, want := range good {
		if got, err := remoteName(raw); err != nil || got != want {
			t.Errorf("remoteName(%q) = %q, %v, want %q", raw, got, err, want)
		}
	}
	for _, raw := range []string{
		"http://h", "http://h/", "http://h/a/", "http://h/..", "http://h/%2e%2e", "http://h/..%2f..%2fetc%2fpasswd", "http://h/a%5cb",
		"http://h/.bashrc", "http://h/%00", "http://h/a%0ab", "http://h/a%1b%5b", "http://h/%ff", "http://h/CON", "http://h/nul.txt", "http://h/com1.tar.gz",
		"http://h/c:x", "http://h/a.", "http://h/a%20", "http://h/%", "http://h/" + strings.Repeat("x", 201), "http://h/%E2%80%AEgnp.exe",
	} {
		if got, err := remoteName(raw); err == nil || exitOf(err) != ExitUsage {
			t.Errorf("remoteName(%q) = %q, %v, want a usage error", raw, got, err)
		}
	}
}

func FuzzRemoteName(f *testing.F) {
	f.Add("http://h/a/../b")
	f.Add("http://h/%2e%2e%2f")
	f.Fuzz(func(t *testing.T, raw string) {
		name, err := remoteName(raw)
		if err == nil && (name == "" || name != filepath.Base(name) || name[0] == '.' || !filepath.IsLocal(name)) {
			t.Fatalf("remoteName(%q) = %q", raw, name)
		}
	})
}

// fill runs a sink through one transfer.
func fill(t *testing.T, s sink, start int64, mark, content string) {
	t.Helper()
	if err := s.begin(start, mark); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(s, content); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(b)
}

func TestFileIsWholeOrAsItWas(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "f"), []byte("old"), 0o600)
	s, err := openFile(dir, "f", offset{}, true)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s, 0, `"v1"`, "half")
	if got := read(t, dir, "f"); got != "old" {
		t.Errorf("the file is %q while the new one is coming", got)
	}
	if !s.abort(true) || read(t, dir, "f") != "old" || read(t, dir, partName("f")) != "half" {
		t.Error("the part was not kept beside the old file")
	}

	s, err = openFile(dir, "f", offset{auto: true}, true)
	if err != nil {
		t.Fatal(err)
	}
	if n, mark := s.have(); n != 4 || mark != `"v1"` {
		t.Fatalf("have() = %d, %q, want 4 of the same version", n, mark)
	}
	fill(t, s, 4, `"v1"`, " and half")
	if err := s.commit(); err != nil || read(t, dir, "f") != "half and half" {
		t.Errorf("after going on: %q, %v", read(t, dir, "f"), err)
	}
	files, _ := os.ReadDir(dir)
	if len(files) != 1 {
		t.Errorf("%d files left, want the file alone", len(files))
	}
}

func TestGoingOnFromAFileOfAnotherProgram(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "f"), []byte("0123456789"), 0o600)
	s, err := openFile(dir, "f", offset{at: 4}, true)
	if err != nil {
		t.Fatal(err)
	}
	if n, mark := s.have(); n != 4 || mark != "" {
		t.Fatalf("have() = %d, %q", n, mark)
	}
	fill(t, s, 4, "", "xyz")
	if err := s.commit(); err != nil || read(t, dir, "f") != "0123xyz" {
		t.Errorf("got %q, %v", read(t, dir, "f"), err)
	}
	if _, err := openFile(dir, "f", offset{at: 8}, true); exitOf(err) != ExitFile {
		t.Errorf("-C behind the end gave %v", err)
	}
}

func TestRow43_NoWayOutOfTheDirectory(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("symbolic links need a privilege there")
	}
	outside := filepath.Join(t.TempDir(), "victim")
	os.WriteFile(outside, []byte("precious"), 0o600)
	for _, link := range []string{"f", partName("f"), markName("f")} {
		for _, target := range []string{outside, "inside"} {
			dir := t.TempDir()
			os.WriteFile(filepath.Join(dir, "inside"), []byte("precious"), 0o600)
			if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
				t.Fatal(err)
			}
			s, err := openFile(dir, "f", offset{}, false)
			if err == nil {
				if err = s.begin(0, `"v"`); err == nil {
					io.WriteString(s, "evil")
					err = s.commit()
				} else {
					s.abort(true)
				}
			}
			if got := read(t, filepath.Dir(outside), "victim") + read(t, dir, "inside"); got != "preciousprecious" {
				t.Errorf("%s -> %s: wrote through the link: %q (%v)", link, target, got, err)
			}
		}
	}
}

func TestTwoWritersOfOneFile(t *testing.T) {
	dir := t.TempDir()
	first, err := openFile(dir, "f", offset{}, true)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, first, 0, "", "first")
	second, err := openFile(dir, "f", offset{}, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.begin(0, ""); exitOf(err) != ExitFile {
		t.Errorf("the second writer got %v", err)
	}
	second.abort(true)
	if err := first.commit(); err != nil || read(t, dir, "f") != "first" {
		t.Errorf("got %q, %v", read(t, dir, "f"), err)
	}
}

func TestDeviceIsWrittenToAndNotReplaced(t *testing.T) {
	_, err := os.Stat("/dev/full")
	testenv.SkipUnless(t, err == nil, "no /dev/full here")
	s, err := openPath("/dev/full", offset{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = s.Write([]byte("x")); exitOf(err) != ExitFile {
		t.Errorf("writing to a full device gave %v", err)
	}
	s.abort(true)
}

func TestStreamHoldsBackTheEnd(t *testing.T) {
	var out bytes.Buffer
	s := &stream{w: &out, name: "out", hold: 8}
	for _, piece := range []string{"0123", "456789abcdef", "ghi"} {
		if _, err := io.WriteString(s, piece); err != nil {
			t.Fatal(err)
		}
	}
	if out.String() != "0123456789a" {
		t.Errorf("written before the end: %q", &out)
	}
	if err := s.commit(); err != nil || out.String() != "0123456789abcdefghi" {
		t.Errorf("got %q, %v", &out, err)
	}
}

func TestParseOffset(t *testing.T) {
	for in, want := range map[string]offset{"": {}, "-": {auto: true}, "0": {}, "7": {at: 7}, "9223372036854775807": {at: 1<<63 - 1}} {
		if got, err := parseOffset(in); err != nil || got != want {
			t.Errorf("parseOffset(%q) = %+v, %v", in, got, err)
		}
	}
	for _, in := range []string{"+1", "-1", "x", "1K", "9223372036854775808", " 1"} {
		if got, err := parseOffset(in); err == nil {
			t.Errorf("parseOffset(%q) = %+v", in, got)
		}
	}
}

func TestParseContentRange(t *testing.T) {
	for in, want := range map[string]contentRange{
		"bytes 0-4/5": {0, 4, 5}, "bytes 2-3/*": {2, 3, -1}, "bytes */10": {-1, -1, 10},
	} {
		if got, err := parseContentRange(in); err != nil || got != want {
			t.Errorf("parseContentRange(%q) = %+v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "bytes", "bytes 1-0/5", "bytes 0-5/5", "bytes -1-2/5", "items 0-1/2", "bytes 0-1", "bytes +1-2/3", "bytes 99999999999999999999-1/2"} {
		if got, err := parseContentRange(in); err == nil {
			t.Errorf("parseContentRange(%q) = %+v", in, got)
		}
	}
}

func FuzzParseContentRange(f *testing.F) {
	f.Add("bytes 0-4/5")
	f.Add("bytes */5")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := parseContentRange(s)
		if err == nil && (r.first > r.last || r.first < -1 || r.size >= 0 && r.last >= r.size) {
			t.Fatalf("parseContentRange(%q) = %+v", s, r)
		}
	})
}
