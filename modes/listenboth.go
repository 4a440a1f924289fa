package modes

import "net"

// portTries is how often a free port is looked for that both TCP and UDP have.
const portTries = 16

// listenBoth listens on TCP and UDP under the same port number.
func listenBoth(addr string) (net.Listener, *net.UDPConn, error) {
	for try := 1; ; try++ {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, nil, err
		}
		at := l.Addr().(*net.TCPAddr)
		c, err := net.ListenUDP("udp", &net.UDPAddr{IP: at.IP, Port: at.Port, Zone: at.Zone})
		if err == nil {
			return l, c, nil
		}
		l.Close()
		if _, port, _ := net.SplitHostPort(addr); port != "0" || try == portTries {
			return nil, nil, err
		}
	}
}
