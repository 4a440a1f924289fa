package modes

import (
	"encoding/json"
	"fmt"
)

// println writes one line to stdout; a line that could not be written is an error.
func (a *app) println(line string) error {
	if _, err := fmt.Fprintln(a.stdout, line); err != nil {
		return &fault{ExitFile, fmt.Errorf("writing to standard output: %w", err), ""}
	}
	return nil
}

// printJSON writes v as one line of JSON to stdout.
func (a *app) printJSON(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding the answer: %w", err)
	}
	return a.println(string(b))
}
