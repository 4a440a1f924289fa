package modes

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestNotaryLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), ledgerFile)
	one := &notaryLedger{path: path}
	if until, err := one.Open(t.Context()); until != 0 || err != nil {
		t.Fatalf("%d, %v", until, err)
	}
	for _, until := range []int64{1_800_000_000, 1_700_000_000} {
		if err := one.Reserve(until); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*ledgerWait)
	defer cancel()
	if _, err := (&notaryLedger{path: path}).Open(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("two processes have it: %v", err)
	}
	got := make(chan int64)
	go func() {
		until, err := (&notaryLedger{path: path}).Open(t.Context())
		if err != nil {
			t.Error(err)
		}
		got <- until
	}()
	time.Sleep(ledgerWait / 2) // it waits by now, or not yet: both are right
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	if until := <-got; until != 1_700_000_000 {
		t.Errorf("until %d", until)
	}
}

func TestNotaryLedgerThatIsNone(t *testing.T) {
	for _, text := range []string{"x", "nt-notary-until 1\n", "nt-notary-until 000000000001\nmore", "nt-notary-until -00000000001\n"} {
		path := filepath.Join(t.TempDir(), ledgerFile)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := (&notaryLedger{path: path}).Open(t.Context()); err == nil {
			t.Errorf("%q passes", text)
		}
	}
}
