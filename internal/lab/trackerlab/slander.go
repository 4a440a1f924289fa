package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"nt/tracker"
	"nt/transport"
	"nt/transport/wire"
)

// slanderPlan says who says what of whom.
type slanderPlan struct {
	slanderers int // each in a network group of its own, up to 200
	others     int // honest holders of the victim's URL besides the victim
	lookups    int // afterwards, from other networks
}

func slanderFlags(f *flag.FlagSet) func(*lab) error {
	var p slanderPlan
	f.IntVar(&p.slanderers, "slanderers", 200, "slander: who report the victim as dead, each from a /16 of its own")
	f.IntVar(&p.others, "others", 60, "slander: honest holders beside the victim")
	f.IntVar(&p.lookups, "lookups", 300, "slander: questions afterwards, each way")
	return func(l *lab) error { _, err := slander(l, p); return err }
}

// slandered is what came of it.
type slandered struct {
	reports, counted   int // taken, and counted: a few network groups are enough to demote
	asked, named       int // over HTTP, and answers with the victim in them
	askedUDP, namedUDP int // the same by one datagram
	alone              int // answers with the victim, of a URL that it alone holds
	foreign            []string
}

const (
	sharedURL = 1 << 45 // the victim and others hold it
	aloneURL  = 1 << 46 // the victim alone
	silentURL = 1 << 47 // announced by whom nothing answers for
)

// inGroup is an address in network group n of 127.0.0.0/8.
func inGroup(n, host int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, byte(20 + n%200), byte(host / 250), byte(1 + host%250)})
}

// slander lets many report an honest peer, and tries to have endpoints named that should not be.
func slander(l *lab, p slanderPlan) (out slandered, err error) {
	t, err := l.tracker("slander", "127.0.0.1:0", nil)
	if err != nil {
		return out, err
	}
	victim := newAnnouncer(1<<60, netip.AddrFrom4([4]byte{127, 9, 9, 9}))
	if n, err := victim.announce(t.addr, sharedURL, aloneURL); err != nil || n != 2 {
		return out, fmt.Errorf("the victim announces: %d taken, %w", n, err)
	}
	for i := range p.others {
		if _, err := newAnnouncer(1<<61+uint64(i), inGroup(i, 7)).announce(t.addr, sharedURL); err != nil {
			return out, fmt.Errorf("honest holder %d: %w", i, err)
		}
	}
	for i := range p.slanderers {
		n, err := slanderOnce(newAnnouncer(1<<62+uint64(i), inGroup(i, 100)), t.addr, victim)
		if err != nil {
			return out, fmt.Errorf("slanderer %d: %w", i, err)
		}
		out.reports += 2
		out.counted += n
	}
	if err := out.ask(l, p, t.addr, victim); err != nil {
		return out, err
	}
	out.foreign, err = foreign(l, t.addr)
	l.printf("%d slanderers in as many /16 networks: %d reports, %d of them counted, against one of %d holders", p.slanderers, out.reports, out.counted, p.others+1)
	l.printf("then named in %d of %d answers over HTTP, in %d of %d by one datagram; in %d of %d about the URL that it alone holds", out.named, out.asked,
		out.namedUDP, out.askedUDP, out.alone, p.lookups)
	l.printf("endpoints named that should not be: %d %s", len(out.foreign), strings.Join(out.foreign, "; "))
	return out, err
}

func (a *announcer) id() transport.PeerID {
	return transport.PeerID(a.key.Public().(ed25519.PublicKey))
}

// slanderOnce asks until the victim is named, and reports it for both of its URLs.
func slanderOnce(a *announcer, to string, victim *announcer) (counted int, err error) {
	for _, url := range []uint64{sharedURL, aloneURL} {
		ticket := ""
		for try := 0; ticket == "" && try < 50; try++ {
			r, err := a.holders(to, url)
			if err != nil {
				return counted, err
			}
			for _, p := range r.Peers {
				if p.ID == victim.id() {
					ticket = p.Ticket
				}
			}
		}
		if ticket == "" {
			return counted, errors.New("it was never given the victim's ticket")
		}
		body, err := json.Marshal(tracker.ReportRequest{Ticket: ticket, Reason: "dead"})
		if err != nil {
			return counted, err
		}
		var resp tracker.ReportResponse
		if err := a.post(to, "/v1/report", body, "", &resp); err != nil {
			return counted, err
		}
		if resp.Counted {
			counted++
		}
	}
	return counted, nil
}

