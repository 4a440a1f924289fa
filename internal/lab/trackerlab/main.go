package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	beNT()
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "trackerlab:", err)
		os.Exit(1)
	}
}

// experiments are the words of the command line.
func experiments(flags *flag.FlagSet) map[string]func(*lab) error {
	return map[string]func(*lab) error{"flood": floodFlags(flags), "kills": killsFlags(flags), "nodes": nodesFlags(flags), "slander": slanderFlags(flags), "compare": compareFlags(flags)}
}

// program is a flag that names a program. What it names is found from where trackerlab was
// started: commands run in a directory of their own.
func program(f *flag.FlagSet, to *string, name, usage string) {
	f.Func(name, usage, func(s string) (err error) {
		*to, err = filepath.Abs(s)
		return err
	})
}

func run(args []string) error {
	flags := flag.NewFlagSet("trackerlab", flag.ContinueOnError)
	var nt string
	program(flags, &nt, "nt", "the nt to run; default: the one this program was built with")
	all := experiments(flags)
	if len(args) == 0 || all[args[0]] == nil {
		return errors.New("say flood, kills, nodes, slander or compare")
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	l, err := newLab(nt, os.Stdout)
	if err != nil {
		return err
	}
	defer l.close()
	return all[args[0]](l)
}
