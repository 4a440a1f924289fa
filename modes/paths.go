package modes

import (
	"fmt"
	"path/filepath"
)

// environ is the process environment. A variable set to "" counts as not set.
type environ map[string]string

// newEnviron reads the form of os.Environ; the last of equal names wins.
func newEnviron(list []string) environ {
	e := make(environ, len(list))
	for _, kv := range list {
		for i := 1; i < len(kv); i++ {
			if kv[i] == '=' {
				e[kv[:i]] = kv[i+1:]
				break
			}
		}
	}
	return e
}

// dir returns a directory by the XDG rules: $name/nt, else $HOME/fallback/nt.
// Under systemd the service's own directory, which systemd made, goes first.
func (e environ) dir(systemd, name, fallback string) (string, error) {
	if d := e[systemd]; systemd != "" && filepath.IsAbs(d) {
		return d, nil
	}
	if d := e[name]; filepath.IsAbs(d) { // XDG: relative paths are invalid and to be ignored
		return filepath.Join(d, "nt"), nil
	}
	if home := e["HOME"]; filepath.IsAbs(home) {
		return filepath.Join(home, fallback, "nt"), nil
	}
	if home := e["USERPROFILE"]; filepath.IsAbs(home) { // Windows
		return filepath.Join(home, fallback, "nt"), nil
	}
	return "", &fault{ExitFile, fmt.Errorf("neither %s nor HOME is an absolute path", name), "set HOME, or name the directory by its flag"}
}

// stateDir is where keys are.
func (e environ) stateDir() (string, error) {
	return e.dir("STATE_DIRECTORY", "XDG_STATE_HOME", ".local/state")
}

// cacheDir is where content is when --cache is not given.
func (e environ) cacheDir() (string, error) {
	return e.dir("CACHE_DIRECTORY", "XDG_CACHE_HOME", ".cache")
}

// configFiles are the files read when --config is not given: the first that exists.
func (e environ) configFiles() []string {
	files := []string{"/etc/nt/nt.toml"}
	if d, err := e.dir("CONFIGURATION_DIRECTORY", "XDG_CONFIG_HOME", ".config"); err == nil {
		files = append([]string{filepath.Join(d, "nt.toml")}, files...)
	}
	return files
}
