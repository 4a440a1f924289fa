// Package modes owns the command line: what the user may ask for (a file per
// subcommand), the configuration file, exit codes and messages, and the wiring
// that makes a running tracker, peer or seed out of the other packages.
//
// It is the only importer of kong and toml. Every daemon can be started in process
// with a context, so that demo and tests run several in one program; nothing
// here decides where content comes from or what is believed.
package modes
