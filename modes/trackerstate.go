package modes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"nt/tracker"
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

// announcedFile is the name of the file whose age tells when a tracker at a port last heard an announcement.
const announcedFile = "announced-"

// settleSlack is for peers that met the tracker dead and made a pause.
const settleSlack = 10 * time.Second

// settled returns until when holders may be missing: if a tracker at this port heard
// announcements lately, they held in a memory that is gone. Zero if nobody was forgotten.
func (r *runningTracker) settled(now time.Time) (time.Time, error) {
	if r.options.marks == "" {
		return time.Time{}, nil
	}
	info, err := os.Stat(r.markPath())
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	hold := r.options.hold
	if hold <= 0 {
		hold = tracker.DefaultTTL
	}
	if age := now.Sub(info.ModTime()); age < 0 || age > max(hold, tracker.DefaultMax) {
		return time.Time{}, nil
	}
	return now.Add(hold + settleSlack), nil
}

func (r *runningTracker) markPath() string {
	return filepath.Join(r.options.marks, announcedFile+strconv.Itoa(int(portOf(r.addr))))
}

// mark touches the file: an announcement was heard.
func (r *runningTracker) mark() {
	if r.options.marks == "" {
		return
	}
	if err := os.WriteFile(r.markPath(), []byte("\n"), 0o600); err != nil {
		r.options.log.Error("a restart would not be told from a start", "err", err)
	}
}
