package modes

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"time"

	"nt/internal/resource"
	"nt/peer/intercept"
)

// authorityDir is where the device's authority is.
func (e environ) authorityDir() (string, error) {
	dir, err := e.stateDir()
	return filepath.Join(dir, "ca"), err
}

// authority returns the device's authority for a peer that is to intercept.
func (e environ) authority() (*intercept.Authority, string, error) {
	dir, err := e.authorityDir()
	if err != nil {
		return nil, "", err
	}
	a, err := intercept.Load(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, "", usagef("run: nt ca install", "--intercept: this device has no authority")
	case err != nil:
		return nil, "", &fault{ExitFile, err, "nt ca remove and nt ca install make a new one"}
	case !a.Valid(time.Now()):
		return nil, "", usagef("run: nt ca install", "--intercept: the authority of this device expired on %s", a.Cert.NotAfter.Format(time.DateOnly))
	}
	return a, dir, nil
}

// interceptor returns the judge of what the node's proxy reads: nothing on hosts whose
// pages could not be shared anyway.
func (n *node) interceptor(a *intercept.Authority, dir string) *intercept.Judge {
	return intercept.New(intercept.Config{Authority: a, Dir: dir, Dial: n.dialer.DialContext, Log: n.log, Rule: func(host string) error {
		u, err := resource.ParseURL("https://" + net.JoinHostPort(host, "443") + "/")
		if err != nil {
			return fmt.Errorf("judging %s: %w", host, err)
		}
		return n.sharing.Host(u)
	}})
}
