package modes

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
)

// firstFD is the first socket that systemd hands over (sd_listen_fds(3)).
const firstFD = 3

// inherited returns the sockets that systemd opened for this process: one TCP
// and one UDP, in either order; nils if there are none.
func inherited(env environ) (net.Listener, *net.UDPConn, error) {
	if env["LISTEN_PID"] != strconv.Itoa(os.Getpid()) {
		return nil, nil, nil
	}
	n, err := strconv.Atoi(env["LISTEN_FDS"])
	if err != nil || n != 2 {
		return nil, nil, usagef("the socket unit must have one ListenStream= and one ListenDatagram=", "systemd hands over %q sockets, want 2", env["LISTEN_FDS"])
	}
	var l net.Listener
	var c *net.UDPConn
	for fd := range n {
		f := os.NewFile(uintptr(firstFD+fd), "socket of systemd")
		if got, err := net.FileListener(f); err == nil {
			l = got
		} else if got, err := net.FilePacketConn(f); err == nil {
			c, _ = got.(*net.UDPConn)
		}
		f.Close() // the net package has its own copy
	}
	if l == nil || c == nil {
		return nil, nil, &fault{ExitUsage, fmt.Errorf("systemd's sockets: %w", errors.New("one must be TCP and one UDP")), ""}
	}
	return l, c, nil
}
