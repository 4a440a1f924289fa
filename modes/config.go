package modes

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// maxConfig is the largest configuration file, in bytes.
const maxConfig = 1 << 20

// config is a parsed configuration file: flat keys that are the long names of
// flags, and a table of options per transport. The zero value is an empty file.
//
//	tracker   = ["127.0.0.1:7070"]
//	cache     = "/var/cache/nt"
//	transport = "http"      # or, beside tables: [transport] use = "http"
//	[transport.http]        # decoded by the transport itself
type config struct {
	path       string
	text       string
	flags      map[string]any
	transports map[string]map[string]any
}

// loadConfig reads the file at path, or if that is "" the first of defaults that exists.
func loadConfig(path string, defaults []string, known []string) (config, error) {
	if path != "" {
		return readConfig(path, known)
	}
	for _, p := range defaults {
		c, err := readConfig(p, known)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return c, err
	}
	return config{}, nil
}

// readConfig reads one file. It fails with ExitFile if there is none.
func readConfig(path string, known []string) (config, error) {
	f, err := os.Open(path)
	if err != nil {
		return config{}, fmt.Errorf("reading the configuration: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return config{}, fmt.Errorf("reading the configuration: %w", err)
	}
	if len(text) > maxConfig {
		return config{}, &fault{ExitUsage, fmt.Errorf("%s is larger than %d bytes", path, maxConfig), ""}
	}
	return parseConfig(path, string(text), known)
}

// parseConfig reads a file's text. Keys that are neither in known nor below
// [transport] are an error that names the nearest known one.
func parseConfig(path, text string, known []string) (config, error) {
	c := config{path: path, text: text, flags: map[string]any{}, transports: map[string]map[string]any{}}
	raw := map[string]any{}
	if _, err := toml.Decode(text, &raw); err != nil {
		return config{}, c.syntaxFault(err)
	}
	for key, v := range raw {
		table, isTable := v.(map[string]any)
		switch {
		case key == "transport" && isTable:
			if err := c.addTransports(table); err != nil {
				return config{}, err
			}
		case slices.Contains(known, key):
			s, err := scalars(v)
			if err != nil {
				return config{}, c.fault([]string{key}, err.Error(), "")
			}
			c.flags[key] = s
		default:
			return config{}, c.unknown([]string{key}, known)
		}
	}
	return c, nil
}

// addTransports reads [transport]: use, and a table per transport.
func (c *config) addTransports(table map[string]any) error {
	for key, v := range table {
		options, isTable := v.(map[string]any)
		name, isString := v.(string)
		switch {
		case key == "use" && isString:
			c.flags["transport"] = name
		case isTable:
			c.transports[key] = options
		default:
			return c.unknown([]string{"transport", key}, []string{"use"})
		}
	}
	return nil
}

// scalars turns a TOML value into what kong decodes: a string, or a list of strings.
func scalars(v any) (any, error) {
	list, isList := v.([]any)
	if !isList {
		return scalar(v)
	}
	out := make([]any, len(list))
	for i, e := range list {
		s, err := scalar(e)
		if err != nil {
			return nil, err
		}
		out[i] = s
	}
	return out, nil
}

func scalar(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case bool, int64, float64:
		return fmt.Sprint(v), nil
	}
	return "", fmt.Errorf("is neither a string, a number, true nor false")
}

// checkTransports refuses tables of transports that this build does not have.
func (c *config) checkTransports(names []string) error {
	for name := range c.transports {
		if !slices.Contains(names, name) {
			return c.unknown([]string{"transport", name}, append([]string{"use"}, names...))
		}
	}
	return nil
}

// options returns the decoder of one transport's own table (transport.Env.Options).
// Keys that the transport does not know are errors too.
func (c *config) options(name string) func(v any) error {
	return func(v any) error {
		table, ok := c.transports[name]
		if !ok {
			return nil
		}
		var b strings.Builder
		if err := toml.NewEncoder(&b).Encode(table); err != nil {
			return c.fault([]string{"transport", name}, err.Error(), "")
		}
		md, err := toml.Decode(b.String(), v)
		if err != nil {
			return c.fault([]string{"transport", name}, err.Error(), "")
		}
		if extra := md.Undecoded(); len(extra) > 0 {
			return c.unknown(append([]string{"transport", name}, extra[0]...), structKeys(v))
		}
		return nil
	}
}
