package modes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// running is what a running peer tells other commands of the same user. It is
// in a file that the peer keeps locked: without the lock it is a leftover.
type running struct {
	PID   int    `json:"pid"`
	Cache string `json:"cache"`
	Peer  string `json:"peer,omitempty"`  // HOST:PORT of its upload endpoint
	Admin string `json:"admin,omitempty"` // HOST:PORT
	Proxy string `json:"proxy,omitempty"` // HOST:PORT
	Token string `json:"token,omitempty"` // lets this user change something on the admin page
}

// runPath is where the file is: only this user can write there.
func (e environ) runPath() (string, error) {
	dir, err := e.dir("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR", ".local/state")
	return filepath.Join(dir, "peer.json"), err
}

// publish writes and locks the file until the closer is closed. It fails if
// another peer of this user runs already.
func (e environ) publish(r running) (io.Closer, error) {
	path, err := e.runPath()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("saying that the peer runs: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|openNoFollow, 0o600)
	if err != nil {
		return nil, fmt.Errorf("saying that the peer runs: %w", err)
	}
	if err := lockSoon(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("another peer of this user runs: %w", err)
	}
	b, err := json.Marshal(r)
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt(b, 0)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("saying that the peer runs: %w", err)
	}
	return f, nil
}

// lockSoon locks the file; a command that only looks whether somebody has the lock
// holds it for a moment itself, so a second try may do.
func lockSoon(f *os.File) error {
	err := lockFile(f)
	for range 20 {
		if err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
		err = lockFile(f)
	}
	return err
}

// errNotRunning says that no peer of this user runs.
var errNotRunning = errors.New("no peer of this user is running")

// runningPeer reads what a running peer said. It returns errNotRunning if none is.
func (e environ) runningPeer() (running, error) {
	path, err := e.runPath()
	if err != nil {
		return running{}, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|openNoFollow, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return running{}, errNotRunning
	}
	if err != nil {
		return running{}, fmt.Errorf("looking for a running peer: %w", err)
	}
	defer f.Close()
	if lockFile(f) == nil {
		return running{}, errNotRunning // nobody holds it: a leftover
	}
	var r running
	b, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil || json.Unmarshal(b, &r) != nil || !filepath.IsAbs(r.Cache) {
		return running{}, errNotRunning // just starting
	}
	return r, nil
}

// cachePath returns where content is: --cache, else where the running peer of the
// same user has it, else the user's cache directory.
func (a *app) cachePath() (string, error) {
	if a.common.Cache != "" {
		return filepath.Abs(a.common.Cache)
	}
	if r, err := a.env.runningPeer(); err == nil {
		return r.Cache, nil
	}
	return a.env.cacheDir()
}
