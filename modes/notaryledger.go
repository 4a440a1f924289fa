package modes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

const (
	// ledgerFile is the name of a notary's ledger in the state directory.
	ledgerFile = "notary.until"
	// ledgerLine is all that is in it: of one length, so that it is written over in one piece.
	ledgerLine  = "nt-notary-until %012d\n"
	ledgerBytes = len("nt-notary-until ") + 12 + 1
	// ledgerWait is the pause between two tries to take a ledger from a process that ends.
	ledgerWait = 100 * time.Millisecond
)

// notaryLedger is a file with the time before which all statements of a notary are dated, and a
// lock: two processes with one key that sign at the same time would be taken for liars.
type notaryLedger struct {
	path string
	file *os.File
}

// Open implements notary.Ledger.
func (l *notaryLedger) Open(ctx context.Context) (until int64, err error) {
	f, err := os.OpenFile(l.path, os.O_RDWR|os.O_CREATE|openNoFollow, 0o600)
	if err != nil {
		return 0, err
	}
	for lockFile(f) != nil { // its process hands over, or has only just been killed
		select {
		case <-time.After(ledgerWait):
		case <-ctx.Done():
			f.Close()
			return 0, ctx.Err()
		}
	}
	text, err := io.ReadAll(io.LimitReader(f, int64(ledgerBytes)+1))
	if err == nil && len(text) > 0 {
		if _, err = fmt.Sscanf(string(text), ledgerLine, &until); err != nil || until < 0 || len(text) != ledgerBytes {
			err = fmt.Errorf("%s is no ledger of a notary; without the file and with another notary.key it begins anew", l.path)
		}
	}
	if err != nil {
		f.Close()
		return 0, err
	}
	l.file = f
	return until, nil
}

// Reserve implements notary.Ledger.
func (l *notaryLedger) Reserve(until int64) error {
	if l.file == nil {
		return errors.New("it is not open")
	}
	if _, err := l.file.WriteAt(fmt.Appendf(nil, ledgerLine, until), 0); err != nil {
		return err
	}
	return l.file.Sync()
}

// Close implements notary.Ledger.
func (l *notaryLedger) Close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
