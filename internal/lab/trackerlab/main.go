package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
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

func run(args []string) error {
	flags := flag.NewFlagSet("trackerlab", flag.ContinueOnError)
	nt := flags.String("nt", "", "the nt to run; default: the one this program was built with")
	all := experiments(flags)
	if len(args) == 0 || all[args[0]] == nil {
		return errors.New("say flood, kills, nodes, slander or compare")
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	l, err := newLab(*nt, os.Stdout)
	if err != nil {
		return err
	}
	defer l.close()
	return all[args[0]](l)
}
