package portmap

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"nt/internal/testenv"
)

// igdServer is a UPnP gateway device on loopback, without the search.
type igdServer struct {
	mu     sync.Mutex
	table  map[string]string // "UDP 4001" -> lease
	fault  map[string]int    // error code of the next AddPortMapping, by its external port
	leases bool
}

const igdDescription = `<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major><minor>0</minor></specVersion>
<device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><friendlyName>fake</friendlyName><UDN>uuid:1</UDN>
<serviceList><service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><serviceId>urn:upnp-org:serviceId:WANIPConn1</serviceId>
<SCPDURL>/scpd</SCPDURL><controlURL>/control</controlURL><eventSubURL>/event</eventSubURL></service></serviceList></device></root>`

func between(s, a, b string) string {
	_, s, _ = strings.Cut(s, a)
	s, _, _ = strings.Cut(s, b)
	return s
}

func (d *igdServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/control" {
		io.WriteString(w, igdDescription)
		return
	}
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	field := func(name string) string { return between(string(body), "<"+name+">", "</"+name+">") }
	action := strings.Trim(between(r.Header.Get("SOAPAction"), "#", `"`), `"`)
	key := field("NewProtocol") + " " + field("NewExternalPort")
	d.mu.Lock()
	defer d.mu.Unlock()
	answer, code := "", 0
	switch action {
	case "GetExternalIPAddress":
		answer = "<NewExternalIPAddress>203.0.113.1</NewExternalIPAddress>"
	case "AddPortMapping":
		if code = d.fault[field("NewExternalPort")]; code == 0 && !d.leases && field("NewLeaseDuration") != "0" {
			code = onlyPermanent
		}
		if code == 0 {
			d.table[key] = field("NewInternalClient") + ":" + field("NewInternalPort") + " for " + field("NewLeaseDuration")
		}
	case "DeletePortMapping":
		delete(d.table, key)
	default:
		code = 401
	}
	const head = `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>`
	const tail = `</s:Body></s:Envelope>`
	w.Header().Set("Content-Type", "text/xml")
	if code != 0 {
		w.WriteHeader(500)
		fmt.Fprintf(w, `%s<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>%d</errorCode><errorDescription>no</errorDescription></UPnPError></detail></s:Fault>%s`, head, code, tail)
		return
	}
	fmt.Fprintf(w, `%s<u:%sResponse xmlns:u="urn:schemas-upnp-org:service:WANIPConnection:1">%s</u:%sResponse>%s`, head, action, answer, action, tail)
}

func TestUPnPAgainstADevice(t *testing.T) {
	d := &igdServer{table: map[string]string{}, fault: map[string]int{"4001": conflict}, leases: true}
	srv := httptest.NewServer(d)
	defer srv.Close()
	loc, err := url.Parse(srv.URL + "/desc.xml")
	if err != nil {
		t.Fatal(err)
	}
	r, err := upnpAt(t.Context(), loc, netip.MustParseAddr("192.168.1.2"))
	if err != nil {
		t.Fatal(err)
	}
	if ip, err := r.External(t.Context()); err != nil || ip.String() != "203.0.113.1" {
		t.Errorf("outside address %v, %v", ip, err)
	}
	port, lease, err := r.Map(t.Context(), "udp", 4001, 4001, time.Hour)
	if err != nil || port != 4002 || lease != time.Hour || d.table["UDP 4002"] != "192.168.1.2:4001 for 3600" {
		t.Errorf("a taken port: %d, %v, %v, table %v", port, lease, err, d.table)
	}
	if err := r.Unmap(t.Context(), "udp", 4001, port); err != nil || len(d.table) != 0 {
		t.Errorf("taking back: %v, %v", err, d.table)
	}
	d.leases = false
	if port, lease, err := r.Map(t.Context(), "tcp", 4001, 5001, time.Hour); err != nil || port != 5001 || lease != 0 {
		t.Errorf("a device without leases: %d, %v, %v", port, lease, err)
	}
	d.fault["6001"] = 501
	if _, _, err := r.Map(t.Context(), "tcp", 4001, 6001, time.Hour); faultCode(err) != 501 {
		t.Errorf("a refusal: %v", err)
	}
}

// A machine on the link may answer the search with any URL.
func TestRow24_UPnPLocationsOutsideTheHouseAreNotAsked(t *testing.T) {
	for s, ok := range map[string]bool{
		"http://192.168.1.1:5000/desc.xml": true, "http://8.8.8.8/desc.xml": false, "https://192.168.1.1/": false,
		"http://example.org/": false, "http://169.254.1.1/x": true, "http://[fe80::1]/x": true,
	} {
		loc, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkLocation(loc); (err == nil) != ok {
			t.Errorf("%s: %v", s, err)
		}
	}
}

// pmpServer answers NAT-PMP on its fixed port, at a loopback address of its own.
func pmpServer(t *testing.T, granted uint32) netip.Addr {
	t.Helper()
	for range 50 {
		at := netip.AddrFrom4([4]byte{127, 64 + byte(rand.IntN(128)), byte(rand.IntN(256)), 1 + byte(rand.IntN(254))})
		c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 5351)))
		if err != nil {
			continue
		}
		done := make(chan struct{})
		t.Cleanup(func() { c.Close(); <-done })
		go func() { defer close(done); answerPMP(c, granted) }()
		return at
	}
	testenv.SkipUnless(t, false, "no loopback address of its own can be had here")
	return netip.Addr{}
}

func answerPMP(c *net.UDPConn, granted uint32) {
	buf := make([]byte, 64)
	for {
		n, from, err := c.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		switch {
		case n == 2 && buf[1] == 0:
			c.WriteToUDPAddrPort([]byte{0, 128, 0, 0, 0, 0, 0, 9, 203, 0, 113, 1}, from)
		case n == 12:
			out := append([]byte{0, 128 + buf[1], 0, 0, 0, 0, 0, 9}, buf[4:8]...)
			lifetime := min(granted, binary.BigEndian.Uint32(buf[8:]))
			c.WriteToUDPAddrPort(binary.BigEndian.AppendUint32(out, lifetime), from)
		}
	}
}

func TestNATPMPAgainstARouter(t *testing.T) {
	r, err := natpmpAt(t.Context(), pmpServer(t, 1800))
	if err != nil {
		t.Fatal(err)
	}
	port, lease, err := r.Map(t.Context(), "udp", 4001, 4001, time.Hour)
	if err != nil || port != 4001 || lease != 30*time.Minute {
		t.Errorf("%d, %v, %v", port, lease, err)
	}
	if err := r.Unmap(t.Context(), "udp", 4001, port); err != nil {
		t.Error(err)
	}
	stingy, err := natpmpAt(t.Context(), pmpServer(t, 0))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := stingy.Map(t.Context(), "udp", 4001, 4001, time.Hour); err == nil {
		t.Error("a mapping for no time counts")
	}
}
