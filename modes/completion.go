package modes

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// completionCmd writes what a shell needs to complete nt's commands and flags.
type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"Which shell: ${enum}."`
}

// Run writes the script, from the same grammar that reads the command line.
func (c *completionCmd) Run(a *app) error {
	model, err := a.model()
	if err != nil {
		return err
	}
	write := map[string]func(io.Writer, *kong.Application){"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[c.Shell]
	write(a.stdout, model)
	return nil
}

// model returns the grammar of the command line.
func (a *app) model() (*kong.Application, error) {
	k, err := a.grammar(&cli{}, &settings{env: a.env}, func(int) {})
	if err != nil {
		return nil, err
	}
	return k.Model, nil
}

// flagsOf returns the flags that may follow a command, its own first.
func flagsOf(n *kong.Node) []*kong.Flag {
	var out []*kong.Flag
	for ; n != nil; n = n.Parent {
		for _, f := range n.Flags {
			if !f.Hidden {
				out = append(out, f)
			}
		}
	}
	return out
}

// words are what may follow a command: its own commands, else the values of its first
// argument.
func words(n *kong.Node) []string {
	var out []string
	for _, c := range n.Children {
		if !c.Hidden && c.Type == kong.CommandNode {
			out = append(out, c.Name)
		}
	}
	if len(out) == 0 && len(n.Positional) > 0 {
		out = append(out, n.Positional[0].EnumSlice()...)
	}
	return slices.DeleteFunc(out, func(s string) bool { return s == "" })
}

func bashCompletion(w io.Writer, app *kong.Application) {
	fmt.Fprintf(w, "# bash completion for nt: source <(nt completion bash)\n_nt() {\n")
	fmt.Fprintf(w, "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} cmd=${COMP_WORDS[1]} words=\n  COMPREPLY=()\n")
	fmt.Fprintf(w, "  case $COMP_CWORD in\n  1) COMPREPLY=($(compgen -W %q -- \"$cur\")); return;;\n  esac\n", strings.Join(words(app.Node), " "))
	fmt.Fprintf(w, "  case $cmd/$prev in\n")
	for _, c := range app.Children {
		for _, f := range flagsOf(c) {
			if values := strings.Join(f.EnumSlice(), " "); values != "" {
				fmt.Fprintf(w, "  %s/--%s) COMPREPLY=($(compgen -W %q -- \"$cur\")); return;;\n", c.Name, f.Name, values)
			}
		}
	}
	fmt.Fprintf(w, "  esac\n  case $cmd in\n")
	for _, c := range app.Children {
		all := words(c)
		for _, f := range flagsOf(c) {
			all = append(all, "--"+f.Name)
		}
		fmt.Fprintf(w, "  %s) words=%q;;\n", c.Name, strings.Join(all, " "))
	}
	fmt.Fprintf(w, "  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -o default -F _nt nt\n")
}

func zshCompletion(w io.Writer, app *kong.Application) {
	fmt.Fprintf(w, "#compdef nt\n_nt() {\n  if (( CURRENT == 2 )); then\n    local -a commands=(\n")
	for _, c := range app.Children {
		fmt.Fprintf(w, "      %s\n", quoted(c.Name+":"+c.Help))
	}
	fmt.Fprintf(w, "    )\n    _describe command commands\n    return\n  fi\n  local cmd=$words[2]\n  shift words; (( CURRENT-- ))\n  case $cmd in\n")
	for _, c := range app.Children {
		fmt.Fprintf(w, "  %s) _arguments", c.Name)
		for _, f := range flagsOf(c) {
			spec := "--" + f.Name + "[" + strings.NewReplacer("[", "(", "]", ")", ":", " ").Replace(f.Help) + "]"
			if !f.IsBool() {
				spec += ":" + f.Name + ":(" + strings.Join(f.EnumSlice(), " ") + ")"
			}
			fmt.Fprintf(w, " \\\n    %s", quoted(spec))
		}
		if all := words(c); len(all) > 0 {
			fmt.Fprintf(w, " \\\n    %s", quoted("1:what:("+strings.Join(all, " ")+")"))
		}
		fmt.Fprintf(w, " \\\n    '*:file:_files';;\n")
	}
	fmt.Fprintf(w, "  esac\n}\ncompdef _nt nt\n")
}

func fishCompletion(w io.Writer, app *kong.Application) {
	fmt.Fprintf(w, "# fish completion for nt: nt completion fish | source\n")
	for _, c := range app.Children {
		fmt.Fprintf(w, "complete -c nt -f -n __fish_use_subcommand -a %s -d %s\n", c.Name, quoted(c.Help))
		seen := quoted("__fish_seen_subcommand_from " + c.Name)
		if all := words(c); len(all) > 0 {
			fmt.Fprintf(w, "complete -c nt -n %s -a %s\n", seen, quoted(strings.Join(all, " ")))
		}
		for _, f := range flagsOf(c) {
			fmt.Fprintf(w, "complete -c nt -n %s -l %s", seen, f.Name)
			if f.Short != 0 {
				fmt.Fprintf(w, " -s %c", f.Short)
			}
			if !f.IsBool() {
				fmt.Fprint(w, " -r")
			}
			if values := strings.Join(f.EnumSlice(), " "); values != "" {
				fmt.Fprintf(w, " -f -a %s", quoted(values))
			}
			fmt.Fprintf(w, " -d %s\n", quoted(f.Help))
		}
	}
}

// quoted puts text in single quotes for any of the shells; none needs one inside.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "’") + "'" }
