// Package tun owns the way from emulated links to unmodified programs: a TUN device
// in a network namespace, whose packets go over a simnet.Host. The kernel's own TCP and UDP are
// on both ends. It knows nothing of what is sent. Linux only; needs root.
package tun

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"nt/internal/simnet"
)

// Open makes a TUN device in the namespace of that name (ip netns) and returns it. Closing
// it removes the device.
func Open(netns, device string) (*os.File, error) {
	type result struct {
		f   *os.File
		err error
	}
	done := make(chan result, 1)
	go func() { // on a thread that ends with it: it stays in the other namespace
		runtime.LockOSThread()
		f, err := open(netns, device)
		done <- result{f, err}
	}()
	r := <-done
	if r.err != nil {
		return nil, fmt.Errorf("making TUN device %s in %s: %w", device, netns, r.err)
	}
	return r.f, nil
}

func open(netns, device string) (*os.File, error) {
	ns, err := os.Open("/run/netns/" + netns)
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("entering the namespace: %w", err)
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	req, err := unix.NewIfreq(device)
	if err == nil {
		req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "/dev/net/tun"), nil
}

// Run joins a device and a host until the device is closed. Its error says how reading ended.
func Run(h *simnet.Host, device *os.File) error {
	h.Attach(func(ip []byte) { device.Write(ip) }) // a device that is down or full loses it, as networks do
	defer h.Attach(nil)
	buf := make([]byte, 1<<16)
	for {
		n, err := device.Read(buf)
		if err != nil {
			return err
		}
		_ = h.Inject(buf[:n]) // IPv6 and the like have no way here
	}
}
