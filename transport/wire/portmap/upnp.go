package portmap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/huin/goupnp/dcps/internetgateway2"
	"github.com/huin/goupnp/httpu"
	"github.com/huin/goupnp/soap"
	"github.com/huin/goupnp/ssdp"
)

// igd is what the kinds of UPnP WAN connections have in common.
type igd interface {
	AddPortMappingCtx(ctx context.Context, remoteHost string, externalPort uint16, protocol string, internalPort uint16,
		internalClient string, enabled bool, description string, lease uint32) error
	DeletePortMappingCtx(ctx context.Context, remoteHost string, externalPort uint16, protocol string) error
	GetExternalIPAddressCtx(ctx context.Context) (string, error)
}

const (
	ssdpTime  = 2 * time.Second
	ssdpSends = 3
	// maxDevices is how many answers are looked at: anybody on the link may answer.
	maxDevices = 8
	portTries  = 4 // outside ports tried when one is taken

	conflict      = 718 // UPnP error codes: another machine has the port,
	onlyPermanent = 725 // and the device knows no leases
)

// FindUPnP looks for an Internet gateway device on the link of the default route.
func FindUPnP(ctx context.Context) (Router, error) {
	local, err := outgoing()
	if err != nil {
		return nil, err
	}
	client, err := httpu.NewHTTPUClientAddr(local.String())
	if err != nil {
		return nil, fmt.Errorf("UPnP: %w", err)
	}
	defer client.Close()
	search, cancel := context.WithTimeout(ctx, ssdpTime)
	defer cancel()
	responses, err := ssdp.RawSearch(search, client, internetgateway2.URN_WANConnectionDevice_1, ssdpSends)
	if err != nil {
		return nil, fmt.Errorf("UPnP search: %w", err)
	}
	errs := []error{errors.New("UPnP: no gateway device answers")}
	for i, r := range responses {
		if i == maxDevices {
			break
		}
		loc, err := r.Location()
		if err == nil {
			var router Router
			if router, err = upnpAt(ctx, loc, local); err == nil {
				return router, nil
			}
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// upnpAt returns the gateway device that is described at loc.
func upnpAt(ctx context.Context, loc *url.URL, local netip.Addr) (Router, error) {
	if err := checkLocation(loc); err != nil {
		return nil, err
	}
	if cs, err := internetgateway2.NewWANIPConnection2ClientsByURLCtx(ctx, loc); err == nil && len(cs) > 0 {
		return upnp{cs[0], local}, nil
	}
	if cs, err := internetgateway2.NewWANIPConnection1ClientsByURLCtx(ctx, loc); err == nil && len(cs) > 0 {
		return upnp{cs[0], local}, nil
	}
	cs, err := internetgateway2.NewWANPPPConnection1ClientsByURLCtx(ctx, loc)
	if err == nil && len(cs) == 0 {
		err = errors.New("no WAN connection service")
	}
	if err != nil {
		return nil, fmt.Errorf("UPnP device at %s: %w", loc.Host, err)
	}
	return upnp{cs[0], local}, nil
}

// checkLocation lets only devices in the house be asked: an answer to the search may
// come from anybody and name any URL.
func checkLocation(loc *url.URL) error {
	ip, err := netip.ParseAddr(loc.Hostname())
	if err != nil || loc.Scheme != "http" || !ip.IsPrivate() && !ip.IsLinkLocalUnicast() && !ip.IsLoopback() {
		return fmt.Errorf("UPnP: a device says it is at %.100s, which is not in this network", loc)
	}
	return nil
}

// outgoing returns the address of the interface with the default route. Nothing is sent.
func outgoing() (netip.Addr, error) {
	c, err := net.Dial("udp4", "192.0.2.1:9")
	if err != nil {
		return netip.Addr{}, fmt.Errorf("no route out: %w", err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Addr(), nil
}

// upnp is a gateway device.
type upnp struct {
	igd   igd
	local netip.Addr
}

func (u upnp) Name() string { return "UPnP" }

func (u upnp) External(ctx context.Context) (netip.Addr, error) {
	s, err := u.igd.GetExternalIPAddressCtx(ctx)
	if err != nil {
		return netip.Addr{}, err
	}
	return netip.ParseAddr(s)
}

// Map tries the next ports too when one is taken, and a mapping for ever where the
// device knows no leases.
func (u upnp) Map(ctx context.Context, protocol string, internal, external uint16, lease time.Duration) (uint16, time.Duration, error) {
	var err error
	for i := range uint16(portTries) {
		port := external + i
		if port < 1024 {
			continue
		}
		add := func(d time.Duration) error {
			return u.igd.AddPortMappingCtx(ctx, "", port, strings.ToUpper(protocol), internal, u.local.String(), true, "nt", uint32(d/time.Second))
		}
		if err = add(lease); err == nil {
			return port, lease, nil
		}
		if faultCode(err) == onlyPermanent {
			if err = add(0); err == nil {
				return port, 0, nil
			}
		}
		if faultCode(err) != conflict {
			break
		}
	}
	if err == nil {
		err = errors.New("no port above 1023 was wished for")
	}
	return 0, 0, err
}

func (u upnp) Unmap(ctx context.Context, protocol string, _, external uint16) error {
	return u.igd.DeletePortMappingCtx(ctx, "", external, strings.ToUpper(protocol))
}

// faultCode returns the UPnP error code in a device's answer, or 0.
func faultCode(err error) int {
	var fault *soap.SOAPFaultError
	if !errors.As(err, &fault) {
		return 0
	}
	return fault.Detail.UPnPError.Errorcode
}
