package modes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"

	"github.com/alecthomas/kong"
)

// cli is the whole command line; its tags are the contract of design section 3.
type cli struct {
	Common  commonFlags      `embed:""`
	Release kong.VersionFlag `name:"version" help:"Say which build this is."`

	Fetch      fetchCmd      `cmd:"" help:"Get URLs: from the origin, else from the own cache, else from peers."`
	Peer       peerCmd       `cmd:"" help:"Run a node: proxy for browsers, cache, and server for other peers."`
	Tracker    trackerCmd    `cmd:"" help:"Run the directory that says who has what."`
	Seed       seedCmd       `cmd:"" help:"Publish a folder over HTTP and to peers."`
	Sign       signCmd       `cmd:"" help:"Sign a folder, so that readers know copies of it when its web server is down."`
	Demo       demoCmd       `cmd:"" help:"Show on this machine alone how a page outlives its origin."`
	Cache      cacheCmd      `cmd:"" help:"Look into the cache, or change it."`
	Forget     forgetCmd     `cmd:"" help:"Remove all copies of URLs and take their announcements back."`
	CA         caCmd         `cmd:"" name:"ca" help:"The authority that lets the proxy read HTTPS on this device: install, remove, show."`
	Status     statusCmd     `cmd:"" help:"Ask the running peer of this user, and trackers, how they are."`
	Keygen     keygenCmd     `cmd:"" help:"Make a key pair and write it to a file."`
	Publishers publishersCmd `cmd:"" help:"Show the sites whose keys are known, or forget one."`
	Completion completionCmd `cmd:"" help:"Write the completion script of a shell."`
	Man        manCmd        `cmd:"" help:"Write the manual page."`
	Version    versionCmd    `cmd:"" help:"Say which build this is."`
}

// commonFlags are accepted by every command, so that scripts can pass the same
// ones to all.
type commonFlags struct {
	Config       string   `placeholder:"FILE" group:"common" help:"Configuration file (TOML). Default: nt/nt.toml in the user's configuration directory, then /etc/nt/nt.toml."`
	Tracker      []string `placeholder:"ADDR[#KEY]" group:"common" help:"Tracker to use; repeatable. KEY pins its notary."`
	Notary       []string `placeholder:"NAME#KEY" group:"common" help:"Key of a notary that is no tracker of yours, and who runs it; repeatable."`
	Quorum       int      `default:"1" placeholder:"N" group:"common" help:"How many independent notaries must have seen the same. Those of one host count once."`
	Listen       string   `placeholder:"ADDR" group:"common" help:"Own address of peer, seed or tracker, HOST:PORT; port 0 picks one."`
	Cache        string   `placeholder:"DIR" group:"common" help:"Where content is kept."`
	AllowPrivate bool     `group:"common" help:"Use and share addresses that are not public: for tests and closed networks."`
	LogLevel     string   `enum:"debug,info,warn,error" default:"warn" group:"common" help:"Least important message to log: ${enum}."`
	LogFormat    string   `enum:"text,json" default:"text" group:"common" help:"Form of log lines on stderr: ${enum}."`
}

// app is what every command gets: its surroundings, as values.
type app struct {
	ctx    context.Context // ends at the first signal, its cause says which
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	env    environ
	args   []string
	common commonFlags
	config config
	log    *slog.Logger
}

// Main runs one command to its end and returns the process exit code. The first
// SIGINT or SIGTERM asks it to stop, the second ends the process at once.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer, env []string) int {
	ctx, stop := withSignals(context.Background(), os.Exit)
	defer stop()
	return int(run(ctx, args, stdin, stdout, stderr, newEnviron(env)))
}

// run is Main without the process: tests and demo call it with their own context.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env environ) Exit {
	a := &app{ctx: ctx, stdin: stdin, stdout: stdout, stderr: stderr, env: env}
	command, done, err := a.parse(args)
	if err == nil && !done {
		log.SetOutput(stdLog(a.log)) // net/http and others tell trifles there
		err = command.Run(a)
	}
	if err != nil && !isSilent(err) {
		report(stderr, err)
	}
	return exitOf(err)
}

// parse reads the command line, the environment and the configuration file.
// done is true when help was asked for and given.
func (a *app) parse(args []string) (command *kong.Context, done bool, err error) {
	var c cli
	settings := &settings{env: a.env}
	k, err := a.grammar(&c, settings, func(int) { done = true })
	if err != nil {
		return nil, false, err
	}
	command, err = k.Parse(args)
	if done {
		return nil, true, nil
	}
	if settings.err != nil { // kong would blame the flag it was looking for
		err = settings.err
	}
	if err != nil {
		return nil, false, usageFault(err)
	}
	a.args, a.common, a.config = args, c.Common, settings.file
	a.log = newLogger(a.stderr, c.Common.LogLevel, c.Common.LogFormat, a.env)
	return command, false, nil
}

// reread reads the same command line with the configuration file as it is now.
func (a *app) reread() (cli, error) {
	var c cli
	s := &settings{env: a.env}
	k, err := a.grammar(&c, s, func(int) {})
	if err == nil {
		_, err = k.Parse(a.args)
	}
	if s.err != nil {
		err = s.err
	}
	return c, err
}

// grammar returns the parser that fills c.
func (a *app) grammar(c *cli, settings *settings, exit func(int)) (*kong.Kong, error) {
	k, err := kong.New(c,
		kong.Name("nt"),
		kong.Description("Keeps web content reachable when its origin is overloaded or gone, by letting readers serve each other."),
		kong.UsageOnError(),
		kong.Writers(a.stdout, a.stderr),
		kong.Exit(exit),
		kong.Vars{"version": thisBuild().String()},
		kong.ExplicitGroups([]kong.Group{{Key: "common", Title: "Common flags:"}}),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Resolvers(kong.ResolverFunc(settings.fromFile), kong.ResolverFunc(settings.fromEnv)),
	)
	if err == nil {
		settings.known = flagNames(k.Model)
	}
	return k, err
}

// usageFault gives errors of the command line their exit code; errors that
// already know theirs keep it.
func usageFault(err error) error {
	var f *fault
	if errors.As(err, &f) {
		return f
	}
	if exit := exitOfKind(err); exit != ExitOther {
		return &fault{exit, err, ""}
	}
	return &fault{ExitUsage, err, "nt --help lists commands and flags"}
}

// silent is an error that has been reported already.
type silent struct{ error }

// Unwrap returns the cause, for its exit code.
func (s silent) Unwrap() error { return s.error }

func isSilent(err error) bool {
	var s silent
	return errors.As(err, &s)
}

// usagef is an error about what the user wrote.
func usagef(hint, format string, args ...any) error {
	return &fault{ExitUsage, fmt.Errorf(format, args...), hint}
}
