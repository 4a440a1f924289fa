package modes

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestIdentityIsMadeOnceByManyAtATime(t *testing.T) {
	dir := t.TempDir()
	env := environ{"XDG_STATE_HOME": dir}
	const n = 16
	keys := make([]string, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			key, err := env.identity("key")
			if err != nil {
				t.Error(err)
				return
			}
			keys[i] = keyHex(key)
		})
	}
	wg.Wait()
	for _, k := range keys {
		if k != keys[0] {
			t.Fatalf("two identities: %s and %s", k, keys[0])
		}
	}
	files, _ := os.ReadDir(filepath.Join(dir, "nt"))
	if len(files) != 1 {
		t.Errorf("%d files in the state directory, want the key alone", len(files))
	}
	info, err := os.Stat(filepath.Join(dir, "nt", "key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the key is %v (%v), want 0600", info.Mode(), err)
	}
}

func TestKeygenNeverOverwrites(t *testing.T) {
	file := filepath.Join(t.TempDir(), "k")
	var out, errs bytes.Buffer
	if got := run(t.Context(), []string{"keygen", file}, nil, &out, &errs, environ{}); got != ExitOK || out.Len() != 65 {
		t.Fatalf("exit %d, stdout %q, stderr %q", got, &out, &errs)
	}
	before, _ := os.ReadFile(file)
	if got := run(t.Context(), []string{"keygen", file}, nil, &out, &errs, environ{}); got != ExitFile {
		t.Errorf("exit %d for a file that exists, want %d", got, ExitFile)
	}
	after, _ := os.ReadFile(file)
	if !bytes.Equal(before, after) {
		t.Error("the key was overwritten")
	}
}
