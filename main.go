// Command nt keeps web content reachable when its origin is overloaded or gone,
// by letting readers serve each other.
package main

import (
	"os"

	"nt/modes"
)

func main() {
	os.Exit(modes.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ()))
}
