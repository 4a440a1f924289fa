package modes

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// manCmd writes the manual page: nt man | man -l -
type manCmd struct{}

// Run writes nt(1) in roff's man macros, from the grammar that reads the command line.
func (c *manCmd) Run(a *app) error {
	model, err := a.model()
	if err != nil {
		return err
	}
	manPage(a.stdout, model)
	return nil
}

func manPage(w io.Writer, app *kong.Application) {
	fmt.Fprintf(w, ".TH NT 1\n.SH NAME\nnt \\- keeps web pages readable when their origin is down\n")
	fmt.Fprintf(w, ".SH SYNOPSIS\n.B nt\n.I COMMAND\n[\\fIFLAG\\fR ...] [\\fIARGUMENT\\fR ...]\n.SH DESCRIPTION\n%s\n", roff(app.Help))
	fmt.Fprintf(w, ".SH COMMANDS\n")
	for _, c := range app.Leaves(true) {
		fmt.Fprintf(w, ".SS %s\n%s\n", roff(strings.TrimPrefix(c.FullPath(), "nt ")+positionals(c)), roff(c.Help))
		for _, f := range c.Flags {
			manFlag(w, f)
		}
	}
	fmt.Fprintf(w, ".SH COMMON FLAGS\n")
	for _, f := range app.Flags {
		manFlag(w, f)
	}
	fmt.Fprintf(w, ".SH EXIT STATUS\n")
	for _, e := range []struct{ code, means string }{
		{"0", "everything is there"}, {"1", "another failure"}, {"2", "usage"}, {"3", "local file or disk"}, {"4", "network"}, {"5", "TLS"}, {"6", "authentication"},
		{"7", "protocol"}, {"8", "the server answered an error"}, {"9", "the bytes are not the ones asked for"}, {"10", "the time is over"},
		{"11", "no source: the origin is down and nobody has it"}, {"12", "partly there and kept"}, {"13", "a copy exists, but nobody trusted vouches for it"},
		{"130, 143", "interrupted, terminated"},
	} {
		fmt.Fprintf(w, ".TP\n.B %s\n%s\n", e.code, roff(e.means))
	}
	fmt.Fprintf(w, ".SH ENVIRONMENT\nEvery flag can be set as \\fBNT_\\fR and its name in capitals, with _ for \\-. Flags go first, then the environment, then the file.\n")
	fmt.Fprintf(w, ".SH FILES\n.TP\n.I $XDG_CONFIG_HOME/nt/nt.toml\nConfiguration; every flag is a key.\n")
}

func positionals(n *kong.Node) string {
	out := ""
	for _, p := range n.Positional {
		out += " " + p.Summary()
	}
	return out
}

func manFlag(w io.Writer, f *kong.Flag) {
	if f.Hidden {
		return
	}
	name := "\\-\\-" + roff(f.Name)
	if f.Short != 0 {
		name = "\\-" + string(f.Short) + ", " + name
	}
	fmt.Fprintf(w, ".TP\n\\fB%s\\fR", name)
	if !f.IsBool() {
		fmt.Fprintf(w, " \\fI%s\\fR", roff(f.FormatPlaceHolder()))
	}
	fmt.Fprintf(w, "\n%s\n", roff(f.Help))
}

// roff keeps text from being read as a command of roff.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n", " ").Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}
