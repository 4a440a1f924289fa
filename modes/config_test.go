package modes

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var testKeys = []string{"tracker", "listen", "cache", "allow-private", "log-level", "max-time", "transport"}

func TestConfigErrorsNameFileLineAndNearestKey(t *testing.T) {
	tests := []struct{ name, text, message, hint string }{
		{"unknown key", "cache = \"x\"\ntraker = [\"a\"]\n", `nt.toml:2: key "traker": nt does not know it`, `did you mean "tracker"?`},
		{"unknown table", "[peer]\nproxy = true\n", `nt.toml:1: key "peer"`, ""},
		{"nothing like it", "zzzzzzzzzz = 1\n", `nt.toml:1: key "zzzzzzzzzz"`, ""},
		{"not TOML", "cache = \n", "nt.toml:1: ", ""},
		{"twice", "cache = \"a\"\ncache = \"b\"\n", "nt.toml:2: ", ""},
		{"a date", "cache = 2026-01-01\n", `key "cache": is neither a string`, ""},
		{"value in [transport]", "[transport]\nuze = \"http\"\n", `nt.toml:2: key "transport.uze"`, `did you mean "use"?`},
		{"name and table", "transport = \"http\"\n[transport.http]\n", "nt.toml:2: ", `write [transport] with use = "NAME"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseConfig("nt.toml", tt.text, testKeys)
			if err == nil || exitOf(err) != ExitUsage {
				t.Fatalf("got %v (exit %d), want a usage error", err, exitOf(err))
			}
			if !strings.Contains(err.Error(), tt.message) || !strings.Contains(hintOf(err), tt.hint) {
				t.Errorf("got %q, hint %q; want %q, hint %q", err, hintOf(err), tt.message, tt.hint)
			}
		})
	}
}

func TestConfigHandsATransportItsOwnTable(t *testing.T) {
	c, err := parseConfig("nt.toml", "[transport]\nuse = \"http\"\n[transport.http]\nstreams = 3\n", testKeys)
	if err != nil {
		t.Fatal(err)
	}
	var options struct {
		Streams int `toml:"streams"`
	}
	if err := c.options("http")(&options); err != nil || options.Streams != 3 || c.flags["transport"] != "http" {
		t.Errorf("got %+v, %v, transport %v", options, err, c.flags["transport"])
	}
	if err := c.options("kcp")(&options); err != nil || options.Streams != 3 {
		t.Errorf("an absent table changed the options: %+v, %v", options, err)
	}
	var other struct {
		Stream int `toml:"stream"`
	}
	err = c.options("http")(&other)
	if err == nil || !strings.Contains(err.Error(), `nt.toml:4: key "transport.http.streams"`) || !strings.Contains(hintOf(err), `"stream"`) {
		t.Errorf("an option the transport does not know gave %v, hint %q", err, hintOf(err))
	}
	if err := c.checkTransports([]string{"htp"}); err == nil || !strings.Contains(hintOf(err), `"htp"`) {
		t.Errorf("a table of an unknown transport gave %v", err)
	}
}

// TestPrecedence shows flags > environment > file > default, and that a variable
// set to "" is not set.
func TestPrecedence(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "nt.toml")
	if err := os.WriteFile(file, []byte("log-level = \"info\"\nallow-private = true\ntracker = [\"f1\", \"f2\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		env  environ
		want string
	}{
		{"default", nil, environ{}, "warn"},
		{"file", []string{"--config", file}, environ{}, "info"},
		{"file named by the environment", nil, environ{"NT_CONFIG": file}, "info"},
		{"environment over file", []string{"--config", file}, environ{"NT_LOG_LEVEL": "error"}, "error"},
		{"empty is not set", []string{"--config", file}, environ{"NT_LOG_LEVEL": ""}, "info"},
		{"flag over all", []string{"--config=" + file, "--log-level", "debug"}, environ{"NT_LOG_LEVEL": "error"}, "debug"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := &app{ctx: context.Background(), stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}, env: tt.env}
			if _, _, err := a.parse(append([]string{"version"}, tt.args...)); err != nil {
				t.Fatal(err)
			}
			if a.common.LogLevel != tt.want {
				t.Errorf("log-level is %q, want %q", a.common.LogLevel, tt.want)
			}
			if fromFile := tt.want != "warn"; a.common.AllowPrivate != fromFile || len(a.common.Tracker) != 0 != fromFile {
				t.Errorf("allow-private %v and tracker %q do not show the file", a.common.AllowPrivate, a.common.Tracker)
			}
		})
	}
}

func TestExitCodesOfTheCommandLine(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.toml")
	if err := os.WriteFile(bad, []byte("cahce = \"x\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		want Exit
	}{
		{"help", []string{"--help"}, ExitOK},
		{"version", []string{"version"}, ExitOK},
		{"no command", nil, ExitUsage},
		{"unknown command", []string{"fly"}, ExitUsage},
		{"unknown flag", []string{"version", "--fly"}, ExitUsage},
		{"bad value", []string{"version", "--log-level", "loud"}, ExitUsage},
		{"unknown key", []string{"version", "--config", bad}, ExitUsage},
		{"missing file", []string{"version", "--config", "/nonexistent"}, ExitFile},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if got := run(t.Context(), tt.args, nil, &stdout, &stderr, environ{}); got != tt.want {
				t.Errorf("exit %d, want %d; stderr: %s", got, tt.want, &stderr)
			}
			if tt.want != ExitOK && (stdout.Len() > 0 || !strings.HasPrefix(stderr.String(), "nt: error: ")) {
				t.Errorf("stdout %q, stderr %q: want one error on stderr only", &stdout, &stderr)
			}
		})
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add("cache = \"x\"\n[transport.http]\na = 1\n")
	f.Add("transport = \"x\"\n[transport.x]\n")
	f.Add("[[transport]]\n")
	f.Add("a.b = 1\n'' = 2\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseConfig("f", text, testKeys)
		if err != nil {
			if exitOf(err) != ExitUsage {
				t.Fatalf("%q: exit %d for %v", text, exitOf(err), err)
			}
			return
		}
		for key := range c.flags {
			if !slices.Contains(testKeys, key) {
				t.Fatalf("%q: unknown key %q was let through", text, key)
			}
		}
	})
}
