package modes

import (
	"errors"
	"fmt"
	"io/fs"
)

// keygenCmd makes a key pair.
type keygenCmd struct {
	File string `arg:"" help:"File to make; never overwritten."`
}

// Run writes the private key to the file and the public key to stdout.
func (c *keygenCmd) Run(a *app) error {
	key, err := createKey(c.File)
	if errors.Is(err, fs.ErrExist) {
		return &fault{ExitFile, fmt.Errorf("%s exists", c.File), "choose another name; a key is never overwritten"}
	}
	if err != nil {
		return err
	}
	return a.println(keyHex(key))
}