// ask asks for the victim's URLs both ways.
func (s *slandered) ask(l *lab, p slanderPlan, to string, victim *announcer) error {
	named := func(r tracker.Result) int {
		for _, p := range r.Peers {
			if p.ID == victim.id() && p.Addr == netip.AddrPortFrom(victim.from, crowdPort).String() {
				return 1
			}
		}
		return 0
	}
	for i := range p.lookups {
		a := newAnnouncer(1<<59+uint64(i), inGroup(i, 400))
		r, err := a.holders(to, sharedURL)
		if err != nil {
			return err
		}
		s.asked, s.named = s.asked+1, s.named+named(r)
		if r, err = a.holders(to, aloneURL); err != nil {
			return err
		}
		s.alone += named(r)
		j, err := joinOnce(to, sharedURL)
		if err != nil {
			return err
		}
		s.askedUDP, s.namedUDP = s.askedUDP+1, s.namedUDP+named(j.Result)
	}
	return nil
}

// joinOnce asks by one datagram, from a new port.
func joinOnce(to string, url uint64) (tracker.Joined, error) {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return tracker.Joined{}, err
	}
	node, err := wire.Listen(wire.Config{Conn: conn, Key: newAnnouncer(1<<63, netip.Addr{}).key})
	if err != nil {
		return tracker.Joined{}, err
	}
	defer node.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	addr, err := netip.ParseAddrPort(to)
	if err != nil {
		return tracker.Joined{}, err
	}
	b, err := node.Ask(ctx, addr, tracker.Join{Key: keyOf(url)}.Append(nil))
	if err != nil {
		return tracker.Joined{}, err
	}
	return tracker.ParseJoined(keyOf(url), b)
}

// foreign tries to have endpoints named that are not the announcer's, are private, or do not answer, and
// returns those that were.
func foreign(l *lab, open string) ([]string, error) {
	var named []string
	a := newAnnouncer(1<<58, inGroup(1, 600))
	closed, err := net.Listen("tcp4", netip.AddrPortFrom(a.from, 0).String())
	if err != nil {
		return nil, err
	}
	closed.Close()
	port := crowdPort
	crowdPort = uint16(closed.Addr().(*net.TCPAddr).Port)
	_, err = a.announce(open, silentURL)
	crowdPort = port
	if r, lookup := a.holders(open, silentURL); lookup != nil || len(r.Peers) > 0 || refusal(err) != "endpoint_silent" {
		named = append(named, fmt.Sprintf("silent endpoint: %v, %v, %v", r.Peers, err, lookup))
	}
	if got, err := claim(open, "8.8.8.8"); err != nil || bytes.Contains(got, []byte{8, 8, 8, 8}) {
		named = append(named, fmt.Sprintf("BitTorrent's ip: %q, %v", got, err))
	}
	strict, err := l.listening("tracker", l.command("strict", nil, "nt", "tracker", "--listen", "127.0.0.1:0", "--no-notary"))
	if err != nil {
		return named, err
	}
	_, err = a.announce(strict.addr, silentURL)
	if r, lookup := a.holders(strict.addr, silentURL); lookup != nil || len(r.Peers) > 0 || refusal(err) != "address_not_public" {
		named = append(named, fmt.Sprintf("private endpoint: %v, %v, %v", r.Peers, err, lookup))
	}
	if got, err := claim(strict.addr, "8.8.8.8"); err != nil || !bytes.Contains(got, []byte("failure reason")) {
		named = append(named, fmt.Sprintf("BitTorrent client at a private address: %q, %v", got, err))
	}
	return named, nil
}

// refusal returns the reason of API v1 that an error carries.
func refusal(err error) string {
	var refused *refusedError
	if !errors.As(err, &refused) {
		return ""
	}
	_, text, _ := strings.Cut(refused.text, `"error":"`)
	reason, _, _ := strings.Cut(text, ":")
	return reason
}

// claim announces a torrent as somebody else, in every way BitTorrent clients and proxies know, and returns
// what another client is told.
func claim(to, ip string) (told []byte, err error) {
	for i := range 2 {
		q := "http://" + to + "/announce?info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=-NT0001-00000000000" + fmt.Sprint(i) + "&port=700" + fmt.Sprint(i) + "&left=1&compact=1&ip=" + ip + "&ipv4=" + ip
		req, err := http.NewRequest(http.MethodGet, q, nil)
		if err != nil {
			return nil, err
		}
		for _, h := range []string{"X-Forwarded-For", "X-Real-Ip", "Forwarded", "Client-Ip"} {
			req.Header.Set(h, ip)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, err
		}
		told, err = io.ReadAll(io.LimitReader(resp.Body, 1<<16))
		resp.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	return told, nil
}
