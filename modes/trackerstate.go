package modes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	// statementsFile is the name of what witnesses said in the state directory.
	statementsFile = "statements.nt"
	// saveEvery is how much of it a crash may lose.
	saveEvery = 5 * time.Minute
)

// statePath returns where a file of the state directory is, and makes the directory.
func (e environ) statePath(name string) (string, error) {
	dir, err := e.stateDir()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("making the state directory: %w", err)
	}
	return filepath.Join(dir, name), nil
}

// restore reads the statements of before the restart.
func (r *runningTracker) restore(now time.Time) error {
	if r.options.statements == "" {
		return nil
	}
	f, err := os.Open(r.options.statements)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = r.store.ReadStatements(now, f)
	return err
}

// keepStatements saves them now and then and when ctx ends.
func (r *runningTracker) keepStatements(ctx context.Context) {
	if r.options.statements == "" {
		return
	}
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for more := true; more; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			more = false
		}
		if err := r.save(); err != nil {
			r.options.log.Error("statements would not survive a restart", "err", err)
		}
	}
}

// save replaces the file by rename, so that it is the old one or the new one
// whenever the process is killed.
func (r *runningTracker) save() error {
	f, err := os.CreateTemp(filepath.Dir(r.options.statements), ".statements-*")
	if err != nil {
		return err
	}
	err = r.store.WriteStatements(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), r.options.statements)
	}
	if err != nil {
		os.Remove(f.Name()) // else it would stay for ever
	}
	return err
}
