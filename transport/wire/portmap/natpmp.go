package portmap

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	natpmp "github.com/jackpal/go-nat-pmp"
)

const pmpTime = 3 * time.Second // for one question

// FindNATPMP asks the gateway of the default route.
func FindNATPMP(ctx context.Context) (Router, error) {
	gw, err := gateway()
	if err != nil {
		return nil, err
	}
	return natpmpAt(ctx, gw)
}

func natpmpAt(ctx context.Context, gw netip.Addr) (Router, error) {
	r := pmp{natpmp.NewClientWithTimeout(net.IP(gw.AsSlice()), pmpTime)}
	if _, err := r.External(ctx); err != nil {
		return nil, fmt.Errorf("NAT-PMP at %v: %w", gw, err)
	}
	return r, nil
}

// pmp is a router that speaks NAT-PMP. The library knows no contexts; its
// questions end by themselves after pmpTime.
type pmp struct{ client *natpmp.Client }

func (p pmp) Name() string { return "NAT-PMP" }

func (p pmp) External(context.Context) (netip.Addr, error) {
	r, err := p.client.GetExternalAddress()
	if err != nil {
		return netip.Addr{}, err
	}
	return netip.AddrFrom4(r.ExternalIPAddress), nil
}

func (p pmp) Map(_ context.Context, protocol string, internal, external uint16, lease time.Duration) (uint16, time.Duration, error) {
	r, err := p.client.AddPortMappingWithDuration(protocol, int(internal), int(external), lease)
	if err != nil {
		return 0, 0, err
	}
	if r.PortMappingLifetimeInSeconds == 0 {
		return 0, 0, errors.New("the router grants no time")
	}
	return r.MappedExternalPort, time.Duration(r.PortMappingLifetimeInSeconds) * time.Second, nil
}

func (p pmp) Unmap(_ context.Context, protocol string, internal, _ uint16) error {
	_, err := p.client.AddPortMapping(protocol, int(internal), 0, 0)
	return err
}

// gateway returns the router of the default route: from Linux's table, elsewhere the
// first address of a /24 around our own, where home routers sit.
func gateway() (netip.Addr, error) {
	if table, err := os.ReadFile("/proc/net/route"); err == nil {
		return parseRoutes(table)
	}
	local, err := outgoing()
	if err != nil {
		return local, err
	}
	b := local.As4()
	b[3] = 1
	return netip.AddrFrom4(b), nil
}

// parseRoutes finds the gateway of the default route in /proc/net/route.
func parseRoutes(table []byte) (netip.Addr, error) {
	lines := bufio.NewScanner(bytes.NewReader(table))
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 3 || f[1] != "00000000" || len(f[2]) != 8 {
			continue
		}
		if b, err := hex.DecodeString(f[2]); err == nil && binary.LittleEndian.Uint32(b) != 0 {
			return netip.AddrFrom4([4]byte{b[3], b[2], b[1], b[0]}), nil
		}
	}
	return netip.Addr{}, errors.New("portmap: there is no default route")
}
