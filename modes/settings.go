package modes

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// settings resolves flags that are not on the command line: the environment goes
// before the file. (kong's own order is the other way round; the resolver that
// is registered last wins.)
type settings struct {
	env    environ
	known  []string // every flag that may stand in a file
	file   config
	err    error
	loaded bool
}

// fromEnv resolves --max-time as NT_MAX_TIME.
func (s *settings) fromEnv(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	v := s.env[envName(flag.Name)]
	if v == "" || asksOnly(flag.Name) {
		return nil, nil
	}
	return v, nil
}

// asksOnly reports whether a flag is a question on the command line, and no setting.
func asksOnly(flag string) bool { return flag == "help" || flag == "version" }

// fromFile resolves a flag from the configuration file, which it reads first if need be.
func (s *settings) fromFile(ctx *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if flag.Name == "config" {
		return nil, nil
	}
	if !s.loaded {
		s.loaded = true
		s.file, s.err = loadConfig(s.configPath(ctx), s.env.configFiles(), s.known)
	}
	if s.err != nil {
		return nil, s.err
	}
	return s.file.flags[flag.Name], nil
}

// configPath returns --config, or NT_CONFIG, or "".
func (s *settings) configPath(ctx *kong.Context) string {
	for _, p := range ctx.Path {
		if p.Flag != nil && p.Flag.Name == "config" {
			path, _ := ctx.FlagValue(p.Flag).(string)
			return path
		}
	}
	return s.env[envName("config")]
}

func envName(flag string) string {
	return "NT_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// flagNames returns the long name of every flag of every command.
func flagNames(model *kong.Application) []string {
	var names []string
	kong.Visit(model, func(node kong.Visitable, next kong.Next) error {
		if f, ok := node.(*kong.Flag); ok && !asksOnly(f.Name) && f.Name != "config" {
			names = append(names, f.Name)
		}
		return next(nil)
	})
	slices.Sort(names)
	return slices.Compact(names)
}
